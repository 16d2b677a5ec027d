"""Copies in one partition share one content, which exists as long as one of them does."""

from typing import Any

from msgspec.structs import replace

from tests.support.sending import notification, titles
from tidings_workers.config import Settings
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import Store
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.keys import shared_content

USERS = ["ana", "bob", "cyd", "dan"]
DAY = 86_400_000


async def opened(settings: Settings) -> Store:
    """A store with one partition, so that all copies are in one call."""
    return await Store.open(replace(settings, partitions=1), name="one")


async def copies(store: Store, identity: str) -> int | None:
    """How many entries refer to the content of a notification; None when there is no shared content."""
    found = await store._core.call("HGET", shared_content(0, "demo", identity), "copies")
    return None if found is None else int(found)


async def send(store: Store, title: str, *users: str, **fields: Any) -> str:
    return (await store.sends.send("demo", [notification(title, users=users, **fields)])).ids[0]


async def test_copies_are_counted(settings: Settings) -> None:
    """Every copy has the content in the inbox, and a send to two users needs no shared one."""
    store = await opened(settings)
    try:
        many, two = await send(store, "many", *USERS), await send(store, "two", "ana", "bob")
        assert [await copies(store, identity) for identity in (many, two)] == [4, None]
        assert [await titles(store, user) for user in USERS] == [["two", "many"]] * 2 + [["many"]] * 2
    finally:
        await store.close()


async def test_an_erased_copy(settings: Settings) -> None:
    """An erasure removes one reference, and the others keep their content."""
    store = await opened(settings)
    dispatcher = Dispatcher(store)
    await dispatcher.beat()
    try:
        identity = await send(store, "many", *USERS)
        await store.erasure.erase("demo", "ana")
        assert await copies(store, identity) == 3
        assert await titles(store, "bob") == ["many"]
        assert await titles(store, "ana") == []
    finally:
        await dispatcher.close()
        await store.close()


async def test_a_recalled_notification(settings: Settings) -> None:
    """A recall removes every copy, and the content with the last one; a repeated recall changes nothing."""
    store = await opened(settings)
    dispatcher = Dispatcher(store)
    await dispatcher.beat()
    try:
        identity, other = await send(store, "many", *USERS), await send(store, "other", *USERS)
        for _ in range(2):
            assert await store.sends.recall("demo", identity)
            assert [await copies(store, each) for each in (identity, other)] == [None, 4]
        assert await titles(store, "cyd") == ["other"]
    finally:
        await dispatcher.close()
        await store.close()


async def test_retention_removes_the_content(settings: Settings) -> None:
    """The retention sweep removes the content with the last copy."""
    store = await opened(settings)
    try:
        identity = await send(store, "many", *USERS)
        now = milliseconds() + 400 * DAY
        while bases := await store.retention.due(0, now=now):
            await store.retention.sweep(0, bases, now=now)
        assert await copies(store, identity) is None
        assert await titles(store, "ana") == []
    finally:
        await store.close()
