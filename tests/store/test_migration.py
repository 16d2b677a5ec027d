"""The data of layout 2 are taken over at the first start: nothing is lost, and nothing is stored twice."""

import msgspec
import pytest

from tests.support.sending import notification, titles
from tidings.protocol.notifications import Target
from tidings_workers.config import Settings
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import Idempotency, StorageUnavailable, Store
from tidings_workers.store.ids import derived_id, milliseconds
from tidings_workers.store.keys import DISPATCHERS, GATEWAYS, LAYOUT, META, Record, tag, tenant_sends

KEY = Idempotency("key", b"digest")


async def set_back(store: Store) -> None:
    """Name the layout of the store 2."""
    await store._core.call("HSET", META, "layout", "2")


async def put(store: Store, user: str, title: str, *, seed: bytes | None = None) -> str:
    """Write a notification to one user as layout 2 had it: record, entry, list and interest; its id."""
    call, log, now = store._core.call, store.keys.user("demo", user), milliseconds()
    identity = derived_id(seed or title.encode(), 0, now, log.partition)
    content = msgspec.json.encode(
        {"id": identity, "title": title, "priority": "normal", "created_at": "2026-11-29T00:00:00.000Z"}
    ).decode()
    position = await call("HINCRBY", log.root, "head", 1)
    to = msgspec.json.encode(Target(users=(user,))).decode()
    header = f"s{now:013}{now:013}{position:016}{1:010}"
    record = Record(log.partition, "demo", identity)
    await call("SET", record.root, f"{header}{to}\n{content}", "PX", 86_400_000)
    await call("XADD", log.key("log"), f"{position}-0", "n", content)
    await call("XADD", tenant_sends(log.partition, "demo"), "*", "i", identity)
    await call("ZADD", f"{tag(log.partition)}/due", 0, log.base, 0, "s/demo")
    await call("SADD", f"{log.root}/gateways", "w1")
    return identity


async def listed(store: Store) -> list[str]:
    """The ids of the list of sends, newest first, read in pages of two."""
    found: list[str] = []
    cursor = None
    while True:
        page = await store.receipts.sent("demo", None, 2, cursor)
        found += [item.id for item in page.items]
        if (cursor := page.next) is None:
            return found


async def test_layout_2_is_taken_over(store: Store, settings: Settings, dispatcher: Dispatcher) -> None:
    """Notifications of layout 2 are in inboxes and lists, can be recalled, and new ones follow them."""
    before = [
        await put(store, "ana", "one"),
        await put(store, "bob", "two"),
        await put(store, "ana", "three"),
    ]
    await dispatcher.close()
    await set_back(store)
    opened = await Store.open(settings, name="next")
    try:
        assert await opened._core.call("HGET", META, "layout") == LAYOUT.encode()
        assert [key async for key in opened.redis.scan_iter("{p*/gateways")] == []
        after = (await opened.sends.send("demo", [notification("four", users=["ana"])])).ids
        assert await titles(opened, "ana") == ["four", "three", "one"]
        assert sorted(await listed(opened)) == sorted(before + after)
        assert await opened.sends.recall("demo", before[0])
        assert await titles(opened, "ana") == ["four", "three"]
        found = await opened.sends.notification("demo", before[0])
        assert found is not None
        assert found.status == "recalled"
    finally:
        await opened.close()


async def test_a_repeated_request_after_the_migration(store: Store, settings: Settings) -> None:
    """A request that layout 2 accepted is answered with its first id when it is repeated, and not stored."""
    sent = [notification("once", users=["ana"])]
    partition, key = store.keys.claim("demo", KEY.key)
    seed, now = b"0123456789abcdef", milliseconds()
    await store._core.call(
        "SET", f"{tag(partition)}/{key}", msgspec.msgpack.encode([KEY.digest, now, seed]), "PX", 86_400_000
    )
    log = store.keys.user("demo", "ana")
    identity = derived_id(seed, 0, now, log.partition)
    await put(store, "ana", "other")
    await store._core.call("XADD", tenant_sends(log.partition, "demo"), "*", "i", identity)
    await set_back(store)
    opened = await Store.open(settings, name="next")
    try:
        accepted = await opened.sends.send("demo", sent, idempotency=KEY)
        assert (accepted.ids, accepted.replayed) == ([identity], True)
        assert await titles(opened, "ana") == ["other"]
    finally:
        await opened.close()


async def test_an_interrupted_migration_is_repeated(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration that failed on its way leaves layout 2, and the next start completes it."""
    identity = await put(store, "ana", "one")
    await set_back(store)

    async def broken(*arguments: object) -> None:
        raise StorageUnavailable("broken", "closed")

    with monkeypatch.context() as patched:
        patched.setattr("tidings_workers.store.migration._keep_ids", broken)
        with pytest.raises(StorageUnavailable):
            await Store.open(settings, name="next")
    assert await store._core.call("HGET", META, "layout") == b"2"
    opened = await Store.open(settings, name="next")
    try:
        assert await listed(opened) == [identity]
    finally:
        await opened.close()


@pytest.mark.parametrize("key", [GATEWAYS, DISPATCHERS])
async def test_parts_of_the_earlier_version(store: Store, settings: Settings, key: str) -> None:
    """While a part of the earlier version runs, a new one refuses the store and names it."""
    await set_back(store)
    await store._core.call("ZADD", key, milliseconds(), "w1")
    with pytest.raises(StorageUnavailable, match=r"earlier version use the store: w1\.") as refused:
        await Store.open(settings, name="next")
    assert refused.value.reason == "older-parts"
    await store._core.call("ZREM", key, "w1")
    opened = await Store.open(settings, name="next")
    await opened.close()
    assert await store._core.call("HGET", META, "layout") == LAYOUT.encode()
