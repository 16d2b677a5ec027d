"""Faults of Redis and the network: quick errors, no loss, no repetition."""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.support.dispatching import copies, waiting
from tests.support.faults import FaultProxy, dropped_connections
from tests.support.sending import eventually, every_item, notification, titles
from tests.support.valkey import Valkey, running, running_cluster
from tidings_workers.config import SYNCED_EVERY_SECOND, Settings
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import Idempotency, StorageUnavailable, Store

# The time until a caller gets an error; the timeout to Redis is 2 s.
QUICK_SECONDS = 2.5
USERS = 5


def settings_for(url: str) -> Settings:
    return msgspec.structs.replace(Settings.from_environment({}), redis_url=url)


@pytest.fixture
async def proxy(redis_url: str) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(redis_url) as running:
        yield running


@pytest.fixture
async def store(proxy: FaultProxy) -> AsyncIterator[Store]:
    """A store behind the proxy."""
    opened = await Store.open(settings_for(proxy.url), name="test")
    yield opened
    await opened.close()


@pytest.fixture
async def direct(redis_url: str) -> AsyncIterator[Store]:
    """The same store, without the proxy."""
    opened = await Store.open(settings_for(redis_url), name="direct")
    yield opened
    await opened.close()


async def send_until_answered(store: Store, key: str, user: str) -> list[str]:
    """Send under an idempotency key, and retry until it is acknowledged."""
    sent = [notification(key, users=[user]), notification(key, users=[user, "both"])]
    while True:
        try:
            accepted = await store.sends.send("demo", sent, idempotency=Idempotency(key, b"digest"))
        except StorageUnavailable:
            await asyncio.sleep(0.02)
        else:
            return accepted.ids


async def load(store: Store, sends: int) -> dict[str, list[str]]:
    """Send from several clients concurrently; the acknowledged ids of each key."""
    keys = [f"k{number}" for number in range(sends)]
    acknowledged: dict[str, list[str]] = {}

    async def client(own: list[str]) -> None:
        for key in own:
            acknowledged[key] = await send_until_answered(store, key, f"u{int(key[1:]) % USERS}")

    async with asyncio.TaskGroup() as clients:
        for number in range(8):
            clients.create_task(client(keys[number::8]))
    return acknowledged


async def assert_stored_once(store: Store, acknowledged: dict[str, list[str]]) -> None:
    """Each acknowledged id is in its inboxes once, and nothing else is."""
    expected: dict[str, list[str]] = {f"u{number}": [] for number in range(USERS)}
    for key, ids in acknowledged.items():
        expected[f"u{int(key[1:]) % USERS}"] += ids
    expected["both"] = [ids[1] for ids in acknowledged.values()]
    for user, ids in expected.items():

        async def stored(user: str = user) -> list[str]:
            return sorted(await _ids(store, user))

        await eventually(stored, sorted(ids))


async def _ids(store: Store, user: str) -> list[str]:
    return [msgspec.json.decode(item.content)["id"] for item, _ in await every_item(store, user)]


async def test_lost_replies_make_no_second_notification(
    proxy: FaultProxy, store: Store, direct: Store
) -> None:
    """Sends that are retried under their keys while replies get lost are all stored, once each."""
    proxy.lose_replies = 0.2
    acknowledged = await asyncio.wait_for(load(store, 120), 30)
    assert proxy.lost > 10
    dispatcher = Dispatcher(direct)
    await dispatcher.beat()
    try:
        await assert_stored_once(direct, acknowledged)
    finally:
        await dispatcher.close()


async def test_dispatcher_without_its_replies(proxy: FaultProxy, store: Store, direct: Store) -> None:
    """A dispatcher whose replies get lost writes each user exactly one copy."""
    members = [f"m{number}" for number in range(6_000)]
    await direct.groups.change("demo", "big", members, [])
    sent = [notification(str(number), users=["ana", f"m{number}"], groups=["big"]) for number in range(4)]
    accepted = await direct.sends.send("demo", sent)
    dispatcher = Dispatcher(store)
    await dispatcher.beat()
    proxy.lose_replies = 0.05

    async def stored() -> set[tuple[str, int | None]]:
        records = [await direct.sends.notification("demo", identity) for identity in accepted.ids]
        return {(record.status, record.recipients) for record in records if record is not None}

    await eventually(stored, {("stored", 6_001)})
    proxy.lose_replies = 0
    await dispatcher.close()
    assert proxy.lost > 0
    for user in ["ana", *random.Random(1).sample(members, 200)]:
        assert sorted(await titles(direct, user)) == ["0", "1", "2", "3"]


async def timed_refusal(attempt: Callable[[], Awaitable[object]]) -> float:
    started = time.monotonic()
    with pytest.raises(StorageUnavailable):
        await attempt()
    return time.monotonic() - started


async def test_black_hole_is_reported_quickly(proxy: FaultProxy, store: Store) -> None:
    """While no bytes arrive the first call fails in time and later ones at once; then both work again."""

    def send() -> Awaitable[object]:
        return store.sends.send("demo", [notification("x", users=["ana"])])

    proxy.black_hole = True
    assert await timed_refusal(send) < QUICK_SECONDS
    many = await asyncio.gather(*(timed_refusal(send) for _ in range(100)))
    assert max(many) < 0.1
    slowest = 0.0
    until = time.monotonic() + 1
    while time.monotonic() < until:
        slowest = max(slowest, await timed_refusal(send))
        await asyncio.sleep(0.01)
    assert slowest < 0.1
    proxy.black_hole = False
    started = time.monotonic()
    while True:
        try:
            await store.sends.send("demo", [notification("after", users=["bob"])])
            break
        except StorageUnavailable:
            assert time.monotonic() - started < 5
            await asyncio.sleep(0.02)
    assert await titles(store, "bob") == ["after"]


async def test_refused_connections(proxy: FaultProxy, store: Store) -> None:
    """A server that refuses connections is noticed at once, and so is its recovery."""
    proxy.refuse = True
    proxy.reset()
    assert await timed_refusal(lambda: store.sends.send("demo", [notification("x", users=["ana"])])) < 1
    proxy.refuse = False
    await send_until_answered(store, "k0", "ana")
    assert "k0" in await titles(store, "ana")


@pytest.mark.parametrize("fault", ["reset", "half_close"])
async def test_dropped_connections(proxy: FaultProxy, store: Store, fault: str) -> None:
    """Connections dropped under load lose no acknowledged notification and repeat none."""
    sending = asyncio.ensure_future(load(store, 200))
    while not sending.done():
        getattr(proxy, fault)()
        await asyncio.sleep(0.01)
    acknowledged = await sending
    dispatcher = Dispatcher(store)

    async def beats() -> bool:
        await dispatcher.beat()
        return True

    # The last command before the end of the faults may have failed, so the store may refuse for a moment.
    await eventually(beats, expected=True)
    try:
        await assert_stored_once(store, acknowledged)
    finally:
        await dispatcher.close()


async def test_slow_and_sliced(proxy: FaultProxy, store: Store) -> None:
    """A slow connection that splits every reply only costs time."""
    proxy.latency, proxy.slice_bytes = 0.002, 7
    ids = (await store.sends.send("demo", [notification(str(n), users=["ana"]) for n in range(20)])).ids
    assert sorted(await _ids(store, "ana")) == sorted(ids)


@pytest.fixture
def valkey(short_directory: Path) -> Iterator[Valkey]:
    """A server with the settings of the embedded one: it writes before it answers, and others sync it."""
    home = Path(tempfile.mkdtemp(dir=short_directory))
    title = f"valkey ({SYNCED_EVERY_SECOND})"
    with running(home, appendfsync="no", proc_title_template=title) as server:
        yield server


@pytest.fixture
async def own(valkey: Valkey) -> AsyncIterator[Store]:
    """A store on a server that the test may kill."""
    opened = await Store.open(settings_for(valkey.url), name="own")
    yield opened
    await opened.close()


async def under_load(store: Store, disturb: Callable[[], Awaitable[None]]) -> None:
    """Run load and a dispatcher, with one disturbance in the middle, without loss or repetition."""
    dispatcher = Dispatcher(store)
    await dispatcher.beat()
    try:
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(load(store, 800))
            await asyncio.sleep(0.1)
            assert not sending.done()
            await disturb()
        await assert_stored_once(store, sending.result())
    finally:
        await dispatcher.close()


async def test_killed_under_load(own: Store, valkey: Valkey) -> None:
    """A Valkey that is killed and restarted under load loses no acknowledged notification."""

    async def restart() -> None:
        valkey.kill()
        await asyncio.sleep(0.3)
        await asyncio.to_thread(valkey.start)

    await under_load(own, restart)


async def test_scripts_flushed_under_load(own: Store) -> None:
    """Scripts that Redis has lost are loaded again at the next call."""

    async def flush() -> None:
        for _ in range(20):
            await own.redis.script_flush()
            await asyncio.sleep(0.005)

    await under_load(own, flush)


async def test_stopped_for_three_seconds(own: Store, valkey: Valkey) -> None:
    """While a Valkey hangs for three seconds sends fail in time, and work again after it."""
    valkey.pause()
    try:
        started = time.monotonic()
        while time.monotonic() < started + 3:
            took = await timed_refusal(lambda: own.sends.send("demo", [notification("lost?", users=["ana"])]))
            assert took < QUICK_SECONDS
            await asyncio.sleep(0.05)
    finally:
        valkey.unpause()
    await send_until_answered(own, "k0", "bob")
    dispatcher = Dispatcher(own)
    await dispatcher.beat()
    await eventually(lambda: titles(own, "both"), ["k0"])
    await eventually(lambda: waiting(own), 0)
    await dispatcher.close()


async def test_primary_killed_under_load(short_directory: Path) -> None:
    """A cluster that loses a primary for some time loses no acknowledged notification."""
    home = Path(tempfile.mkdtemp(dir=short_directory))
    with running_cluster(home) as nodes:
        store = await Store.open(settings_for(f"redis+cluster://127.0.0.1:{nodes[0].port}"), name="cluster")

        async def restart() -> None:
            nodes[2].kill()
            await asyncio.sleep(0.3)
            await asyncio.to_thread(nodes[2].start)

        with dropped_connections():
            try:
                await under_load(store, restart)
            finally:
                await store.close()


async def test_primary_hangs_while_copies_are_made(short_directory: Path) -> None:
    """A send to users of a partition that hangs fails in time, and its retry completes it once."""
    home = Path(tempfile.mkdtemp(dir=short_directory))
    users = [f"u{number}" for number in range(40)]
    sent = [notification("x", users=users)]
    with running_cluster(home) as nodes, dropped_connections():
        store = await Store.open(settings_for(f"redis+cluster://127.0.0.1:{nodes[0].port}"), name="cluster")
        try:
            nodes[2].pause()
            key = Idempotency("k", b"digest")
            assert (
                await timed_refusal(lambda: store.sends.send("demo", sent, idempotency=key))
                < 2 * QUICK_SECONDS
            )
            nodes[2].unpause()

            async def answered() -> bool:
                try:
                    await store.sends.send("demo", sent, idempotency=key)
                except StorageUnavailable:
                    return False
                return True

            await eventually(answered, True)
            assert await copies(store, users) == [(1, 1)] * len(users)
            dispatcher = Dispatcher(store)
            await dispatcher.beat()
            await eventually(lambda: waiting(store), 0)
            await dispatcher.close()
            assert await copies(store, users) == [(1, 1)] * len(users)
        finally:
            nodes[2].unpause()
            await store.close()
