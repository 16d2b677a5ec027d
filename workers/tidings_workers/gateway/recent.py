"""The last entries of a log in memory: a catch-up that needs only these does not read the store."""

from collections import deque
from typing import Final

from tidings_workers.store.entries import Entry

RECENT_ENTRIES: Final = 256
RECENT_BYTES: Final = 256 * 1024


class RecentEntries:
    """The last entries that a topic appended, within limits on their number and bytes."""

    __slots__ = ("_bytes", "_entries")

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._bytes = 0

    def add(self, entry: Entry) -> None:
        """Add the next entry. The oldest are removed when there are too many."""
        self._entries.append(entry)
        self._bytes += len(entry.content)
        while len(self._entries) > RECENT_ENTRIES or self._bytes > RECENT_BYTES:
            self._bytes -= len(self._entries.popleft().content)

    def remove(self, position: int) -> None:
        """Remove the entry at a position, if it is here."""
        kept = [entry for entry in self._entries if entry.position != position]
        self._entries = deque(kept)
        self._bytes = sum(len(entry.content) for entry in kept)

    def between(self, after: int, up_to: int) -> list[Entry] | None:
        """Entries with `after` < position <= `up_to`; None when earlier ones of these are not here."""
        if not self._entries or self._entries[0].position > after + 1:
            return None
        return [entry for entry in self._entries if after < entry.position <= up_to]
