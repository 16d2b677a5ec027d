"""Listing: the first and the last page of a full inbox, merged over all logs of the user."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from bench.inbox.calls import timed
from bench.inbox.world import PREFIX, RARE
from bench.measurement import Measurement
from bench.server import Server
from bench.websocket import Unexpected
from tidings_workers.store import InboxQuery, Store

_LIMIT: Final = 50
_WALKING: Final = 200

FIRST: Final = "list, first page"
LAST: Final = "list, last page"

_QUERIES: Final = {
    "": InboxQuery(limit=_LIMIT),
    " of unread": InboxQuery(limit=_LIMIT, state="unread"),
    " of a rare category": InboxQuery(limit=_LIMIT, category=RARE),
    " of a prefix of categories": InboxQuery(limit=_LIMIT, category=PREFIX),
}


async def lists(
    store: Store, running: Server, user: str, items: int, unread: int, calls: int
) -> Sequence[Measurement]:
    """List an inbox with `items`, of which `unread` are unread, by all filters."""
    measured = []
    expected = {"": items, " of unread": unread}
    for what, query in _QUERIES.items():
        cursor, found = await _last(store, running.tenant, user, query)
        if expected.get(what, found) != found:
            raise Unexpected(f"a list{what} of {expected[what]:,} items had {found:,}")
        for name, at in ((FIRST, None), (LAST, cursor)):
            call = partial(store.inbox.page, running.tenant, user, query, at)
            measured.append(await timed(name + what, running, [call] * calls, items=found))
    return measured


async def _last(store: Store, tenant: str, user: str, query: InboxQuery) -> tuple[bytes | None, int]:
    """The cursor of the last full page, and the number of items of the whole list."""
    walking = msgspec.structs.replace(query, limit=_WALKING)
    cursor: bytes | None = None
    last, found = cursor, 0
    while True:
        page = await store.inbox.page(tenant, user, walking, cursor)
        found += len(page.items)
        if len(page.items) >= _LIMIT:
            last = cursor
        if page.next is None:
            return last, found
        cursor = page.next
