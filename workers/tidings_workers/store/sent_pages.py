"""Pages of what a tenant has sent, newest first: from the lists in Redis, then from the archive.

The sweep notes in `archived/<tenant>` up to when it has removed sends from the list of a partition. A page
that ends later needs no archive. Otherwise the archive is one more list to merge; a send that both have is
taken once.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from tidings_workers.archive import ArchiveError, SentQuery
from tidings_workers.store.core import Core
from tidings_workers.store.entries import category_matches
from tidings_workers.store.ids import milliseconds_of_id
from tidings_workers.store.keys import archived
from tidings_workers.store.merging import Merge
from tidings_workers.store.packing import pack
from tidings_workers.store.past_sends import PastSends, past_notification
from tidings_workers.store.records import StoredNotification, read_notification
from tidings_workers.store.sent import Edge, SentWalk

# The most entries that one page reads. With a rare category it returns the matches up to there.
_SCANNED: Final = 20_000


class SentNotifications(Struct, frozen=True):
    """A page of sends, and the packed cursors of its neighbours.

    `complete` is false when older sends are in the archive, which does not answer now.
    """

    items: list[StoredNotification]
    next: bytes | None
    previous: bytes | None
    complete: bool = True


class _Walked(NamedTuple):
    """The ids of a page in its direction, whether more follow, and the boundaries before and after it."""

    ids: list[str]
    more: bool
    start: Edge
    reached: Edge
    past: Mapping[str, StoredNotification]


class SentPages:
    """The pages of one list."""

    def __init__(self, core: Core, query: SentQuery) -> None:
        self._core = core
        self._query = query
        self._tenant = query.tenant

    async def page(self, cursor: bytes | None) -> SentNotifications:
        """The page of a cursor, the first one without it."""
        edge = msgspec.msgpack.decode(cursor, type=Edge) if cursor is not None else None
        forward = edge is None or edge.forward
        walked, complete = await self._walk(edge, None), True
        archive = self._core.history_of(self._tenant)
        if archive is not None and await self._may_continue(walked, edge):
            boundary = int(edge.past, 16) if edge is not None and edge.past else None
            past = PastSends(archive, self._query, boundary, forward=forward)
            try:
                walked = await self._walk(edge, past)
            except ArchiveError:
                complete = False
        found = await asyncio.gather(*(self._stored(each, walked.past) for each in walked.ids))
        # Retention may remove a record before its entry in the list.
        items = [stored for stored in found if isinstance(stored, StoredNotification)]
        complete = complete and not any(stored is _AWAY for stored in found)
        if forward:
            older = pack(_towards(walked.reached, forward=True)) if walked.more else None
            newer = pack(_towards(walked.start, forward=False)) if edge is not None and items else None
            return SentNotifications(items, older, newer, complete)
        older = pack(_towards(walked.start, forward=True)) if items else None
        newer = pack(_towards(walked.reached, forward=False)) if walked.more else None
        return SentNotifications(items[::-1], older, newer, complete)

    async def _may_continue(self, walked: _Walked, edge: Edge | None) -> bool:
        """Whether the archive may have sends of the page that the lists in Redis have no more."""
        found = await asyncio.gather(
            *(
                self._core.call("HGET", archived(partition, self._tenant), "sent")
                for partition in range(self._core.partitions)
            )
        )
        newest = max((int(at) for at in found if at is not None), default=0)
        if not newest or (self._query.since is not None and self._query.since > newest):
            return False
        if edge is not None and not edge.forward:
            return not edge.past or int(edge.past, 16) >> 80 <= newest
        return not walked.more or not walked.ids or milliseconds_of_id(walked.ids[-1]) <= newest

    async def _walk(self, edge: Edge | None, past: PastSends | None) -> _Walked:
        """Walk to the end of the page. Raises ArchiveError."""
        forward = edge is None or edge.forward
        lists = [
            SentWalk(self._core, self._tenant, partition, edge) for partition in range(self._core.partitions)
        ]
        walks: list[SentWalk | PastSends] = [*lists, *([past] if past is not None else [])]
        merged = Merge(walks, _refill, newest_first=forward)
        walk = await merged.first()
        start = Edge(forward, {each.partition: each.boundary for each in lists}, edge.past if edge else "")
        taken: dict[str, None] = {}
        scanned = 0
        paused = past.paused_at if past is not None else None
        while walk is not None and paused is None:
            category, at = self._query.category, (walk.peek() or 0) >> 80
            if self._is_past_end(at, forward=forward):
                walk = None
                break
            matches = (not category or category_matches(category, walk.category)) and self._contains(at)
            known = walk.next_id in taken
            if scanned == _SCANNED or (matches and not known and len(taken) == self._query.limit):
                break
            scanned += 1
            notification_id = walk.take()
            if matches:
                taken[notification_id] = None
            walk = await merged.first()
            paused = past.paused_at if past is not None else None
        below = {each.partition: each.boundary for each in lists}
        ids = list(taken)
        if paused is not None:
            end = f"{paused:032x}"
        else:
            end = _digits(ids[-1], forward=forward) if ids else start.past
        more = walk is not None or paused is not None
        return _Walked(ids, more, start, Edge(forward, below, end), past.rows if past is not None else {})

    def _contains(self, at: int) -> bool:
        since, until = self._query.since, self._query.until
        return (since is None or at >= since) and (until is None or at < until)

    def _is_past_end(self, at: int, *, forward: bool) -> bool:
        """Whether no further send of the walk is in the period."""
        since, until = self._query.since, self._query.until
        if forward:
            return since is not None and at < since
        return until is not None and at >= until

    async def _stored(
        self, notification_id: str, past: Mapping[str, StoredNotification]
    ) -> StoredNotification | object | None:
        """A notification of the page; None when it is gone, `_AWAY` when the archive does not answer."""
        stored = await read_notification(self._core, self._tenant, notification_id)
        if stored is not None:
            return stored
        if notification_id in past:
            return past[notification_id]
        try:
            return await past_notification(self._core, self._tenant, notification_id)
        except ArchiveError:
            return _AWAY


_AWAY: Final = object()


def _towards(edge: Edge, *, forward: bool) -> Edge:
    return Edge(forward, edge.below, edge.past)


def _digits(notification_id: str, *, forward: bool) -> str:
    """The boundary of the archive behind an id: below it are the older ones, from it on the newer ones."""
    return f"{int(notification_id.replace('-', ''), 16) + (not forward):032x}"


async def _refill(walks: Sequence[SentWalk | PastSends]) -> None:
    await asyncio.gather(*(walk.read() for walk in walks))
