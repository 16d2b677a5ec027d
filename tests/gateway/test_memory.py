"""What a connection leaves behind."""

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
# More than the kernel takes for a socket.
BIG = 300


@contextmanager
def no_collector() -> Iterator[None]:
    """Nothing collects reference cycles."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def something_left() -> bool:
    kinds = {WebSocket, CatchUp, Subscriber, Head, Protocol}
    return any(type(each) in kinds for each in gc.get_objects())


async def catching_up() -> bool:
    return any(type(each) is CatchUp for each in gc.get_objects())


async def test_a_closed_connection_leaves_no_cycles(realtime: Realtime) -> None:
    """Nothing of it waits for the collector of cycles, which looks rarely and would find megabytes."""
    with no_collector():
        for _ in range(5):
            async with realtime.user("ana") as ana:
                await ana.settle()
        await eventually(something_left, expected=False)


async def test_a_connection_that_closes_during_a_catch_up_leaves_no_cycles(
    store: Store, realtime: Realtime
) -> None:
    """A connection that is lost while it catches up is freed like any other."""
    for _ in range(BIG // 10):
        await store.sends.send("demo", [notification("big", users=["ana"], body=BODY)] * 10)
    with no_collector():
        async with realtime.lazy("ana", resume={"epoch": store.epoch, "positions": {"user": 0}}):
            assert await catching_up()
        await eventually(something_left, expected=False)
