"""Gateways find everything that a feed lost in the log within 3 s."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest
from msgspec.structs import replace

from tests.gateway.conftest import TokenMaker
from tests.support.ports import free_port
from tests.support.realtime import Realtime, delivered, running_gateway
from tests.support.sending import eventually, notification
from tidings.protocol.names import log_of_group
from tidings_workers.config import Settings
from tidings_workers.gateway.interest import Interest
from tidings_workers.store import Store
from tidings_workers.store.keys import interest

HEALED_SECONDS = 3.0


async def lose_feeds(store: Store) -> None:
    """Delete every gateway's feeds, as their expiry does when a gateway was paused for long."""
    keys = [key async for key in store.redis.scan_iter("*/feed/*")]
    if keys:
        await store.redis.delete(*keys)


async def test_lost_interest(store: Store, realtime: Realtime) -> None:
    """A gateway whose interest was removed still sends the last notification."""
    async with realtime.user("ana") as ana:
        for log in (store.keys.user("demo", "ana"), store.keys.all("demo")):
            await store.redis.hdel(interest(log.partition), log.base)
        started = time.monotonic()
        await store.sends.send("demo", [notification("one", users=["ana"]), notification("all", to_all=True)])
        assert sorted(await ana.titles(2)) == ["all", "one"]
        assert time.monotonic() - started < HEALED_SECONDS


async def test_a_missing_entry(store: Store, realtime: Realtime) -> None:
    """An entry that is missing from a feed is read from the log at once, before later entries are sent."""
    log = store.keys.user("demo", "ana")
    async with realtime.user("ana") as ana:
        gateways = await store.redis.hget(interest(log.partition), log.base)
        await store.redis.hdel(interest(log.partition), log.base)
        await store.sends.send(
            "demo", [notification("one", users=["ana"]), notification("two", users=["ana"])]
        )
        await store.redis.hset(interest(log.partition), log.base, gateways)
        await store.sends.send("demo", [notification("three", users=["ana"])])
        assert await ana.titles(3) == ["one", "two", "three"]
        assert delivered(ana.frames) == [("user", 1), ("user", 2), ("user", 3)]


async def test_lost_feeds(store: Store, realtime: Realtime) -> None:
    """After the loss of all feeds, even twice, clients get every notification in time."""
    async with realtime.user("ana") as ana, realtime.user("bob") as bob:
        for turn in range(2):
            await lose_feeds(store)
            started = time.monotonic()
            await store.sends.send(
                "demo", [notification(f"{turn}.{number}", to_all=True) for number in range(3)]
            )
            for client in (ana, bob):
                assert await client.titles(3) == [f"{turn}.{number}" for number in range(3)]
            assert time.monotonic() - started < HEALED_SECONDS
        assert delivered(ana.frames) == [("all", number) for number in range(1, 7)]


async def test_many_missing_entries(store: Store, realtime: Realtime) -> None:
    """Many pages of missing entries are healed in order, while new notifications are sent."""
    log = store.keys.user("demo", "ana")
    async with realtime.user("ana") as ana:
        await store.redis.hdel(interest(log.partition), log.base)
        await store.sends.send(
            "demo", [notification(str(number), users=["ana"]) for number in range(1, 1001)]
        )
        for number in range(1001, 1051):
            await store.sends.send("demo", [notification(str(number), users=["ana"])])
            await asyncio.sleep(0)
        assert await ana.titles(1050) == [str(number) for number in range(1, 1051)]


@pytest.mark.usefixtures("working")
async def test_lost_membership(store: Store, realtime: Realtime) -> None:
    """Clients get `joined` and `left` when no feed reported the change."""
    async with realtime.user("ana") as ana:
        await lose_feeds(store)
        started = time.monotonic()
        await store.groups.change("demo", "team", ["ana"], [])
        assert (await ana.expect("joined"))["log"] == log_of_group("team")
        assert time.monotonic() - started < HEALED_SECONDS
        await lose_feeds(store)
        started = time.monotonic()
        await store.groups.change("demo", "team", [], ["ana"])
        assert (await ana.expect("left"))["position"] == 0
        assert time.monotonic() - started < HEALED_SECONDS


async def test_a_paused_gateway(store: Store, settings: Settings, token: TokenMaker) -> None:
    """The clients of a gateway that was paused until its feeds expired stay connected and miss nothing."""
    port = free_port()
    assert settings.redis_url is not None
    environment = os.environ | {
        "REDIS_URL": settings.redis_url,
        "TIDINGS_REALTIME_PORT": str(port),
        "TIDINGS_OPERATOR_PORT": str(free_port()),
    }
    command = [sys.executable, "-m", "tidings_api.cli", "gateway"]
    with subprocess.Popen(command, env=environment) as process:  # noqa: ASYNC220 - starts at once
        try:
            await eventually(lambda: listening(port), True)
            async with Realtime(port, token).user("ana") as ana:
                process.send_signal(signal.SIGSTOP)
                await lose_feeds(store)
                await store.sends.send(
                    "demo", [notification(str(number), users=["ana"]) for number in range(300)]
                )
                process.send_signal(signal.SIGCONT)
                assert await ana.titles(300) == [str(number) for number in range(300)]
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
    assert process.returncode == 0


async def listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    return True


async def test_several_gateways(store: Store, realtime: Realtime, settings: Settings) -> None:
    """One user gets the same on two gateways, and may resume on one where the other stopped."""
    other = free_port()
    async with running_gateway(replace(settings, realtime_port=other)):
        second = Realtime(other, realtime.token)
        async with realtime.user("ana") as here, second.user("ana") as there:
            await store.sends.send("demo", [notification(str(number), users=["ana"]) for number in range(50)])
            await store.sends.send("demo", [notification("all", to_all=True)])
            for client in (here, there):
                while len(delivered(client.frames)) < 51:
                    await client.next()
            assert sorted(delivered(here.frames)) == sorted(delivered(there.frames))
        resume = {"epoch": store.epoch, "positions": {"user": 49}}
        async with second.user("ana", resume=resume) as ana:
            assert sorted(delivered(await ana.until("caught_up"))) == [("all", 1), ("user", 50)]


async def test_items_on_the_way(store: Store) -> None:
    """A sweep heals a log whose feed item is lost, and none whose item arrives after the comparison."""
    healed: list[str] = []
    tasks: list[asyncio.Task[None]] = []
    following = Interest(
        store,
        "gateway-1",
        lambda coroutine: tasks.append(asyncio.ensure_future(coroutine)),
        lambda tail: healed.append(tail.log.base),
        lambda _: None,
    )
    lost, on_the_way = [await following.acquire(store.keys.user("demo", user)) for user in ("ana", "bob")]
    await store.sends.send("demo", [notification("one", users=[user]) for user in ("ana", "bob")])
    await following.sweep()
    found = await store.logs.read(on_the_way.log, 0, 1, 1)
    assert on_the_way.append(found.entries[0])
    while tasks:
        # The first task heals the lost one in a second one.
        await tasks.pop()
    assert (lost.position, healed) == (1, [lost.log.base])
