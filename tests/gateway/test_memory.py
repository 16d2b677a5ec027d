"""What a connection leaves behind."""

import gc

from websockets.protocol import Protocol

from tests.support.realtime import Realtime
from tests.support.sending import eventually
from tidings_workers.gateway.connection import Connection
from tidings_workers.gateway.head import Head


async def something_left() -> bool:
    return any(type(each) in {Connection, Head, Protocol} for each in gc.get_objects())


async def test_a_closed_connection_leaves_no_cycles(realtime: Realtime) -> None:
    """Nothing of it waits for the collector of cycles, which looks rarely and would find megabytes."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            async with realtime.user("ana") as ana:
                await ana.settle()
        await eventually(something_left, expected=False)
    finally:
        gc.enable()
