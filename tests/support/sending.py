"""Notifications to send, and queries of inboxes."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import pytest

from tidings.protocol.notifications import CreateNotification, Target
from tidings_workers.store import InboxItem, InboxQuery, StorageUnavailable, Store

PATIENCE_SECONDS = 20.0


def notification(
    title: str,
    *,
    users: Sequence[str] = (),
    groups: Sequence[str] = (),
    to_all: bool = False,
    exclude: Sequence[str] = (),
    topics: Sequence[str] = (),
    **fields: Any,
) -> CreateNotification:
    """A notification with a title, to send."""
    target = Target(
        users=tuple(users), groups=tuple(groups), all=to_all, exclude=tuple(exclude), topics=tuple(topics)
    )
    return CreateNotification(to=target, title=title, **fields)


async def contents(store: Store, user: str) -> list[dict[str, Any]]:
    """The contents of the inbox of a user of `demo`, newest first."""
    page = await store.inbox.page("demo", user, InboxQuery(limit=200))
    return [msgspec.json.decode(item.content) for item in page.items]


async def titles(store: Store, user: str) -> list[str]:
    """The titles in the inbox of a user of `demo`, newest first."""
    return [content["title"] for content in await contents(store, user)]


async def eventually(look: Callable[[], Awaitable[Any]], expected: Any) -> None:
    """Repeat `look` until it returns `expected`; after PATIENCE_SECONDS fail with the difference.

    A look that the storage does not answer in time, as on a busy machine, is repeated too.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            seen = await look()
        except StorageUnavailable as error:
            seen = error
        if seen == expected:
            return
        if time.monotonic() > deadline:
            pytest.fail(f"{seen!r} after {PATIENCE_SECONDS:g} s, not {expected!r}")
        await asyncio.sleep(0.01)


async def every_item(
    store: Store, user: str, *, limit: int = 200, category: str | None = None
) -> list[tuple[InboxItem, str]]:
    """All items in the inbox of a user of `demo`, newest first, read page by page, with their titles."""
    found: list[tuple[InboxItem, str]] = []
    cursor: bytes | None = None
    while True:
        page = await store.inbox.page("demo", user, InboxQuery(limit=limit, category=category), cursor)
        found += [(item, msgspec.json.decode(item.content)["title"]) for item in page.items]
        if page.next is None:
            return found
        cursor = page.next
