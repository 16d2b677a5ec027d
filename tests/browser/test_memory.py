"""The memory of an open page does not grow with time."""

import asyncio
from itertools import count

from playwright.async_api import CDPSession

from tests.browser.conftest import NewDevice
from tests.browser.screen import CLIENT, Sender, Tab
from tests.support.stack import Stack

# A client keeps the state of this number of notifications.
REMEMBERED = 10_000
BATCH = 1_000
PER_SECOND = 100
SECONDS = 6
# Bytes per arrival between the first and the last measurement. A kept notification takes some hundreds.
GROWTH = 60
NODES = 2_000


async def test_an_endless_stream_keeps_memory_constant(device: NewDevice, dev: Stack) -> None:
    """With the list open and 100 arrivals a second, the memory and the number of nodes stay constant."""
    tab = await (await device()).tab("ana")
    await tab.look()
    session = await tab.page.context.new_cdp_session(tab.page)
    await session.send("Performance.enable")
    numbers = count(1)

    async def send(number: int) -> None:
        titles = [f"Number {next(numbers)}" for _ in range(number)]
        await asyncio.to_thread(Sender(dev).send, *titles, users=["ana"])

    for _ in range(REMEMBERED // BATCH):
        await send(BATCH)
    sent = REMEMBERED
    sizes: list[float] = []
    for _ in range(3):
        began = asyncio.get_running_loop().time()
        for tenth in range(1, 10 * SECONDS + 1):
            await send(PER_SECOND // 10)
            await asyncio.sleep(began + tenth / 10 - asyncio.get_running_loop().time())
        sent += PER_SECOND * SECONDS
        sizes.append(await heap(tab, session, sent))
    assert (sizes[2] - sizes[0]) / (2 * PER_SECOND * SECONDS) < GROWTH, sizes
    assert await metric(session, "Nodes") < NODES


async def heap(tab: Tab, session: CDPSession, unread: int) -> float:
    """The bytes of the page's heap, after all notifications arrived and a garbage collection.

    The least of three measurements: the browser keeps some code and buffers for a moment.
    """
    await tab.until(f"{CLIENT}.counts.unread === {unread}")
    sizes = []
    for _ in range(3):
        await session.send("HeapProfiler.collectGarbage")
        sizes.append(await metric(session, "JSHeapUsedSize"))
    return min(sizes)


async def metric(session: CDPSession, name: str) -> float:
    """One metric of the browser for a page."""
    metrics = (await session.send("Performance.getMetrics"))["metrics"]
    return next(float(metric["value"]) for metric in metrics if metric["name"] == name)
