"""Pages of a user's inbox: the own log, the logs of groups while a member, and the log of all, newest first.

The logs are merged by the time of acceptance, which is in the ids, and within a millisecond by the names of
the logs. Each log keeps its own order. A cursor is a boundary through all logs: entries below it are older,
the others newer. So pages do not shift when new entries arrive.
"""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from tidings.protocol.frames import Counts
from tidings.protocol.rest import InboxState
from tidings_workers.store import intervals
from tidings_workers.store.core import Core
from tidings_workers.store.entries import Entry, id_of
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.keys import Log
from tidings_workers.store.listing import (
    Boundary,
    InboxQuery,
    candidates_of,
    first_entries,
    listed_positions,
)
from tidings_workers.store.log_walks import accepted_at
from tidings_workers.store.packing import pack
from tidings_workers.store.snoozes import read_snoozes
from tidings_workers.store.state import KINDS, LogState, field
from tidings_workers.store.surveys import First, Listing, inbox_counts, look
from tidings_workers.store.uses import Use, read_uses
from tidings_workers.store.view import Share, View


class InboxItem(Struct, frozen=True):
    """One item: the log as the user names it, its position, the notification's JSON, and its state.

    `state` is the furthest of unseen, seen and read, or archived; times are Unix ms. `used` is the
    action that the user used. `snoozed_until`: until then the user hides it.
    """

    log: str
    position: int
    content: bytes
    state: InboxState
    seen_at: int | None
    read_at: int | None
    archived_at: int | None
    used: Use | None = None
    snoozed_until: int | None = None


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


class Inbox:
    """Pages of users' inboxes."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def page(self, tenant: str, user: str, query: InboxQuery, cursor: bytes | None = None) -> InboxPage:
        """A page of the entries that the user may see now, as the query narrows them."""
        core = self._core
        own = core.keys.user(tenant, user)
        boundary = msgspec.msgpack.decode(cursor, type=Boundary) if cursor is not None else None
        forward = boundary is None or boundary.forward
        edge = boundary.edge if boundary else ""
        wanted = query.limit + 1

        async def choose(view: View, shares: Sequence[Share]) -> Listing:
            listed = await listed_positions(core, query, boundary, view, shares)
            # Of many logs, most have nothing that is new enough for the page.
            first: First = "" if len(shares) <= 2 * wanted else "newest" if forward else "oldest"
            return Listing(listed, first, query.category or "")

        view, shares, listing, found, counts = await look(
            core, tenant, user, by_category=query.by_category, choose=choose
        )
        ends = {
            share.log.name: intervals.last(share.spans, known.head)
            for share, known in zip(shares, found.logs, strict=True)
        }
        start = boundary.below if boundary else {name: position + 1 for name, position in ends.items()}
        now = milliseconds()

        def keep(log: Log, entry: Entry) -> bool:
            return (
                entry.visible_to(user, now)
                # If the boundary has a position for the log, the position decides: a copy may have an older
                # id than the entries before it.
                and (log.name in start or id_of(entry.content) > edge)
                and (query.after is None or accepted_at(entry) > query.after)
                and (query.before is None or accepted_at(entry) < query.before)
            )

        candidates = candidates_of(shares, listing.positions, found.logs, timed=listing.first != "")
        taken = await first_entries(
            core, candidates, wanted, keep, newest_first=forward, category=listing.category
        )
        more = len(taken) > query.limit
        del taken[query.limit :]
        reached = dict(start)
        for log, entry in taken:
            reached[log.name] = entry.position if forward else entry.position + 1
        last = id_of(taken[-1][1].content) if taken else edge
        if forward:
            older = pack(Boundary(forward=True, edge=last, below=reached)) if more else None
            newer = (
                pack(Boundary(forward=False, edge=edge or last, below=start)) if boundary and taken else None
            )
        else:
            taken.reverse()
            older = pack(Boundary(forward=True, edge=edge, below=start)) if taken else None
            newer = pack(Boundary(forward=False, edge=last, below=reached)) if more else None
        items = await self._items(own, view, taken)
        return InboxPage(items, older, newer, counts, ends, view.version)

    async def counts(self, tenant: str, user: str, *, by_category: bool = False) -> Counts:
        """The counts of a user's inbox now."""
        return await inbox_counts(self._core, tenant, user, by_category=by_category)

    async def _items(self, own: Log, view: View, found: list[tuple[Log, Entry]]) -> list[InboxItem]:
        """Items with their state, their single times (see state.py), and the actions that were used."""
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
        uses = await self._uses(own, view, by_log)
        snoozed = [
            (base, position)
            for base, positions in by_log.items()
            if (bounds := view.states[base].snoozed)
            for position in positions
            if intervals.contains(bounds, position)
        ]
        snoozes = await read_snoozes(self._core, own, snoozed)
        kept: dict[tuple[str, int], list[int | None]] = {}
        for (base, positions), reply in zip(by_log.items(), replies, strict=True):
            times = [int(value) if value is not None else None for value in reply]
            for index, position in enumerate(positions):
                kept[base, position] = times[3 * index : 3 * index + 3]
        return [
            _item(
                log,
                entry,
                view.states.get(log.base),
                kept.get((log.base, entry.position)),
                uses.get((log.base, entry.position)),
                snoozes.get((log.base, entry.position)),
            )
            for log, entry in found
        ]

    async def _uses(
        self, own: Log, view: View, by_log: Mapping[str, Sequence[int]]
    ) -> dict[tuple[str, int], Use]:
        """The actions that the user used at some of these positions of logs."""
        acted = {
            base: [each for each in positions if intervals.contains(view.states[base].acted, each)]
            for base, positions in by_log.items()
            if view.states[base].acted
        }
        replies = await asyncio.gather(
            *(read_uses(self._core, own, base, positions) for base, positions in acted.items())
        )
        return {
            (base, position): use
            for base, reply in zip(acted, replies, strict=True)
            for position, use in reply.items()
        }


def _item(
    log: Log,
    entry: Entry,
    state: LogState | None,
    kept: list[int | None] | None,
    used: Use | None,
    until: int | None,
) -> InboxItem:
    if state is None or kept is None:
        return InboxItem(log.name, entry.position, entry.content, "unseen", None, None, None)
    seen_at, read_at, archived_at = (
        state.time(kind, entry.position, time) for kind, time in zip(KINDS, kept, strict=True)
    )
    name: InboxState = "unseen" if seen_at is None else "seen" if read_at is None else "read"
    if archived_at is not None:
        name = "archived"
    return InboxItem(
        log.name, entry.position, entry.content, name, seen_at, read_at, archived_at, used, until
    )
