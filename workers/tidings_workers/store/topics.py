"""Topics: what a tenant has, their entries, and how many connections are subscribed to them."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

from tidings_workers.archive import ArchiveError, LogPart
from tidings_workers.store import intervals
from tidings_workers.store.core import Core
from tidings_workers.store.entries import END, Entry, Part
from tidings_workers.store.history import batches_under_way, entry_of_past, newest_archived
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Log, tenant_topics
from tidings_workers.store.logs import read
from tidings_workers.store.packing import Packed, pack, text
from tidings_workers.store.paging import Page, page_of, read_cursor

# How many positions one call counts at most: other work of the partition waits for it.
COUNTED_POSITIONS: Final = 1_000


class TopicInfo(NamedTuple):
    """A topic: its last position, its subscribed connections, and when it began (Unix ms)."""

    name: str
    position: int
    subscribers: int
    created_at: int


class TopicEntries(NamedTuple):
    """A page of a topic's entries, and the packed cursors of its neighbours.

    `archived`: the positions of those that Redis does not have any more. `complete` is false when older ones
    are in the archive, which does not answer now.
    """

    items: list[Entry]
    next: bytes | None
    previous: bytes | None
    archived: frozenset[int]
    complete: bool


class Acknowledged(NamedTuple):
    """So many connections acknowledged the positions `after` < p <= `up_to` of a topic's log."""

    log: Log
    after: int
    up_to: int
    connections: int


class Count(NamedTuple):
    """Acknowledgements of one partition, to count in one call. The numbers of a gateway rise."""

    partition: int
    number: int
    items: list[tuple[str, int, int, int]]


class CountTopics(Packed, frozen=True):
    """The request of count_topics.lua."""

    gateway: str
    number: int
    items: list[tuple[str, int, int, int]]


class CountSubscribers(Packed, frozen=True):
    """The request of count_subscribers.lua: connections by the base of a topic."""

    gateway: str
    topics: list[tuple[str, int]]


class Topics:
    """The topics of tenants. A topic begins with its first entry or subscription."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def get(self, tenant: str, topic: str) -> TopicInfo | None:
        """A topic; None when it does not exist."""
        found = await self._described(tenant, [topic])
        return found[0] if found else None

    async def page(self, tenant: str, prefix: str, limit: int, cursor: bytes | None) -> Page[TopicInfo]:
        """The topics of a tenant whose names begin with a text, by name."""
        at = read_cursor(cursor)
        forward = at is None or at.forward
        # No byte of a name is above the last one of these ends.
        low, high = f"[{prefix}" if prefix else "-", f"({prefix}\x7f"
        if at is not None and forward:
            low = f"({at.edge}"
        elif at is not None:
            high = f"({at.edge}"
        range_ = (low, high, "BYLEX") if forward else (high, low, "BYLEX", "REV")
        parts = await asyncio.gather(
            *(
                self._core.call("ZRANGE", tenant_topics(partition, tenant), *range_, "LIMIT", 0, limit + 1)
                for partition in range(self._core.partitions)
            )
        )
        names = sorted((text(name) for part in parts for name in part), reverse=not forward)[: limit + 1]
        page = page_of(names, names, at, limit)
        return Page(await self._described(tenant, page.items), page.next, page.previous)

    async def entries(
        self, tenant: str, topic: str, limit: int, cursor: bytes | None, *, only_live: bool = False
    ) -> TopicEntries:
        """The entries of a topic that have not expired, newest first; empty for an unknown topic.

        Older ones are in the archive, unless the list is to have `only_live` ones. All entries of a topic are
        kept for the same time.
        """
        at = read_cursor(cursor)
        forward = at is None or at.forward
        log = self._core.keys.topic(tenant, topic)
        found: list[Entry] = []
        bounds = [0, END]
        if at is not None:
            bounds = [0, int(at.edge) - 1] if forward else [int(at.edge), END]
        now, first = milliseconds(), bounds
        while len(found) <= limit and bounds[0] < bounds[1]:
            wanted = limit + 1 - len(found)
            (part,) = await read(
                self._core, log.partition, [Part(log.base, bounds, wanted, newest_first=forward)]
            )
            found += [entry for entry in part.entries if not entry.expires or entry.expires > now]
            if len(part.entries) < wanted:
                break
            last = part.entries[-1].position
            bounds = [bounds[0], last - 1] if forward else [last, bounds[1]]
        past, complete = (
            ([], True) if only_live else await self._past(log, first, limit + 1, found, now, forward=forward)
        )
        live = {entry.position for entry in found}
        found += [entry for entry in past if entry.position not in live]
        found.sort(key=attrgetter("position"), reverse=forward)
        del found[limit + 1 :]
        page = page_of(found, [str(entry.position) for entry in found], at, limit)
        archived = frozenset(entry.position for entry in page.items if entry.position not in live)
        return TopicEntries(page.items, page.next, page.previous, archived, complete)

    async def _past(
        self, log: Log, bounds: Bounds, wanted: int, live: Sequence[Entry], now: int, *, forward: bool
    ) -> tuple[list[Entry], bool]:
        """The archived entries of a page, and whether the archive answered."""
        archive = self._core.history_of(log.tenant)
        if archive is None or (forward and len(live) == wanted) or bounds[0] >= bounds[1]:
            return [], True
        if not await newest_archived(self._core, log.tenant, [log.partition]):
            return [], True
        under_way = await batches_under_way(self._core, [log.partition])
        positions = intervals.minus(bounds, under_way.get(log.base, []))
        # Without the tolerance of inboxes: an entry of a topic may be archived after a second.
        part = LogPart(
            log=log.base,
            positions=positions,
            limit=wanted,
            newest_first=forward,
            since=self._core.began,
        )
        try:
            (items,) = await archive.read(log.tenant, [part], now)
        except ArchiveError:
            return [], False
        return [entry_of_past(item) for item in items], True

    async def count(self, gateway: str, count: Count) -> None:
        """Count acknowledgements of connections, at the topics' entries that are still there.

        It may be repeated. The counts of a gateway in one partition are made one after another, in the
        order of their numbers.
        """
        request = CountTopics(gateway, count.number, count.items)
        await self._core.run("count_topics", count.partition, pack(request))

    async def count_subscribers(self, gateway: str, connections: Mapping[Log, int]) -> None:
        """Set how many connections of a gateway are subscribed to topics."""
        parts: dict[int, list[tuple[str, int]]] = {}
        for log, number in connections.items():
            parts.setdefault(log.partition, []).append((log.base, number))
        await asyncio.gather(
            *(
                self._core.run("count_subscribers", partition, pack(CountSubscribers(gateway, topics)))
                for partition, topics in parts.items()
            )
        )

    async def _described(self, tenant: str, names: Sequence[str]) -> list[TopicInfo]:
        """The topics of these names, in their order, without those that do not exist."""
        parts: dict[int, list[Log]] = {}
        for name in names:
            log = self._core.keys.topic(tenant, name)
            parts.setdefault(log.partition, []).append(log)
        answers: list[Any] = await asyncio.gather(
            *(
                self._core.run("topics", partition, pack([log.base for log in logs]))
                for partition, logs in parts.items()
            )
        )
        found = {
            log.topic: row
            for logs, rows in zip(parts.values(), answers, strict=True)
            for log, row in zip(logs, rows, strict=True)
            if row
        }
        return [
            TopicInfo(name, int(row[0]), int(row[2]), int(row[1]))
            for name in names
            if (row := found.get(name))
        ]


def counts(acknowledged: Iterable[Acknowledged], number: int) -> list[Count]:
    """The calls that count these acknowledgements, numbered from `number` on.

    Each counts at most COUNTED_POSITIONS.
    """
    parts: dict[int, list[list[tuple[str, int, int, int]]]] = {}
    room: dict[int, int] = {}
    for log, after, up_to, connections in acknowledged:
        calls = parts.setdefault(log.partition, [])
        start = after
        while start < up_to:
            if not room.get(log.partition):
                calls.append([])
                room[log.partition] = COUNTED_POSITIONS
            end = min(up_to, start + room[log.partition])
            calls[-1].append((log.base, start, end, connections))
            room[log.partition] -= end - start
            start = end
    found = [(partition, items) for partition, calls in parts.items() for items in calls]
    return [Count(partition, number + index, items) for index, (partition, items) in enumerate(found)]
