"""The last entries of a log in memory: a catch-up that needs only these does not read the store."""

from collections import deque
from typing import Final, NamedTuple

from tidings_workers.gateway.wire import Wire
from tidings_workers.store.entries import Entry

RECENT_ENTRIES: Final = 256
RECENT_BYTES: Final = 256 * 1024


class Replay(NamedTuple):
    """The frames of the entries with `after` < position <= `up_to`, as many connections are sent them."""

    wire: Wire
    after: int
    up_to: int
    frames: bytes


class RecentEntries:
    """The last entries that a tail appended, within limits on their number and bytes."""

    __slots__ = ("_bytes", "_entries", "_replay")

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        # The last one that was built: after a restart many clients have missed the same entries.
        self._replay: Replay | None = None

    def add(self, entry: Entry) -> None:
        """Add the next entry. The oldest are removed when there are too many."""
        self._replay = None
        self._entries.append(entry)
        self._bytes += len(entry.content)
        while len(self._entries) > RECENT_ENTRIES or self._bytes > RECENT_BYTES:
            self._bytes -= len(self._entries.popleft().content)

    def remove(self, position: int) -> None:
        """Remove the entry at a position, if it is here."""
        self._replay = None
        kept = [entry for entry in self._entries if entry.position != position]
        self._entries = deque(kept)
        self._bytes = sum(len(entry.content) for entry in kept)

    def between(self, after: int, up_to: int) -> list[Entry] | None:
        """Entries with `after` < position <= `up_to`; None when earlier ones of these are not here."""
        if not self._entries or self._entries[0].position > after + 1:
            return None
        return [entry for entry in self._entries if after < entry.position <= up_to]

    def replay(self, log: str, wire: Wire, after: int, up_to: int) -> bytes | None:
        """The frames that replay the entries with `after` < position <= `up_to`.

        None when some are not here, or when one excludes users or expires, so that the frames would not be
        the same for all.
        """
        built = self._replay
        if built is not None and (built.wire, built.after, built.up_to) == (wire, after, up_to):
            return built.frames
        entries = self.between(after, up_to) or ()
        if len(entries) != up_to - after or any(entry.expires or entry.exclude for entry in entries):
            return None
        frames = b"".join(
            wire.notification(log, entry.position, entry.content, replayed=True) for entry in entries
        )
        self._replay = Replay(wire, after, up_to, frames)
        return frames
