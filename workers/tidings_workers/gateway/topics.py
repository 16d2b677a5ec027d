"""One log on this gateway.

A topic follows its log: `position` is that of the last entry that it appended. Feed items arrive in order,
except for those that a feed lost. When a position is missing, the topic appends nothing until the log was
read. So a reader that is live on a topic was sent every entry up to `position`. Only this class writes its
fields.
"""

import asyncio
import bisect
import heapq
from collections import deque
from collections.abc import Sequence
from typing import Final, Generic, Protocol, TypeVar

from tidings_workers.gateway.wire import BuiltFrames, Sink
from tidings_workers.store.entries import Entry, Facts
from tidings_workers.store.keys import Log

RECENT_ENTRIES: Final = 256
RECENT_BYTES: Final = 256 * 1024


class Live(Protocol):
    """A reader of a topic."""

    @property
    def name(self) -> str:
        """The user's name, to find out whether an entry excludes the user."""

    @property
    def outlet(self) -> Sink:
        """The destination of its frames."""


Reader = TypeVar("Reader", bound=Live)


class Topic(Generic[Reader]):
    """One log on this gateway, with the readers that are live on it."""

    __slots__ = (
        "_expired",
        "_expiring",
        "_pending",
        "_recent",
        "_recent_bytes",
        "_released_at",
        "_uses",
        "changes",
        "floor",
        "healing",
        "holes",
        "live",
        "log",
        "position",
        "ready",
        "reported_head",
        "retired",
    )

    def __init__(self, log: Log, ready: asyncio.Future[None]) -> None:
        self.log = log
        # Done when the facts of the log are known.
        self.ready = ready
        self.position = 0
        self.floor = 0
        self.holes: list[int] = []
        # `Facts.changes` as far as they were reported.
        self.changes = 0
        self.retired = 0
        # Entries to expire as a heap of (ms, position), and expired entries that the store still has.
        self._expiring: list[tuple[int, int]] | None = None
        self._expired: set[int] | None = None
        self.live: dict[Reader, None] = {}
        # How many connections (user's log) or users (other logs) need the topic.
        self._uses = 1
        self._released_at = 0.0
        # The highest reported position; above `position` when entries are missing.
        self.reported_head = 0
        # Done when healing has finished; None while there is nothing to heal.
        self.healing: asyncio.Future[None] | None = None
        self._pending: list[Entry] = []
        self._recent: deque[Entry] | None = None
        self._recent_bytes = 0

    def start(self, facts: Facts) -> None:
        """Follow the log from its facts on."""
        self.position = facts.head
        self.changes = max(self.changes, facts.changes)
        # Removals that the feeds reported before may be newer than the facts.
        holes, floor, retired = self.holes, self.floor, self.retired
        self._set_facts(facts)
        for position in holes:
            self._remove(position)
        self.retire(retired)
        self.raise_floor(floor)
        if not self.ready.done():
            self.ready.set_result(None)

    def _set_facts(self, facts: Facts) -> None:
        self.holes, self.floor, self.retired = facts.holes, facts.floor, facts.retired
        self._expiring = sorted(facts.expiring) or None
        self._expired = None

    def facts(self, now: int) -> Facts:
        """The facts of the log up to `position`, at a time in ms.

        From its expiry time on, an expired entry counts as a hole and as a change, although the store removes
        it later.
        """
        while self._expiring and self._expiring[0][0] <= now:
            _, position = heapq.heappop(self._expiring)
            if self._remove(position):
                self._expired = self._expired or set()
                self._expired.add(position)
        changes = self.changes + len(self._expired or ())
        return Facts(self.position, self.floor, self.holes, changes, retired=self.retired)

    # Uses and readers

    def acquire(self) -> None:
        """Count one use more. A new topic has one."""
        self._uses += 1

    def release(self, now: float) -> None:
        """Count one use less, at a monotonic time in seconds."""
        self._uses -= 1
        if not self._uses:
            self._released_at = now

    @property
    def is_in_use(self) -> bool:
        """Whether something uses the topic."""
        return self._uses > 0

    def is_unused_since(self, moment: float) -> bool:
        """Whether nothing has used it since before a moment (monotonic seconds)."""
        return not self._uses and self._released_at < moment

    def go_live(self, reader: Reader) -> None:
        """Add a reader, which was sent everything up to `position`."""
        self.live[reader] = None

    def stop(self, reader: Reader) -> None:
        """Remove a reader."""
        self.live.pop(reader, None)

    # Following the log

    def append(self, entry: Entry) -> bool:
        """Append the next entry; False when the log must be read first. A repeated entry is ignored."""
        position = entry.position
        if position <= self.position and self.ready.done():
            return True
        self.report_head(position)
        if self.healing is not None or not self.ready.done() or position != self.position + 1:
            return False
        self._append(entry)
        return True

    def report_head(self, position: int) -> None:
        """A feed item or a client names this position of the log."""
        self.reported_head = max(self.reported_head, position)

    @property
    def is_behind(self) -> bool:
        """Whether the reported head is above `position`."""
        return self.reported_head > self.position

    def start_healing(self) -> None:
        """The log is about to be read; `finish_healing` follows."""
        self.healing = asyncio.get_running_loop().create_future()

    def append_read(self, entries: Sequence[Entry]) -> None:
        """Append entries that were read from the log after `position`."""
        for entry in entries:
            if entry.position > self.position:
                self._append(entry)

    def caught_up_to(self, head: int, wanted: int) -> bool:
        """The log was read up to its head; True when no higher position was reported since.

        `wanted` is what `reported_head` was before the read.
        """
        self.position = max(self.position, head)
        if self.reported_head > max(wanted, self.position):
            return False
        # The log is authoritative: a position that was reported and is not in the log does not exist.
        self.reported_head = self.position
        return True

    def finish_healing(self) -> None:
        """Healing has finished, with or without success."""
        healing, self.healing = self.healing, None
        if healing is not None:
            healing.set_result(None)

    def _append(self, entry: Entry) -> None:
        self.position = entry.position
        self._pending.append(entry)
        if entry.expires:
            self._expiring = self._expiring or []
            heapq.heappush(self._expiring, (entry.expires, entry.position))
        if not self.log.is_own:
            self._cache(entry)

    def _cache(self, entry: Entry) -> None:
        self._recent = self._recent or deque()
        self._recent.append(entry)
        self._recent_bytes += len(entry.content)
        while len(self._recent) > RECENT_ENTRIES or self._recent_bytes > RECENT_BYTES:
            self._recent_bytes -= len(self._recent.popleft().content)

    def recent(self, after: int, up_to: int) -> list[Entry] | None:
        """Entries with `after` < position <= `up_to` from memory; None when memory lacks some."""
        if not self._recent or self._recent[0].position > after + 1:
            return None
        return [entry for entry in self._recent if after < entry.position <= up_to]

    # Removed entries

    def remove(self, position: int) -> bool:
        """The store has removed a position; False when that is already known."""
        if self._expired is not None and position in self._expired:
            self._expired.discard(position)
            return True
        return self._remove(position)

    def _remove(self, position: int) -> bool:
        index = bisect.bisect_left(self.holes, position)
        if index < len(self.holes) and self.holes[index] == position:
            return False
        self.holes.insert(index, position)
        if self._recent:
            kept = [entry for entry in self._recent if entry.position != position]
            self._recent = deque(kept)
            self._recent_bytes = sum(len(entry.content) for entry in kept)
        return True

    def retire(self, position: int) -> None:
        """Retention has removed entries up to this position."""
        self.retired = max(self.retired, position)

    def raise_floor(self, floor: int) -> None:
        """Every entry up to `floor` has been removed."""
        if floor > self.floor:
            self.floor = floor
            del self.holes[: bisect.bisect_right(self.holes, floor)]

    def count_changes(self, count: int, changes: int) -> None:
        """Count `count` changes from the feed; `changes` is the log's total after them.

        If the feed lost earlier changes, `changes` stays behind the log's, so that a sweep finds the
        difference.
        """
        if not self.ready.done() or self.changes + count >= changes:
            self.changes = max(self.changes, changes)

    def correct(self, facts: Facts, since: int) -> bool:
        """Replace the facts by those that were read; entries are appended only in order.

        `since` is what `changes` was before the read. True when it shows a removed position that was not
        known.
        """
        news = [self._remove(position) for position in facts.holes if position <= self.position]
        if facts.changes >= self.changes or self.changes == since:  # else the feeds reported more
            self._set_facts(facts)
            self.changes = facts.changes
        return any(news)

    # Sending

    def flush(self, now: int) -> int:
        """Queue new entries for every live reader; the number of frames.

        The bytes are built once per encoding. Only a reader whose user is excluded by some of the entries
        gets bytes of its own.
        """
        entries, self._pending = self._pending, []
        entries = [entry for entry in entries if not entry.expires or entry.expires > now]
        if not entries or not self.live:
            return 0
        built = BuiltFrames(self.log.name, entries)
        excluded = frozenset().union(*(entry.exclude for entry in entries))
        if not excluded:
            wire, data = None, b""
            for reader in self.live:
                outlet = reader.outlet
                if outlet.wire is not wire:
                    data = built[wire := outlet.wire]
                outlet.queue(data)
        else:
            for reader in self.live:
                outlet, user = reader.outlet, reader.name
                if user not in excluded:
                    outlet.queue(built[outlet.wire])
                    continue
                for entry, data in zip(entries, built.frames(outlet.wire), strict=True):
                    if user not in entry.exclude:
                        outlet.queue(data)
        return len(entries) * len(self.live)
