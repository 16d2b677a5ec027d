"""What a gateway holds of one log.

A topic follows its log: `position` is the last position it has seen. Feed items arrive in order
but for what a feed lost; a hole stops the topic until it has been read from the log. So a
connection that is live on a topic has been sent exactly everything up to `topic.position`.
"""

import asyncio
import bisect
import heapq
from collections import deque
from typing import TYPE_CHECKING, Final

from tidings_workers.gateway.wire import notification_frame, notification_head
from tidings_workers.store.keys import Log
from tidings_workers.store.logs import Entry, Facts

if TYPE_CHECKING:
    from tidings_workers.gateway.connection import Connection
    from tidings_workers.gateway.users import User

RECENT_ENTRIES: Final = 256
RECENT_BYTES: Final = 256 * 1024


class Topic:
    """One log on this gateway, with the connections that are live on it."""

    __slots__ = (
        "_due",
        "_expiring",
        "_pending",
        "_recent",
        "_recent_bytes",
        "changes",
        "floor",
        "formers",
        "head",
        "healing",
        "holders",
        "holes",
        "live",
        "log",
        "position",
        "ready",
        "retired",
        "seen",
        "unused_since",
    )

    def __init__(self, log: Log, ready: asyncio.Future[None]) -> None:
        self.log = log
        self.ready = ready
        self.head = notification_head(log.name)
        self.position = 0
        self.floor = 0
        self.holes: list[int] = []
        # What was heard of `Facts.changes`.
        self.changes = 0
        self.retired = 0
        # What will end by itself, the next first, as (ms, position); and what has, but is not told yet.
        self._expiring: list[tuple[int, int]] | None = None
        self._due: set[int] | None = None
        # Users who have left the group: what was theirs can still be recalled.
        self.formers: dict[User, None] | None = None
        self.live: dict[Connection, None] = {}
        # Connections (of a user's log) or users (of others) for which the topic is kept.
        self.holders = 0
        self.unused_since = 0.0
        # The highest position heard of: above `position` when there is something to heal.
        self.seen = 0
        # Done when the log has been read; None while there is nothing to heal.
        self.healing: asyncio.Future[None] | None = None
        self._pending: list[Entry] = []
        self._recent: deque[Entry] | None = None
        self._recent_bytes = 0

    def start(self, facts: Facts) -> None:
        """The log's facts are known: follow it from here."""
        self.position = facts.head
        self.changes = max(self.changes, facts.changes)
        # What the feeds brought before may be newer than the facts.
        holes, floor, retired = self.holes, self.floor, self.retired
        self._take_facts(facts)
        for position in holes:
            self._remove(position)
        self.retired = max(self.retired, retired)
        self.lifted(floor)
        if not self.ready.done():
            self.ready.set_result(None)

    def _take_facts(self, facts: Facts) -> None:
        self.holes, self.floor, self.retired = facts.holes, facts.floor, facts.retired
        self._expiring = sorted(facts.expiring) or None
        self._due = None

    def facts(self, now: int) -> Facts:
        """The arithmetic of the log as far as this topic has seen it, at a time in ms.

        What has ended by itself counts as a hole and as a change from its time on, although the store may
        take it out a moment later.
        """
        while self._expiring and self._expiring[0][0] <= now:
            _, position = heapq.heappop(self._expiring)
            if self._remove(position):
                self._due = self._due or set()
                self._due.add(position)
        changes = self.changes + len(self._due or ())
        return Facts(self.position, self.floor, self.holes, changes, (), self.retired)

    def take(self, entry: Entry) -> bool:
        """Take the next entry; False when it can't be taken now: `heal` has to read the log first."""
        position = entry.position
        if position <= self.position and self.ready.done():
            return True
        self.seen = max(self.seen, position)
        if self.healing is not None or not self.ready.done() or position != self.position + 1:
            return False
        self.append(entry)
        return True

    def append(self, entry: Entry) -> None:
        """Take an entry that follows; `flush` sends it."""
        self.position = entry.position
        self._pending.append(entry)
        if entry.expires:
            self._expiring = self._expiring or []
            heapq.heappush(self._expiring, (entry.expires, entry.position))
        if self.log.name != "user":
            self._remember(entry)

    def _remember(self, entry: Entry) -> None:
        if self._recent is None:
            self._recent = deque()
        self._recent.append(entry)
        self._recent_bytes += len(entry.content)
        while len(self._recent) > RECENT_ENTRIES or self._recent_bytes > RECENT_BYTES:
            self._recent_bytes -= len(self._recent.popleft().content)

    def recent(self, after: int, up_to: int) -> list[Entry] | None:
        """Entries after `after` up to `up_to` from memory; None when they are not all there."""
        if not self._recent or self._recent[0].position > after + 1:
            return None
        return [entry for entry in self._recent if after < entry.position <= up_to]

    def removed(self, position: int) -> bool:
        """A position is gone, as the store tells; False when that was known."""
        if self._due is not None and position in self._due:
            self._due.discard(position)
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

    def lifted(self, floor: int) -> None:
        """Nothing up to the floor is there any more."""
        if floor > self.floor:
            self.floor = floor
            del self.holes[: bisect.bisect_right(self.holes, floor)]

    def heard(self, count: int, changes: int) -> None:
        """So many changes came, with which the log has had `changes`.

        What a feed lost before them stays missing here, so that a sweep finds it.
        """
        if not self.ready.done() or self.changes + count >= changes:
            self.changes = max(self.changes, changes)

    def correct(self, facts: Facts, since: int) -> bool:
        """Take what was read of the log, but for its entries: they come in their own order.

        `since` is what `changes` was before it was read. Answers whether a position is gone that was not
        known to be.
        """
        news = [self._remove(position) for position in facts.holes if position <= self.position]
        if facts.changes >= self.changes or self.changes == since:
            self._take_facts(facts)
            self.changes = facts.changes
        # Else the feeds brought something newer meanwhile.
        return any(news)

    def flush(self, now: int) -> int:
        """Send what was taken to every live connection; answers how many frames that made.

        The bytes are built once, and joined once when there are several; only a connection of an
        excluded user gets bytes of its own.
        """
        entries, self._pending = self._pending, []
        entries = [entry for entry in entries if not entry.expires or entry.expires > now]
        if not entries or not self.live:
            return 0
        frames = [notification_frame(self.head, entry.position, entry.content) for entry in entries]
        blob = frames[0] if len(frames) == 1 else b"".join(frames)
        excluded = frozenset().union(*(entry.exclude for entry in entries))
        if not excluded:
            for connection in self.live:
                connection.queue(blob)
        else:
            for connection in self.live:
                user = connection.user.name
                if user not in excluded:
                    connection.queue(blob)
                    continue
                for entry, data in zip(entries, frames, strict=True):
                    if user not in entry.exclude:
                        connection.queue(data)
        return len(frames) * len(self.live)
