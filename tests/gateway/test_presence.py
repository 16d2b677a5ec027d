"""Presence is right on all gateways: while they run, after one was killed, and after feeds were lost."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest
from msgspec.structs import replace

from tests.gateway.conftest import TokenMaker
from tests.gateway.test_healing import lose_feeds
from tests.support.parts import Process
from tests.support.ports import free_port
from tests.support.realtime import Realtime, running_gateway
from tests.support.sending import eventually
from tests.support.stack import START_SECONDS
from tests.support.valkey import Valkey, wait_until
from tidings.protocol import closing
from tidings_workers.config import Settings
from tidings_workers.store import Store
from tidings_workers.store.feeds import FEED_SECONDS
from tidings_workers.store.keys import GATEWAYS


@pytest.fixture
async def second(settings: Settings, token: TokenMaker) -> AsyncIterator[Realtime]:
    """Another gateway on the same store."""
    port = free_port()
    async with running_gateway(replace(settings, realtime_port=port)):
        yield Realtime(port, token)


def online(store: Store, user: str = "ana") -> Callable[[], Coroutine[Any, Any, set[str]]]:
    """Reads the ids of a user's connections."""

    async def look() -> set[str]:
        return {row.id for row in (await store.connections.presence("demo", user)).connections}

    return look


def now_ms() -> int:
    return int(time.time() * 1000)


async def test_devices_on_two_gateways(store: Store, realtime: Realtime, second: Realtime) -> None:
    """Presence lists each open connection with device and time, and the time of the last close."""
    offline = await store.connections.presence("demo", "ana")
    assert (offline.connections, offline.seen_at) == ([], None)
    started = now_ms()
    async with realtime.user("ana", device="phone") as phone:
        async with second.user("ana") as tab:
            found = (await store.connections.presence("demo", "ana")).connections
            assert [(row.id, row.device) for row in found] == [
                (phone.frames[0]["connection"], "phone"),
                (tab.frames[0]["connection"], None),
            ]
            assert all(started <= row.connected_at <= now_ms() for row in found)
            assert (await store.connections.presence("other", "ana")).connections == []
        await eventually(online(store), {phone.frames[0]["connection"]})
    await eventually(online(store), set())
    seen_at = (await store.connections.presence("demo", "ana")).seen_at
    assert seen_at is not None
    assert started < seen_at <= now_ms()


async def test_closed_while_opening(store: Store, realtime: Realtime) -> None:
    """A connection that closes while it opens leaves no registration."""
    bearer = realtime.bearer("ana")

    async def connect_and_drop() -> None:
        async with realtime.socket(headers=[bearer]) as client:
            await client.send("connect")
            client.drop()

    await asyncio.gather(*(connect_and_drop() for _ in range(50)))
    async with realtime.user("ana") as ana:
        await eventually(online(store), {ana.frames[0]["connection"]})


async def test_killed_gateway(store: Store, settings: Settings, realtime: Realtime) -> None:
    """The users of a killed gateway are offline when its feeds expire, last seen at its last heartbeat."""
    assert settings.redis_url is not None
    process = Process("gateway", settings.redis_url)
    try:
        await asyncio.to_thread(wait_until, process.ready, "the start of a gateway", START_SECONDS)
        elsewhere = Realtime(process.port, realtime.token)
        async with AsyncExitStack() as stack:
            here = await stack.enter_async_context(realtime.user("ana"))
            for user in ("ana", "bob"):
                await stack.enter_async_context(elsewhere.user(user))
            assert len(await online(store)()) == 2
            (bob,) = (await store.connections.presence("demo", "bob")).connections
            await asyncio.to_thread(process.kill)
            feeds = [key async for key in store.redis.scan_iter(f"*/feed/{bob.gateway}")]
            for key in feeds:
                assert 0 < await store.redis.pttl(key) <= FEED_SECONDS * 1000 <= 15_000
                # Expire it now, without the wait.
                await store.redis.pexpire(key, 1)
            await eventually(online(store), {here.frames[0]["connection"]})
            beat = await store.redis.zscore(GATEWAYS, bob.gateway)
            offline = await store.connections.presence("demo", "bob")
            assert (offline.connections, offline.seen_at) == ([], max(int(beat or 0), bob.connected_at))
    finally:
        process.end()


async def test_registrations_of_a_dead_gateway(store: Store, realtime: Realtime) -> None:
    """The registrations of a gateway are removed only when it is dead."""
    async with realtime.user("ana") as ana:
        gateway = ana.frames[0]["connection"].rsplit("-", 2)[0]
        await store.connections.remove_all(gateway, 1)
        assert await online(store)() == {ana.frames[0]["connection"]}
        beat = now_ms() + 60_000

        async def clear() -> int | None:
            # The gateway creates its feeds again when it finds them lost.
            await lose_feeds(store)
            await store.connections.remove_all(gateway, beat)
            return (await store.connections.presence("demo", "ana")).seen_at

        await eventually(clear, beat)


async def test_a_running_gateway_considered_dead(store: Store, realtime: Realtime) -> None:
    """A connection whose registration was removed while its gateway runs is closed, to reconnect."""
    async with realtime.user("ana") as ana:
        closed = asyncio.create_task(ana.closed())
        while not closed.done():
            await lose_feeds(store)
            await online(store)()
            await asyncio.wait([closed], timeout=0.1)
        assert closed.result() == 4201
    await eventually(lambda: count_feeds(store), store.partitions)
    async with realtime.user("ana") as ana:
        assert await online(store)() == {ana.frames[0]["connection"]}


async def count_feeds(store: Store) -> int:
    return len([key async for key in store.redis.scan_iter("*/feed/*")])


async def test_disconnected_after_feeds_were_lost(store: Store, realtime: Realtime) -> None:
    """A gateway whose feed was lost closes disconnected connections with the right code."""
    async with realtime.user("ana") as ana:
        await lose_feeds(store)
        await store.connections.disconnect("demo", "ana", closing.DISCONNECTED)
        assert await ana.closed() == 4005
        assert await online(store)() == set()


class TestOutage:
    """The store stops answering."""

    @pytest.fixture
    def settings(self, settings: Settings, valkey: Valkey) -> Settings:
        """A store for this test alone."""
        return replace(settings, redis_url=valkey.url)

    async def test_closed_during_an_outage(self, valkey: Valkey, store: Store, realtime: Realtime) -> None:
        """A user who disconnects during an outage is offline after it, and a connected one is online."""
        async with realtime.user("ana") as ana:
            async with realtime.user("ana"):
                valkey.kill()
            valkey.start()

            async def look() -> set[str]:
                try:
                    return await online(store)()
                except Exception:  # noqa: BLE001 - the store may still be starting
                    return set()

            await eventually(look, {ana.frames[0]["connection"]})
            assert await ana.settle() == []
