"""The part of an inbox that is in the archive, and the seam between it and Redis.

Redis is read first, then the archive. An entry leaves Redis only after the archive has it, so an entry that
the first read did not find is found by the second. An entry that both have is taken from Redis. An entry of a
batch that is under way, which Redis does not have, was recalled: it is not shown.

An emptied store numbers its entries from 1 again. Archived entries from before belong to logs with other
members, so lists do not show them.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from tidings_workers.archive import Archive, ArchivedEntry, ArchivedItem, ArchivedState, LogPart
from tidings_workers.store import intervals
from tidings_workers.store.batches import parse_batch
from tidings_workers.store.core import Core
from tidings_workers.store.entries import Entry
from tidings_workers.store.frozen_states import Segments, with_segments
from tidings_workers.store.ids import milliseconds_of_id, partition_of_id
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Log, archived, archiving
from tidings_workers.store.listing import LATE_MS, Boundary, InboxQuery, in_state, selected
from tidings_workers.store.log_walks import Keep, LogWalk, accepted_at, merge_of
from tidings_workers.store.view import Share, View

# The most entries of one log that were accepted within one millisecond.
_SAME_TIME: Final = 1_000


class Row(NamedTuple):
    """An entry of a list. `past`: what the archive has of it; None for an entry in Redis."""

    log: Log
    entry: Entry
    past: ArchivedEntry | None = None


class Past(NamedTuple):
    """Rows from the archive, in the order of the page, and the segments of the user's states."""

    rows: list[Row]
    segments: Segments


async def newest_archived(core: Core, tenant: str, partitions: Iterable[int]) -> int:
    """When the newest archived entry of these partitions was accepted (ms); 0 when there is none.

    Read it after the entries: one that left Redis in between is counted.
    """
    found = await asyncio.gather(
        *(core.call("HGET", archived(partition, tenant), "newest") for partition in set(partitions))
    )
    return max((int(newest) for newest in found if newest is not None), default=0)


def may_continue(
    newest: int, live: Sequence[tuple[Log, Entry]], wanted: int, query: InboxQuery, boundary: Boundary | None
) -> bool:
    """Whether a page may have entries of the archive, whose newest was accepted at `newest`.

    `live` are the entries of Redis on the page, in its direction.
    """
    if not newest or query.state == "snoozed" or (query.after is not None and query.after >= newest):
        return False
    if boundary is None or boundary.forward:
        return len(live) < wanted or accepted_at(live[-1][1]) <= newest
    return not boundary.edge or milliseconds_of_id(boundary.edge) <= newest + LATE_MS


async def past_rows(
    core: Core,
    archive: Archive,
    user: Log,
    view: View,
    places: Sequence[tuple[Share, int]],
    query: InboxQuery,
    boundary: Boundary | None,
    wanted: int,
    keep: Keep,
    now: int,
) -> Past:
    """Up to `wanted` archived entries of a page. `places`: the share of the user in each log, and its head.

    Raises ArchiveError.
    """
    partitions = {share.log.partition for share, _ in places}
    under_way = await batches_under_way(core, partitions)
    name = user.base.rpartition("/")[2]
    shared = {
        share.log.base: intervals.up_to(head) for share, head in places if not share.log.is_own and head
    }
    known = await archive.states(user.tenant, name, shared) if shared else {}
    segments = {
        base: [segment for segment in some if segment.saved_at >= core.began] for base, some in known.items()
    }
    states = with_segments(view.states, segments)
    walks = []
    for share, head in sorted(places, key=lambda place: place[0].log.name):
        log = share.log
        listed = share.visible if log.is_own else in_state(share.visible, states.get(log.base), query.state)
        listed = selected(intervals.below(listed, head), log.name, query.log, boundary)
        listed = intervals.minus(listed, under_way.get(log.base, []))
        if listed:
            forward = boundary is None or boundary.forward
            walks.append(ArchiveWalk(log, listed, query, shown_since(core, log, now), newest_first=forward))
    found = await merge_of(walks, wanted, keep, partial(_read, archive, user.tenant, now))
    past = {walk.log.base: walk.past for walk in walks}
    return Past([Row(log, entry, past[log.base][entry.position]) for log, entry in found], segments)


def shown_since(core: Core, log: Log, now: int) -> int:
    """The acceptance (ms) from which on users see archived entries of a log.

    Older ones are of a former epoch, or sends to all from before the time for which the tenant shows them.
    """
    lookback = core.policies.rules(log.tenant).lookback if log.name == "all" else None
    return max(core.history_since, 0 if lookback is None else now - lookback)


async def past_ids(
    core: Core, archive: Archive, user: str, shares: Sequence[Share], ids: Sequence[str], now: int
) -> list[str]:
    """Those of these ids that the archive has at positions which the user may see. Raises ArchiveError."""
    found = []
    for notification_id in ids:
        if partition_of_id(notification_id) is None:
            continue
        at = milliseconds_of_id(notification_id)
        parts = [
            LogPart(log=share.log.base, positions=share.visible, limit=_SAME_TIME, since=at, until=at + 1)
            for share in shares
            if at >= shown_since(core, share.log, now)
        ]
        if not parts:
            continue
        answer = await archive.read(shares[0].log.tenant, parts, now)
        entries = [
            entry_of_past(item) for items in answer for item in items if item.entry.id == notification_id
        ]
        if any(entry.visible_to(user, now) for entry in entries):
            found.append(notification_id)
    return found


class ArchiveWalk(LogWalk):
    """Reads the archived entries of one log. `past` has what the archive has of each, by position.

    `since`: as `shown_since`.
    """

    def __init__(
        self, log: Log, positions: Bounds, query: InboxQuery, since: int, *, newest_first: bool
    ) -> None:
        super().__init__(log, positions, query.category or "", newest_first=newest_first)
        self.past: dict[int, ArchivedEntry] = {}
        self._query = query
        self._since = since if query.after is None else max(since, query.after + 1)

    def log_part(self, count: int) -> LogPart:
        """The next part to read, as `LogWalk.part`."""
        part, query = self.part(count), self._query
        return LogPart(
            log=part.base,
            positions=part.positions,
            limit=part.limit,
            newest_first=part.newest_first,
            category=part.category,
            since=self._since,
            until=query.before,
            states=_state_of(query) if self.log.is_own else None,
        )


def _state_of(query: InboxQuery) -> ArchivedState:
    # Nothing in the archive is snoozed, so `may_continue` is false for such a list.
    return "listed" if query.state is None or query.state == "snoozed" else query.state


async def _read(archive: Archive, tenant: str, now: int, walks: Sequence[ArchiveWalk], count: int) -> None:
    """Read the next part of each walk, in one call."""
    parts = [(walk, walk.part(count), walk.log_part(count)) for walk in walks]
    found = await archive.read(tenant, [wanted for _, _, wanted in parts], now)
    for (walk, part, _), items in zip(parts, found, strict=True):
        for item in items:
            walk.past[item.entry.position] = item.entry
        walk.add(part, [entry_of_past(item) for item in items])


def entry_of_past(item: ArchivedItem) -> Entry:
    """An item of the archive as an entry of a log."""
    entry, content = item
    return Entry(entry.position, content, entry.expires, entry.exclude)


async def batches_under_way(core: Core, partitions: Iterable[int]) -> Mapping[str, Bounds]:
    """The positions of the batches that archivers move now in these partitions."""
    found = await asyncio.gather(*(core.call("GET", archiving(partition)) for partition in partitions))
    return {
        base: positions
        for packed in found
        if packed is not None
        for base, positions in parse_batch(packed).positions.items()
    }


def joined(live: Sequence[Row], past: Sequence[Row], *, newest_first: bool) -> list[Row]:
    """The rows of both in one order; of an entry that both have, the row of Redis.

    Within a log the positions decide, and between logs the times of acceptance, as in a page without the
    archive: a late copy does not let another log pass a row of its own.
    """
    direction = -1 if newest_first else 1
    rows = {(row.log.base, row.entry.position): row for row in (*past, *live)}
    by_log: dict[str, deque[Row]] = {}
    for row in sorted(rows.values(), key=lambda row: direction * row.entry.position):
        by_log.setdefault(row.log.base, deque()).append(row)
    heads = list(by_log.values())
    result: list[Row] = []
    while heads:
        first = min(heads, key=lambda head: direction * accepted_at(head[0].entry))
        tied = [head for head in heads if accepted_at(head[0].entry) == accepted_at(first[0].entry)]
        if len(tied) > 1:
            first = (min if newest_first else max)(tied, key=lambda head: head[0].log.name)
        result.append(first.popleft())
        if not first:
            heads.remove(first)
    return result
