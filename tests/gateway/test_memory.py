"""The memory of closed connections."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from websockets.protocol import Protocol

from tests.support.events import EventClient
from tests.support.realtime import Realtime
from tests.support.sending import eventually, notification
from tests.support.stomp import stomp_socket
from tidings_workers.gateway.catchup import CatchUp
from tidings_workers.gateway.head import Head
from tidings_workers.gateway.http import HttpConnection
from tidings_workers.gateway.requests import RequestReader
from tidings_workers.gateway.sse.connection import EventStream
from tidings_workers.gateway.stomp.session import StompSession
from tidings_workers.gateway.stomp.socket import StompSocket
from tidings_workers.gateway.stomp.wire import StompWire
from tidings_workers.gateway.users import Subscriber
from tidings_workers.gateway.websocket import WebSocket
from tidings_workers.store import Store

BODY = "x" * 30_000
# More than fits into the kernel's buffers of a socket.
BIG = 300


KINDS = {
    *(WebSocket, StompSocket, StompSession, StompWire, CatchUp, Subscriber, Head, Protocol),
    *(EventStream, HttpConnection, RequestReader),
}


def remains() -> int:
    """The number of objects that belong to connections."""
    return sum(type(each) in KINDS for each in gc.get_objects())


@contextmanager
def no_collector() -> Iterator[Callable[[], Awaitable[bool]]]:
    """Turn the collector of reference cycles off. Gives a function: whether more remains than before.

    The report of a failed test holds the connections of that test.
    """
    gc.collect()
    gc.disable()
    earlier = remains()

    async def has_remains() -> bool:
        return remains() > earlier

    try:
        yield has_remains
    finally:
        gc.enable()


async def is_catching_up() -> bool:
    return any(type(each) is CatchUp for each in gc.get_objects())


async def test_a_closed_connection_leaves_no_cycles(realtime: Realtime) -> None:
    """A closed connection leaves no reference cycles, which the collector would free late."""
    with no_collector() as has_remains:
        for _ in range(5):
            async with realtime.user("ana") as ana:
                await ana.settle()
        await eventually(has_remains, expected=False)


async def test_a_closed_stream_of_events_leaves_no_cycles(store: Store, realtime: Realtime) -> None:
    """A closed stream of events, and one that was refused, leave no reference cycles."""
    with no_collector() as has_remains:
        async with EventClient.to(realtime.port, realtime.token("ana"), params={"topics": "x"}) as ana:
            await ana.until("error")
            await store.sends.send("demo", [notification("hi", users=["ana"])])
            assert await ana.titles(1) == ["hi"]
        async with EventClient.to(realtime.port, params={"ticket": "x"}) as refused:
            assert refused.response.status_code == 401
        # The timers of requests end after ten seconds.
        await eventually(has_remains, expected=False)


async def test_a_closed_stomp_connection_leaves_no_cycles(store: Store, realtime: Realtime) -> None:
    """A closed STOMP connection, in any mode of acknowledgement, leaves no reference cycles."""
    with no_collector() as has_remains:
        for ack in ("auto", "client"):
            async with stomp_socket(realtime.port) as client:
                await client.connected(passcode=realtime.token("ana"), heart_beat="1000,1000")
                await client.subscribe("/user/queue/notifications", ack=ack)
                await store.sends.send("demo", [notification("one", users=["ana"])])
                await client.expect("MESSAGE")
            async with stomp_socket(realtime.port) as client:
                await client.write(b"x\n\n\0")
                await client.expect("ERROR")
        await eventually(has_remains, expected=False)


async def test_a_connection_that_closes_during_a_catch_up_leaves_no_cycles(
    store: Store, realtime: Realtime
) -> None:
    """A connection that is lost during a catch-up leaves no reference cycles.

    Unless the store does not answer in time: the error of a read keeps it. So there are three tries.
    """
    for _ in range(BIG // 10):
        await store.sends.send("demo", [notification("big", users=["ana"], body=BODY)] * 10)
    for _ in range(3):
        with no_collector() as has_remains:
            async with realtime.lazy("ana", resume={"epoch": store.epoch, "positions": {"user": 0}}):
                assert await is_catching_up()
            until = time.monotonic() + 10
            while time.monotonic() < until:
                if not await has_remains():
                    return
                await asyncio.sleep(0.05)
    pytest.fail("it leaves reference cycles")
