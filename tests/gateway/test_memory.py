"""The memory of closed connections."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from websockets.protocol import Protocol

from tests.support.realtime import Realtime
from tests.support.sending import eventually, notification
from tidings_workers.gateway.catchup import CatchUp
from tidings_workers.gateway.head import Head
from tidings_workers.gateway.users import Subscriber
from tidings_workers.gateway.websocket import WebSocket
from tidings_workers.store import Store

BODY = "x" * 30_000
# More than fits into the kernel's buffers of a socket.
BIG = 300


@contextmanager
def no_collector() -> Iterator[None]:
    """Turn the collector of reference cycles off."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def has_remains() -> bool:
    kinds = {WebSocket, CatchUp, Subscriber, Head, Protocol}
    return any(type(each) in kinds for each in gc.get_objects())


async def is_catching_up() -> bool:
    return any(type(each) is CatchUp for each in gc.get_objects())


async def test_a_closed_connection_leaves_no_cycles(realtime: Realtime) -> None:
    """A closed connection leaves no reference cycles, which the collector would free late."""
    with no_collector():
        for _ in range(5):
            async with realtime.user("ana") as ana:
                await ana.settle()
        await eventually(has_remains, expected=False)


async def test_a_connection_that_closes_during_a_catch_up_leaves_no_cycles(
    store: Store, realtime: Realtime
) -> None:
    """A connection that is lost during a catch-up leaves no reference cycles."""
    for _ in range(BIG // 10):
        await store.sends.send("demo", [notification("big", users=["ana"], body=BODY)] * 10)
    with no_collector():
        async with realtime.lazy("ana", resume={"epoch": store.epoch, "positions": {"user": 0}}):
            assert await is_catching_up()
        await eventually(has_remains, expected=False)
