"""A client that does not read uses bounded memory, delays no other client, and loses nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

import pytest
from msgspec.structs import replace

from tests.support.delays import BIG, BODY, measure, rest_of
from tests.support.realtime import Client, Realtime, delivered, masked
from tidings.protocol import limits
from tidings_workers.config import Settings
from tidings_workers.store import Store

OUTBOX = 2 * limits.FRAME_BYTES


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, outbox_bytes=OUTBOX)


async def received_by(client: Client) -> None:
    """Receive the next notification."""
    await client.expect("notification")


async def is_delayed(
    store: Store, realtime: Realtime, receivers: Sequence[Callable[[], Awaitable[None]]], slow: str
) -> bool:
    """Whether a client that reads nothing delays others. It is closed with 4100 after a bounded outbox."""
    async with realtime.user(slow) as reader:
        reading = asyncio.create_task(reader.closed(60))
        before = await measure(store, receivers, slow)
        reading.cancel()
        await asyncio.wait([reading])
    async with realtime.lazy(slow) as wire:
        beside = await measure(store, receivers, slow)
        received, code = await rest_of(wire)
    assert code == 4100
    # The kernel's buffers and the outbox.
    assert received < BIG * len(BODY) * 0.9
    return beside >= 3 * before + 0.1


async def test_delays_no_other_client(store: Store, realtime: Realtime) -> None:
    """A client that reads nothing is closed, without delay for others, and loses nothing.

    Other work may stop the machine once. So a delay has to be seen with three such clients.
    """
    slow = ["slow", "slower", "slowest"]
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(realtime.user(f"u{number}")) for number in range(50)]
        receivers = [partial(received_by, client) for client in clients]
        for name in slow:
            if not await is_delayed(store, realtime, receivers, name):
                break
        else:
            pytest.fail("others are delayed")
    resume = {"epoch": store.epoch, "positions": {"user": BIG, "all": 40 * slow.index(name) + 20}}
    async with realtime.user(name, resume=resume) as back:
        frames = await back.until("caught_up")
        expected = [*(("user", BIG + number) for number in range(1, BIG + 1))]
        assert [each for each in delivered(frames) if each[0] == "user"] == expected


async def test_unread_pongs(realtime: Realtime) -> None:
    """A flood of pings from a client that reads no answers is closed as a flood."""
    async with realtime.lazy("slow") as wire:
        wire.write(masked("x" * 125, 0x89) * 1000)
        assert await wire.close_code() == 4101
