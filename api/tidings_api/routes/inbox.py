"""Inboxes: a user's notifications, newest first, for the application and for the user."""

from typing import Annotated, Final

from litestar import Router, get
from litestar.params import QueryParameter
from msgspec import Raw

from tidings.protocol import limits
from tidings.protocol.frames import Counts
from tidings.protocol.rest import InboxItem, InboxPage, StateFilter
from tidings_api.authorisation import needs
from tidings_api.cursors import Cursors
from tidings_api.requests import Caller, Cursor, Limit, OpenStore, UserPath
from tidings_workers.store import Store
from tidings_workers.store import inbox as stored

# Litestar keeps the name `state` for itself.
InState = Annotated[
    StateFilter | None,
    QueryParameter(
        name="state", description="Only notifications in this state; all but archived ones without it."
    ),
]
Category = Annotated[
    str | None,
    QueryParameter(
        min_length=1, max_length=limits.CATEGORY_LENGTH, description="Only notifications of this category."
    ),
]

# States that a notification has before anybody marked it.
_INITIAL: Final = frozenset({None, "unseen", "unread"})


@get("/v1/users/{user:str}/notifications", opt=needs("read"), summary="List a user's inbox")
async def list_inbox(
    user: UserPath,
    identity: Caller,
    store: OpenStore,
    in_state: InState = None,
    category: Category = None,
    limit: Limit = limits.PAGE_DEFAULT,
    cursor: Cursor = None,
) -> InboxPage:
    """The user's inbox, newest first: what was sent to the user, to groups while a member, and to all."""
    return await _page(store, identity.tenant, user, in_state, category, limit, cursor)


@get("/v1/me/notifications", opt=needs("inbox"), summary="List the own inbox")
async def list_own_inbox(
    identity: Caller,
    store: OpenStore,
    in_state: InState = None,
    category: Category = None,
    limit: Limit = limits.PAGE_DEFAULT,
    cursor: Cursor = None,
) -> InboxPage:
    """The inbox of the token's subject, newest first."""
    return await _page(store, identity.tenant, identity.subject, in_state, category, limit, cursor)


routes: Final = Router("/", tags=["Inboxes"], route_handlers=[list_inbox, list_own_inbox])


async def _page(
    store: Store,
    tenant: str,
    user: str,
    state: StateFilter | None,
    category: str | None,
    limit: int,
    cursor: str | None,
) -> InboxPage:
    cursors = Cursors(store, tenant, "inbox", user, state, category)
    page = await store.inbox(tenant, user, limit, cursors.read(cursor), category)
    shown = state in _INITIAL
    return InboxPage(
        items=[_item(item) for item in page.items] if shown else [],
        next=cursors.write(page.next) if shown else None,
        previous=cursors.write(page.previous) if shown else None,
        counts=Counts(unseen=page.total, unread=page.total, version=page.version),
        epoch=store.epoch,
        positions=page.positions,
    )


def _item(item: stored.InboxItem) -> InboxItem:
    return InboxItem(
        log=item.log,
        position=item.position,
        state="unseen",
        seen_at=None,
        read_at=None,
        archived_at=None,
        notification=Raw(item.content),
    )
