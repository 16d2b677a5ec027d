"""Round trips to one server, on connections that stay open between them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest
from redis import exceptions as redis
from redis.asyncio import Connection, Redis
from redis.asyncio.connection import AbstractConnection

from tests.support.faults import FaultProxy
from tests.support.valkey import Valkey
from tidings_workers.config import Settings
from tidings_workers.store import Store, clients
from tidings_workers.store.lua import SCRIPTS
from tidings_workers.store.round_trips import RoundTrips, packed


@pytest.fixture
async def proxy(redis_url: str) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(redis_url) as running:
        yield running


@pytest.fixture
async def round_trips(proxy: FaultProxy) -> AsyncIterator[RoundTrips]:
    client = clients.connect(proxy.url, "test")
    assert isinstance(client, Redis)
    yield RoundTrips(client.connection_pool)
    await clients.close(client)


@pytest.fixture
async def hasty(redis_url: str) -> AsyncIterator[RoundTrips]:
    """Its timeout is 0.2 s."""
    client = clients.connect(redis_url, "test", socket_seconds=0.2)
    assert isinstance(client, Redis)
    yield RoundTrips(client.connection_pool)
    await clients.close(client)


def echo(*texts: str) -> bytes:
    return b"".join(b"*2\r\n" + packed(("ECHO", text)) for text in texts)


def test_packed_is_the_protocol_of_redis() -> None:
    """Commands are packed as redis-py packs them: texts, bytes, numbers and lengths in bytes."""
    words = ("EVALSHA", "abc", 1, "{p3}", b"\r\n\x00", "", "\u00e9", -7)
    assert b"*8\r\n" + packed(words) == b"".join(Connection().pack_command(*words))


async def test_replies_have_the_order_of_their_commands(round_trips: RoundTrips) -> None:
    """Replies are in order, more than one timeout covers, and an error takes the place of its reply."""
    texts = [str(number) for number in range(100)]
    commands = echo(*texts[:50]) + b"*1\r\n" + packed(("NONSENSE",)) + echo(*texts[50:])
    replies = await round_trips.run(commands, 101)
    error = replies.pop(50)
    assert isinstance(error, Exception)
    assert replies == [text.encode() for text in texts]


async def test_a_cancelled_round_trip_leaves_no_replies(proxy: FaultProxy, round_trips: RoundTrips) -> None:
    """After a cancellation in the middle of a round trip, later commands get their own replies."""
    assert await round_trips.run(echo("first"), 1) == [b"first"]
    proxy.latency = 0.2
    cancelled = asyncio.create_task(round_trips.run(echo("lost", "lost"), 2))
    await asyncio.sleep(0.05)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    proxy.latency = 0
    assert await round_trips.run(echo("second"), 1) == [b"second"]


async def test_a_stopped_process_finds_the_answer(hasty: RoundTrips) -> None:
    """A process that was stopped for longer than the timeout takes the answer that waits for it."""
    assert await hasty.run(echo("first"), 1) == [b"first"]
    # The server answers after 50 ms, when this process does not run.
    slow = b"*3\r\n" + packed(("DEBUG", "SLEEP", "0.05"))
    answer = asyncio.create_task(hasty.run(slow, 1))
    await asyncio.sleep(0.01)
    time.sleep(0.4)  # noqa: ASYNC251  the stop
    assert await answer == [b"OK"]


async def test_a_silent_server_is_given_up(hasty: RoundTrips) -> None:
    """A server that does not answer is given up after the timeout."""
    began = time.monotonic()
    with pytest.raises(redis.TimeoutError):
        await hasty.run(b"*3\r\n" + packed(("BLPOP", "none", 0)), 1)
    assert time.monotonic() - began >= 0.2


async def test_a_dropped_connection_is_replaced_once(proxy: FaultProxy, round_trips: RoundTrips) -> None:
    """Commands on a connection that the server has closed since are sent again on a new one."""
    assert await round_trips.run(echo("first"), 1) == [b"first"]
    proxy.reset()
    assert await round_trips.run(echo("second"), 1) == [b"second"]


async def test_a_cancellation_that_the_library_swallows_stops_a_read(
    round_trips: RoundTrips, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that is cancelled while it connects stops, so a stopped dispatcher does not read forever.

    In Python 3.11 `asyncio.wait_for`, by which redis-py sends, swallows a cancellation that arrives together
    with its result.
    """
    connect = AbstractConnection.connect

    async def swallow(connection: AbstractConnection) -> None:
        await connect(connection)  # type: ignore[no-untyped-call]
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)

    monkeypatch.setattr(AbstractConnection, "connect", swallow)
    reading = asyncio.create_task(round_trips.run(echo("reply"), 1))
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_a_store_loads_only_the_scripts_that_the_server_lacks(valkey: Valkey) -> None:
    """The first part that opens a store loads all scripts, and the next one loads none."""
    loads = []
    with valkey.client() as client:
        for _ in range(2):
            await (await Store.open(Settings(redis_url=valkey.url), name="test")).close()
            loads.append(client.info("commandstats")["cmdstat_script|load"]["calls"])
    assert loads == [len(SCRIPTS)] * 2
