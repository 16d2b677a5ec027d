"""Expiry of tokens, limits, outages of the store, and the drain."""

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

import pytest
from msgspec.structs import replace

from tests.gateway.conftest import TokenMaker
from tests.support.realtime import Client, Realtime, running_gateway
from tests.support.sending import eventually, notification
from tests.support.valkey import Valkey
from tidings.protocol import limits
from tidings_workers.config import Settings
from tidings_workers.registry import Registry
from tidings_workers.store import StorageUnavailable, Store


async def test_revoked(registry: Registry, realtime: Realtime) -> None:
    """Revoking a key closes its connections with 4002 within 2 s, and no others."""
    key = await registry.signing_key("demo")
    assert key is not None
    async with realtime.user("ana") as ana, realtime.user("ana", tenant="other") as other:
        await registry.revoke_key("demo", key.kid)
        assert await ana.closed(2) == 4002
        assert await other.settle() == []
    async with realtime.socket() as late:
        await late.send("connect", token=realtime.token("ana"))
        assert await late.closed() == 4001


async def test_refresh(realtime: Realtime) -> None:
    """`refresh` accepts a new token of the same user, and answers any other with an error."""
    old, new = realtime.token("ana", seconds=70, age=5), realtime.token("ana", seconds=7200)
    async with realtime.socket() as ana:
        await ana.send("connect", token=old)
        welcome = await ana.expect("welcome")
        for wrong, code in (
            (realtime.token("bob"), "invalid_token"),
            (realtime.token("ana", tenant="other"), "invalid_token"),
            (realtime.token("ana", scope="send"), "invalid_token"),
            (realtime.token("ana", seconds=60, age=120), "expired_token"),
            ("nonsense", "invalid_token"),
        ):
            await ana.send("refresh", token=wrong)
            assert (await ana.expect("error"))["code"] == code
        await ana.send("refresh", token=new)
        refreshed = await ana.expect("refreshed")
        assert refreshed["expires_at"] > welcome["expires_at"]


async def test_token_expires(realtime: Realtime) -> None:
    """The gateway announces the expiry of a token, and then closes with 4200, leeway included."""
    seconds = 6
    async with realtime.socket() as ana:
        started = time.monotonic()
        age = seconds + limits.TOKEN_LEEWAY_SECONDS - 6
        await ana.send("connect", token=realtime.token("ana", seconds=seconds, age=age))
        await ana.expect("welcome")
        assert await ana.closed() == 4200
        assert time.monotonic() - started < 7.5
    assert [frame["type"] for frame in ana.frames] == ["welcome", "expiring"]
    assert 0 <= ana.frames[1]["in"] <= 6


class TestLimits:
    """Each limit applies to one gateway, also for connections that open concurrently."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        """Low limits."""
        return replace(
            settings, connections_per_user=3, connections_per_address=12, connections_per_tenant=10
        )

    async def open(
        self, realtime: Realtime, stack: AsyncExitStack, users: list[str], **claims: Any
    ) -> list[Any]:
        """The first answer to each of these users, who connect concurrently: `welcome` or a close code."""

        async def one(user: str) -> Any:
            socket = realtime.socket(headers=[realtime.bearer(user, **claims)])
            client: Client = await stack.enter_async_context(socket)
            await client.send("connect")
            code = await first_or_close(client)
            return "welcome" if code is None else code

        return list(await asyncio.gather(*map(one, users)))

    async def test_limits(self, realtime: Realtime) -> None:
        """A connection beyond a limit per user, tenant or address is closed with 4103."""
        async with AsyncExitStack() as stack:
            assert sorted(map(str, await self.open(realtime, stack, ["ana"] * 5))) == [
                "4103", "4103", "welcome", "welcome", "welcome",
            ]  # fmt: skip
            users = [f"u{number}" for number in range(7)]
            assert set(await self.open(realtime, stack, users)) == {"welcome"}
            assert await self.open(realtime, stack, ["one-more"]) == [4103]
            others = [f"o{number}" for number in range(4)]
            answers = await self.open(realtime, stack, others, tenant="other")
            assert sorted(map(str, answers)) == ["4103", "4103", "welcome", "welcome"]
        async with realtime.user("ana") as ana:
            assert await ana.settle() == []


async def first_or_close(client: Client) -> int | None:
    reading = asyncio.create_task(client.closed())
    await eventually(lambda: _settled(client, reading), True)
    if client.frames:
        reading.cancel()
        await asyncio.wait([reading])
        return None
    return await reading


async def _settled(client: Client, reading: asyncio.Task[int | None]) -> bool:
    return bool(client.frames) or reading.done()


class TestOutage:
    """The store stops answering, paused or killed."""

    @pytest.fixture
    def settings(self, settings: Settings, valkey: Valkey) -> Settings:
        """A store for this test alone."""
        return replace(settings, redis_url=valkey.url)

    @pytest.mark.parametrize("crash", [False, True])
    async def test_connections_survive(
        self, valkey: Valkey, store: Store, realtime: Realtime, crash: bool
    ) -> None:
        """Connections stay open during an outage of the store, and work again after it."""
        async with realtime.user("ana", device="tv") as ana, realtime.user("bob") as bob:
            await ana.expect("caught_up")
            await store.sends.send("demo", [notification("before", to_all=True)])
            assert await ana.titles(1) == await bob.titles(1) == ["before"]
            if crash:
                valkey.kill()
            else:
                valkey.pause()
            with pytest.raises(StorageUnavailable):
                await store.ping()
            await ana.send("ack", positions={"all": 1})
            assert await ana.settle() == await bob.settle() == []
            async with realtime.socket(headers=[realtime.bearer("cem")]) as late:
                await late.send("connect")
                assert await late.closed() == 4102
            if crash:
                await asyncio.to_thread(valkey.start)
            else:
                valkey.unpause()
            await eventually(lambda: _sent(store), True)
            for client in (ana, bob):
                frames = await client.until("notification")
                assert [frame["type"] for frame in frames] == ["notification"]
            await eventually(lambda: _acknowledged(store), 1)


async def _sent(store: Store) -> bool:
    try:
        await store.sends.send("demo", [notification("after", to_all=True)])
    except StorageUnavailable:
        return False
    return True


async def _acknowledged(store: Store) -> Any:
    log = store.keys.user("demo", "ana")
    device = (await store.feeds.attach("test", log, "tv")).device
    return device and device.positions["all"]


async def test_shutdown(settings: Settings, store: Store, token: TokenMaker) -> None:
    """A stopping gateway closes all connections with 1012, stores acknowledgements, and stops in time."""
    async with AsyncExitStack() as stack:
        async with running_gateway(settings) as stop:
            realtime = Realtime(settings.realtime_port, token)
            clients = [
                await stack.enter_async_context(realtime.user(f"u{number}", rewind=0)) for number in range(30)
            ]
            ana = await stack.enter_async_context(realtime.user("ana", device="tv"))
            silent = await stack.enter_async_context(realtime.socket())
            await ana.expect("caught_up")
            await store.sends.send("demo", [notification("one", to_all=True)])
            await ana.expect("notification")
            await ana.send("ack", positions={"all": 1})
            await ana.settle()
            started = time.monotonic()
            stop.set()
            codes = await asyncio.gather(*(client.closed() for client in (*clients, ana, silent)))
        assert time.monotonic() - started < 5
    assert codes == [1012] * 32
    assert await _acknowledged(store) == 1
    with pytest.raises(OSError, match="refused"):
        await asyncio.open_connection("127.0.0.1", settings.realtime_port)
    assert [key async for key in store.redis.scan_iter("*/feed/*")] == []


async def test_shutdown_with_a_silent_client(settings: Settings, token: TokenMaker, store: Store) -> None:
    """Clients that do not answer the close frame do not delay the stop of a gateway."""
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        async with running_gateway(settings):
            realtime = Realtime(settings.realtime_port, token)
            ana = await stack.enter_async_context(realtime.user("ana"))
            ana.socket.transport.pause_reading()
            started = time.monotonic()
        assert time.monotonic() - started < 6
