"""Pages of a user's inbox: the own log, the logs of groups while a member, and the log of all, newest first.

The logs are merged by the time of acceptance, which is in the ids, and within a millisecond by the names of
the logs. Each log keeps its own order. A cursor is a boundary through all logs: entries below it are older,
the others newer. So pages do not shift when new entries arrive.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from tidings.protocol.frames import Counts
from tidings_workers.archive import ArchiveError
from tidings_workers.store import intervals
from tidings_workers.store.core import Core
from tidings_workers.store.entries import Entry, id_of
from tidings_workers.store.frozen_states import NO_SEGMENTS
from tidings_workers.store.history import Row, joined, may_continue, newest_archived, past_ids, past_rows
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.inbox_items import InboxItem, items_of
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
from tidings_workers.store.surveys import First, Listing, inbox_counts, look, read_view
from tidings_workers.store.view import Share, View

# How often a page is read while its entries move into the archive.
_TRIES: Final = 10
# Of how many ids an error says that they are in the archive.
_LOOKED_UP: Final = 5


class InboxPage(Struct, frozen=True):
    """A page, newest first, with the counts and the values for `resume`.

    `positions` are the ends of the user's logs when they were read. `state_version` is the last change of
    state that the items include. `complete` is false when older items are in the archive, which does not
    answer now.
    """

    items: list[InboxItem]
    next: bytes | None
    previous: bytes | None
    counts: Counts
    positions: dict[str, int]
    state_version: int
    complete: bool = True


class Inbox:
    """Pages of users' inboxes."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def page(self, tenant: str, user: str, query: InboxQuery, cursor: bytes | None = None) -> InboxPage:
        """A page of the entries that the user may see now, as the query narrows them."""
        tries = _TRIES if self._core.archive is not None else 1
        while True:
            tries -= 1
            page = await self._page(tenant, user, query, cursor, strict=tries > 0)
            if page is not None:
                return page

    async def _page(
        self, tenant: str, user: str, query: InboxQuery, cursor: bytes | None, *, strict: bool
    ) -> InboxPage | None:
        """The page; None, if `strict`, when it has to be read again."""
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
        rows, segments = [Row(log, entry) for log, entry in taken], NO_SEGMENTS
        archive, complete = None if query.only_live else core.history_of(tenant), True
        if archive is not None:
            newest = await newest_archived(core, tenant, {share.log.partition for share in shares})
            if may_continue(newest, taken, wanted, query, boundary):
                places = [(share, known.head) for share, known in zip(shares, found.logs, strict=True)]
                try:
                    past = await past_rows(
                        core, archive, own, view, places, query, boundary, wanted, keep, now
                    )
                except ArchiveError:
                    complete = False
                else:
                    rows = joined(rows, past.rows, newest_first=forward)
                    segments = past.segments
        more = len(rows) > query.limit
        del rows[query.limit :]
        reached = dict(start)
        for log, entry, _ in rows:
            reached[log.name] = entry.position if forward else entry.position + 1
        last = id_of(rows[-1].entry.content) if rows else edge
        if forward:
            older = pack(Boundary(forward=True, edge=last, below=reached)) if more else None
            newer = (
                pack(Boundary(forward=False, edge=edge or last, below=start)) if boundary and rows else None
            )
        else:
            rows.reverse()
            older = pack(Boundary(forward=True, edge=edge, below=start)) if rows else None
            newer = pack(Boundary(forward=False, edge=last, below=reached)) if more else None
        items = await items_of(core, own, view, rows, segments, strict=strict)
        if items is None:
            return None
        return InboxPage(items, older, newer, counts, ends, view.version, complete)

    async def in_history(self, tenant: str, user: str, ids: Sequence[str]) -> list[str]:
        """Those of the first few ids whose notifications are in the user's inbox, but only in the archive.

        Raises ArchiveError.
        """
        archive = self._core.history_of(tenant)
        if archive is None:
            return []
        own = self._core.keys.user(tenant, user)
        view = await read_view(self._core, own)
        shares = view.shares(self._core.keys, tenant, user).values()
        if not await newest_archived(self._core, tenant, {share.log.partition for share in shares}):
            return []
        return await past_ids(self._core, archive, user, list(shares), ids[:_LOOKED_UP], milliseconds())

    async def counts(self, tenant: str, user: str, *, by_category: bool = False) -> Counts:
        """The counts of a user's inbox now."""
        return await inbox_counts(self._core, tenant, user, by_category=by_category)
