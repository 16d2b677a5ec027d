"""Pages of a user's inbox: the own log, the logs of groups while a member, and the log of all, newest first.

The logs are merged by the time of acceptance, which is in the ids, and within a millisecond by the names of
the logs. Each log keeps its own order. A cursor is a boundary through all logs: entries below it are older,
the others newer. So pages do not shift when new entries arrive.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from tidings.protocol.frames import Counts
from tidings.protocol.rest import InboxState, StateFilter
from tidings_workers.store import intervals
from tidings_workers.store.core import Core
from tidings_workers.store.entries import END, Entry, id_of
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Log
from tidings_workers.store.log_walks import LogWalk, accepted_at, merge
from tidings_workers.store.packing import pack
from tidings_workers.store.state import KINDS, LogState, field
from tidings_workers.store.surveys import inbox_counts, look
from tidings_workers.store.view import View

# A copy may be stored after notifications that were accepted later; by more than this only after an outage.
_LATE_MS: Final = 3_600_000


class InboxItem(Struct, frozen=True):
    """One item: the log as the user names it, its position, the notification's JSON, and its state.

    `state` is the furthest of unseen, seen and read, or archived; times are Unix ms.
    """

    log: str
    position: int
    content: bytes
    state: InboxState
    seen_at: int | None
    read_at: int | None
    archived_at: int | None


class InboxQuery(Struct, frozen=True, kw_only=True):
    """The entries of an inbox to list. `after` and `before` are in Unix ms, both exclusive.

    `category` is exact, or a prefix that ends in a dot; `log` is the name that the user sees. Without a
    `state` all entries that are not archived; `unseen` and `unread` are a part of these.
    """

    limit: int
    state: StateFilter | None = None
    category: str | None = None
    log: str | None = None
    after: int | None = None
    before: int | None = None
    by_category: bool = False


class InboxPage(Struct, frozen=True):
    """A page, newest first, with the counts and the values for `resume`.

    `positions` are the ends of the user's logs when they were read. `state_version` is the last change of
    state that the items include.
    """

    items: list[InboxItem]
    next: bytes | None
    previous: bytes | None
    counts: Counts
    positions: dict[str, int]
    state_version: int


class _Boundary(Struct, array_like=True, frozen=True):
    """Items below these positions are older, the others newer. `edge`: an id, for logs without a position."""

    forward: bool
    edge: str
    below: dict[str, int]


class Inbox:
    """Pages of users' inboxes."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def page(self, tenant: str, user: str, query: InboxQuery, cursor: bytes | None = None) -> InboxPage:
        """A page of the entries that the user may see now, as the query narrows them."""
        core = self._core
        own = core.keys.user(tenant, user)
        view, logs, found, counts = await look(core, tenant, user, by_category=query.by_category)
        ends = {log.name: intervals.last(view.spans(log), found[base].head) for base, log in logs.items()}

        boundary = msgspec.msgpack.decode(cursor, type=_Boundary) if cursor is not None else None
        forward = boundary is None or boundary.forward
        edge = boundary.edge if boundary else ""
        start = boundary.below if boundary else {name: position + 1 for name, position in ends.items()}
        chosen = [
            log
            for log in logs.values()
            if query.log in {None, log.name} and (log.name in start or not forward)
        ]
        positions = {
            log.base: _clip(_listed(view, log, query.state), start.get(log.name), forward=forward)
            for log in chosen
        }
        await self._narrow(positions, chosen, query)
        walks = [
            LogWalk(log, positions[log.base], query.category or "", newest_first=forward)
            for log in sorted(chosen, key=lambda log: log.name)
        ]
        now = milliseconds()

        def keep(walk: LogWalk, entry: Entry) -> bool:
            return (
                entry.visible_to(user, now)
                # If the boundary has a position for the log, the position decides: a copy may have an older
                # id than the entries before it.
                and (walk.log.name in start or id_of(entry.content) > edge)
                and (query.after is None or accepted_at(entry) > query.after)
                and (query.before is None or accepted_at(entry) < query.before)
            )

        taken = await merge(core, walks, query.limit + 1, keep)
        more = len(taken) > query.limit
        del taken[query.limit :]
        reached = dict(start)
        for walk, entry in taken:
            reached[walk.log.name] = entry.position if forward else entry.position + 1
        last = id_of(taken[-1][1].content) if taken else edge
        if forward:
            older = pack(_Boundary(forward=True, edge=last, below=reached)) if more else None
            newer = (
                pack(_Boundary(forward=False, edge=edge or last, below=start)) if boundary and taken else None
            )
        else:
            taken.reverse()
            older = pack(_Boundary(forward=True, edge=edge, below=start)) if taken else None
            newer = pack(_Boundary(forward=False, edge=last, below=reached)) if more else None
        items = await self._items(own, view, [(walk.log, entry) for walk, entry in taken])
        return InboxPage(items, older, newer, counts, ends, view.version)

    async def counts(self, tenant: str, user: str, *, by_category: bool = False) -> Counts:
        """The counts of a user's inbox now."""
        return await inbox_counts(self._core, tenant, user, by_category=by_category)

    async def _narrow(self, positions: dict[str, Bounds], logs: Iterable[Log], query: InboxQuery) -> None:
        """Keep only the positions (by base) that may have been accepted in the time of the query."""
        if query.after is None and query.before is None:
            return
        moments = [
            (query.after - _LATE_MS) if query.after is not None else 0,
            (query.before + _LATE_MS) if query.before is not None else END,
        ]

        async def of_log(log: Log) -> None:
            low, high = await self._core.run(
                "seek", log.partition, pack([[log.base, moment] for moment in moments])
            )
            between = [low - 1, high - 1] if low < high else []
            positions[log.base] = intervals.common(positions[log.base], between)

        await asyncio.gather(*map(of_log, logs))

    async def _items(self, own: Log, view: View, found: list[tuple[Log, Entry]]) -> list[InboxItem]:
        """Items with their state, and their single times (see state.py)."""
        marked = [(log, entry.position) for log, entry in found if log.base in view.states]
        by_log: dict[str, list[int]] = {}
        for log, position in marked:
            by_log.setdefault(log.base, []).append(position)
        replies = await asyncio.gather(
            *(
                self._core.call(
                    "HMGET",
                    own.key("times", base),
                    *(field(kind, position) for position in positions for kind in KINDS),
                )
                for base, positions in by_log.items()
            )
        )
        kept: dict[tuple[str, int], list[int | None]] = {}
        for (base, positions), reply in zip(by_log.items(), replies, strict=True):
            times = [int(value) if value is not None else None for value in reply]
            for index, position in enumerate(positions):
                kept[base, position] = times[3 * index : 3 * index + 3]
        return [
            _item(log, entry, view.states.get(log.base), kept.get((log.base, entry.position)))
            for log, entry in found
        ]


def _item(log: Log, entry: Entry, state: LogState | None, kept: list[int | None] | None) -> InboxItem:
    if state is None or kept is None:
        return InboxItem(log.name, entry.position, entry.content, "unseen", None, None, None)
    seen_at, read_at, archived_at = (
        state.time(kind, entry.position, time) for kind, time in zip(KINDS, kept, strict=True)
    )
    name: InboxState = "unseen" if seen_at is None else "seen" if read_at is None else "read"
    if archived_at is not None:
        name = "archived"
    return InboxItem(log.name, entry.position, entry.content, name, seen_at, read_at, archived_at)


def _listed(view: View, log: Log, state: StateFilter | None) -> Bounds:
    """The visible positions of a log that are in a state."""
    visible, known = view.visible(log), view.states.get(log.base) or LogState()
    match state:
        case None:
            return intervals.minus(visible, known.archived)
        case "archived":
            return intervals.common(visible, known.archived)
        case "unseen":
            return intervals.minus(visible, known.settled("seen"))
        case "unread":
            return intervals.minus(visible, known.settled("read"))
        case "seen" | "read":
            return intervals.minus(intervals.common(visible, known.having(state)), known.archived)


def _clip(positions: Bounds, boundary: int | None, *, forward: bool) -> Bounds:
    """The positions below the boundary (forward: older) or from it on."""
    if boundary is None:
        return positions
    below = intervals.up_to(boundary - 1)
    return intervals.common(positions, below) if forward else intervals.minus(positions, below)
