"""Presence is right on all gateways: while they live, when one is killed, and when a feed told nothing."""

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
from tests.support.realtime import Realtime, running_gateway
from tests.support.sending import eventually
from tests.support.stack import START_SECONDS
from tests.support.valkey import Valkey, free_port, wait_until
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
    """Looks at the ids of a user's connections."""

    async def look() -> set[str]:
        return {row.id for row in (await store.sessions.presence("demo", user)).connections}

    return look


def now_ms() -> int:
    return int(time.time() * 1000)


async def test_devices_on_two_gateways(store: Store, realtime: Realtime, second: Realtime) -> None:
    """Every open connection is listed with its device and since when; who leaves was seen last."""
    nobody = await store.sessions.presence("demo", "ana")
    assert (nobody.connections, nobody.seen_at) == ([], None)
    began = now_ms()
    async with realtime.user("ana", device="phone") as phone:
        async with second.user("ana") as tab:
            found = (await store.sessions.presence("demo", "ana")).connections
            assert [(row.id, row.device) for row in found] == [
                (phone.frames[0]["connection"], "phone"),
                (tab.frames[0]["connection"], None),
            ]
            assert all(began <= row.connected_at <= now_ms() for row in found)
            assert (await store.sessions.presence("other", "ana")).connections == []
        await eventually(online(store), {phone.frames[0]["connection"]})
    await eventually(online(store), set())
    seen_at = (await store.sessions.presence("demo", "ana")).seen_at
    assert seen_at is not None
    assert began < seen_at <= now_ms()


async def test_ended_in_the_middle_of_opening(store: Store, realtime: Realtime) -> None:
    """However early a client goes, nothing of it stays registered."""
    bearer = realtime.bearer("ana")

    async def come_and_go() -> None:
        async with realtime.socket(headers=[bearer]) as client:
            await client.send("connect")
            client.drop()

    await asyncio.gather(*(come_and_go() for _ in range(50)))
    async with realtime.user("ana") as ana:
        await eventually(online(store), {ana.frames[0]["connection"]})


async def test_killed_gateway(store: Store, settings: Settings, realtime: Realtime) -> None:
    """Who was connected to a killed gateway is offline when its feeds end, and was seen at its last beat."""
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
            (bob,) = (await store.sessions.presence("demo", "bob")).connections
            await asyncio.to_thread(process.kill)
            feeds = [key async for key in store.redis.scan_iter(f"*/feed/{bob.gateway}")]
            for key in feeds:
                assert 0 < await store.redis.pttl(key) <= FEED_SECONDS * 1000 <= 15_000
                # Spares this test the wait.
                await store.redis.pexpire(key, 1)
            await eventually(online(store), {here.frames[0]["connection"]})
            beat = await store.redis.zscore(GATEWAYS, bob.gateway)
            gone = await store.sessions.presence("demo", "bob")
            assert (gone.connections, gone.seen_at) == ([], max(int(beat or 0), bob.connected_at))
    finally:
        process.end()


async def test_left_by_the_dead(store: Store, realtime: Realtime) -> None:
    """All that a gateway left behind is taken out, but only when it is dead."""
    async with realtime.user("ana") as ana:
        gateway = ana.frames[0]["connection"].rsplit("-", 2)[0]
        await store.sessions.clear(gateway, 1)
        assert await online(store)() == {ana.frames[0]["connection"]}
        beat = now_ms() + 60_000

        async def clear() -> int | None:
            # It makes its feeds anew whenever it finds them lost.
            await lose_feeds(store)
            await store.sessions.clear(gateway, beat)
            return (await store.sessions.presence("demo", "ana")).seen_at

        await eventually(clear, beat)


async def test_taken_for_dead(store: Store, realtime: Realtime) -> None:
    """A connection that was taken out although its gateway lived is told to come back at once."""
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


async def test_disconnected_without_a_word(store: Store, realtime: Realtime) -> None:
    """A gateway whose feed was lost closes whom it was told to close, with the right code."""
    async with realtime.user("ana") as ana:
        await lose_feeds(store)
        await store.sessions.disconnect("demo", "ana", closing.DISCONNECTED)
        assert await ana.closed() == 4005
        assert await online(store)() == set()


class TestOutage:
    """The store goes away."""

    @pytest.fixture
    def settings(self, settings: Settings, valkey: Valkey) -> Settings:
        """A store of this test's own."""
        return replace(settings, redis_url=valkey.url)

    async def test_gone_meanwhile(self, valkey: Valkey, store: Store, realtime: Realtime) -> None:
        """Who went while the store was away is offline afterwards; who stayed is online."""
        async with realtime.user("ana") as ana:
            async with realtime.user("ana"):
                valkey.kill()
            valkey.start()

            async def look() -> set[str]:
                try:
                    return await online(store)()
                except Exception:  # noqa: BLE001 - it may be away for another moment
                    return set()

            await eventually(look, {ana.frames[0]["connection"]})
            assert await ana.settle() == []
