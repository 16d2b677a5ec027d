"""A client that does not read uses bounded memory, delays no other client, and loses nothing."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest
from msgspec.structs import replace

from tests.support.realtime import Client, Realtime, delivered, masked
from tests.support.sending import notification
from tidings.protocol import limits
from tidings_workers.config import Settings
from tidings_workers.store import Store

BODY = "x" * 30_000
BIG = 300
OUTBOX = 2 * limits.FRAME_BYTES


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, outbox_bytes=OUTBOX)


async def measure(store: Store, clients: list[Client]) -> float:
    """The 99th percentile of the seconds from send to receipt, while another user gets large ones."""
    delays: list[float] = []

    async def receive(client: Client, started: float) -> None:
        await client.expect("notification")
        delays.append(time.monotonic() - started)

    async def load() -> None:
        for _ in range(BIG // 10):
            await store.sends.send("demo", [notification("big", users=["slow"], body=BODY)] * 10)

    loading = asyncio.create_task(load())
    for _ in range(20):
        started = time.monotonic()
        await store.sends.send("demo", [notification("small", to_all=True)])
        await asyncio.gather(*(receive(client, started) for client in clients))
    await loading
    return sorted(delays)[int(len(delays) * 0.99)]


async def test_delays_no_other_client(store: Store, realtime: Realtime) -> None:
    """A client that reads nothing is closed with 4100 after a bounded outbox, without delay for others."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(realtime.user(f"u{number}")) for number in range(50)]
        async with realtime.user("slow") as reader:
            reading = asyncio.create_task(reader.closed(60))
            before = await measure(store, clients)
            reading.cancel()
            await asyncio.wait([reading])
        async with realtime.lazy("slow") as wire:
            beside = await measure(store, clients)
            received, code = 0, 0
            while not code:
                first, payload = await wire.frame()
                received += len(payload)
                code = int.from_bytes(payload[:2]) if first == 0x88 else 0
        assert code == 4100
        # The kernel's buffers and the outbox.
        assert received < BIG * len(BODY) * 0.9
        assert beside < 3 * before + 0.1
    resume = {"epoch": store.epoch, "positions": {"user": BIG, "all": 20}}
    async with realtime.user("slow", resume=resume) as back:
        frames = await back.until("caught_up")
        expected = [*(("user", BIG + number) for number in range(1, BIG + 1))]
        assert [each for each in delivered(frames) if each[0] == "user"] == expected


async def test_unread_pongs(realtime: Realtime) -> None:
    """A flood of pings from a client that reads no answers is closed as a flood."""
    async with realtime.lazy("slow") as wire:
        wire.write(masked("x" * 125, 0x89) * 1000)
        assert await wire.close_code() == 4101
