"""The delays of clients beside one that gets more than it reads."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from tests.support.realtime import Wire
from tests.support.sending import notification
from tidings_workers.store import Store

# The large notifications that the user gets: their number, and the text of each.
BIG = 300
BODY = "x" * 30_000


async def measure(store: Store, receivers: Sequence[Callable[[], Awaitable[None]]], slow: str) -> float:
    """The 99th percentile of the seconds from send to receipt, while the user `slow` gets large ones.

    Each of `receivers` returns when its client has received the next small one.
    """
    delays: list[float] = []

    async def receive(receiver: Callable[[], Awaitable[None]], started: float) -> None:
        await receiver()
        delays.append(time.monotonic() - started)

    async def load() -> None:
        for _ in range(BIG // 10):
            await store.sends.send("demo", [notification("big", users=[slow], body=BODY)] * 10)

    loading = asyncio.create_task(load())
    for _ in range(20):
        started = time.monotonic()
        await store.sends.send("demo", [notification("small", to_all=True)])
        await asyncio.gather(*(receive(receiver, started) for receiver in receivers))
    await loading
    return sorted(delays)[int(len(delays) * 0.99)]


async def rest_of(wire: Wire) -> tuple[int, int]:
    """The bytes that arrive until the close, and its code."""
    received, code = 0, 0
    while not code:
        first, payload = await wire.frame()
        received += len(payload)
        code = int.from_bytes(payload[:2]) if first == 0x88 else 0
    return received, code
