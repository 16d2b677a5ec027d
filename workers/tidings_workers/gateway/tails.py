"""One log on this gateway.

A tail follows its log: after the start, each entry up to `position` was appended, or removed first. Feed
items arrive in order, except for those that a feed lost. When a position is missing, the tail appends
nothing until the log was read. So a subscriber that is live on a tail was sent every entry up to `position`,
once `flush` has run. Only this class writes its fields.

    NEW --start()--> READY <--start_healing() / finish_healing()--> HEALING
     `--fail()--> (removed)

It is NEW until `ready` is done, and HEALING while `healing` is a future. Only a READY tail appends items.
"""

import asyncio
import bisect
import heapq
from collections.abc import Sequence
from typing import Generic, TypeVar

from tidings_workers.gateway.deliveries import TailSubscriber, queue_entries
from tidings_workers.gateway.departures import Departures
from tidings_workers.gateway.recent import RecentEntries
from tidings_workers.store.entries import Departure, Entry, Facts
from tidings_workers.store.keys import Log

S = TypeVar("S", bound=TailSubscriber)


class Tail(Generic[S]):
    """One log on this gateway, with the subscribers that are live on it."""

    __slots__ = (
        "_departures",
        "_expired",
        "_expiring",
        "_pending",
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
        "recent",
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
        # Entries that will expire, as a heap of (ms, position).
        self._expiring: list[tuple[int, int]] | None = None
        # Positions that count as holes here because their time has passed, and that no feed has reported yet.
        self._expired: set[int] | None = None
        self.live: dict[S, None] = {}
        # How many connections (user's log) or users (other logs) need the tail.
        self._uses = 1
        self._released_at = 0.0
        # The highest reported position; above `position` when entries are missing.
        self.reported_head = 0
        # Done when healing has finished; None while there is nothing to heal.
        self.healing: asyncio.Future[None] | None = None
        self._pending: list[Entry] = []
        # None for a user's own log, and until the first entry.
        self.recent: RecentEntries | None = None
        # None until the first, and for other logs than those of groups.
        self._departures: Departures | None = None

    def start(self, facts: Facts) -> None:
        """Follow the log from its facts on."""
        self.position = facts.head
        self.note_departures(facts.departed)
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

    def fail(self, error: BaseException) -> None:
        """The facts cannot be read: everything that waits for `ready` gets the error."""
        if isinstance(error, Exception):
            self.ready.set_exception(error)
            self.ready.exception()  # Retrieved here, because nothing may be waiting.
        else:
            self.ready.cancel()

    def _set_facts(self, facts: Facts) -> None:
        self.holes, self.floor, self.retired = facts.holes, facts.floor, facts.retired
        self._expiring = sorted(facts.expiring) or None
        self._expired = None

    def facts(self, now: int) -> Facts:
        """The facts of the log up to `position`, at a time in ms.

        An expired entry counts as a hole and as a change, although the store removes it later. The caller
        does not change the holes: they are the tail's own list.
        """
        while self._expiring and self._expiring[0][0] <= now:
            _, position = heapq.heappop(self._expiring)
            if self._remove(position):
                self._expired = self._expired or set()
                self._expired.add(position)
        changes = self.changes + len(self._expired or ())
        return Facts(self.position, self.floor, self.holes, changes, retired=self.retired)

    # Uses and subscribers

    def acquire(self) -> None:
        """Count one use more. A new tail has one."""
        self._uses += 1

    def release(self, now: float) -> None:
        """Count one use less, at a monotonic time in seconds."""
        self._uses -= 1
        if not self._uses:
            self._released_at = now

    @property
    def is_in_use(self) -> bool:
        """Whether something uses the tail."""
        return self._uses > 0

    def is_unused_since(self, moment: float) -> bool:
        """Whether nothing has used it since before a moment (monotonic seconds)."""
        return not self._uses and self._released_at < moment

    def go_live(self, subscriber: S) -> None:
        """Add a subscriber that was sent everything up to `position`, when no entry is pending."""
        self.live[subscriber] = None

    def stop(self, subscriber: S) -> None:
        """Remove a subscriber."""
        self.live.pop(subscriber, None)

    # Following the log

    def append(self, entry: Entry) -> bool:
        """Append the next entry; False when the log must be read first. A repeated entry is ignored."""
        position = entry.position
        is_ready = self.ready.done()
        if position <= self.position and is_ready:
            return True
        self.reported_head = max(self.reported_head, position)
        if self.healing is not None or not is_ready or position != self.position + 1:
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

    def finish_read(self, head: int, wanted: int) -> bool:
        """The log was read up to its head. True if no higher position was reported during the read.

        `wanted`: the `reported_head` before the read.
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
            self.recent = self.recent or RecentEntries()
            self.recent.add(entry)

    # Departures from the group

    def note_departures(self, departures: Sequence[Departure]) -> None:
        """Users left the group of this log."""
        if departures:
            self._departures = self._departures or Departures()
            self._departures.note(departures)

    def departures_of(self, user: str) -> Sequence[Departure]:
        """The last departures of a user from the group of this log, in order."""
        return self._departures.of(user) if self._departures is not None else ()

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
        if self.recent is not None:
            self.recent.remove(position)
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

        If the feed lost earlier changes, ours stays behind the log's, so that a sweep finds the difference.
        """
        if not self.ready.done() or self.changes + count >= changes:
            self.changes = max(self.changes, changes)

    def replace_facts(self, facts: Facts, since: int) -> bool:
        """Replace the facts, but not `position`, by facts that were read from the store.

        The facts stay if feeds reported newer changes during the read. `since`: `changes` before the read.
        Returns whether a position was removed that no feed reported.
        """
        unreported = [self._remove(position) for position in facts.holes if position <= self.position]
        if facts.changes >= self.changes or self.changes == since:  # else the feeds reported more
            self._set_facts(facts)
            self.changes = facts.changes
        return any(unreported)

    # Sending

    def flush(self, now: int) -> int:
        """Queue new entries for every live subscriber; the number of frames."""
        entries, self._pending = self._pending, []
        if len(entries) != 1 or entries[0].expires:
            entries = [entry for entry in entries if not entry.expires or entry.expires > now]
        if not entries or not self.live:
            return 0
        queue_entries(self.log.name, entries, self.live)
        return len(entries) * len(self.live)
