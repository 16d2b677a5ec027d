"""Dispatchers share the partitions, and take over those of a dispatcher that stopped or died."""

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator

from tests.support.dispatching import dispatcher_process, owners, waiting
from tests.support.sending import eventually, notification
from tidings_workers.config import Settings
from tidings_workers.dispatcher import Dispatcher, run
from tidings_workers.store import Store

# A lease lasts three seconds, and the other dispatchers check every second.
TAKEOVER_SECONDS = 4.5


async def shares(store: Store) -> list[int]:
    """How many partitions each dispatcher has leased, sorted, without free ones."""
    return sorted(Counter(owner for owner in await owners(store) if owner is not None).values())


async def test_sharing(store: Store) -> None:
    """Each new dispatcher gets a fair share within two beats, and every partition has one owner."""
    running: list[Dispatcher] = []
    for expected in ([16], [8, 8], [4, 6, 6], [4, 4, 4, 4]):
        running.append(Dispatcher(store))
        for _ in range(2):
            for dispatcher in running:
                await dispatcher.beat()
        assert await shares(store) == expected
        assert [len(dispatcher.partitions) for dispatcher in running] == [
            (await owners(store)).count(dispatcher.name) for dispatcher in running
        ]
    await asyncio.gather(*(dispatcher.close() for dispatcher in running))


async def test_orderly_stop(store: Store) -> None:
    """A dispatcher that stops releases its leases at once, and the next beat of another takes them."""
    first, second = Dispatcher(store), Dispatcher(store)
    for dispatcher in (first, second, first, second):
        await dispatcher.beat()
    await first.close()
    assert await shares(store) == [8]
    await second.beat()
    assert await owners(store) == [second.name] * 16
    await second.close()
    assert await owners(store) == [None] * 16


async def test_lost_lease(store: Store) -> None:
    """A dispatcher stops its work on a partition when another dispatcher has the lease."""
    first, second = Dispatcher(store), Dispatcher(store)
    await first.beat()
    await store.redis.delete("{p5}/lease")
    assert await store.leases.take(5, second.name)
    await first.beat()
    assert 5 not in first.partitions
    assert (await owners(store))[5] == second.name
    await first.close()


@contextlib.asynccontextmanager
async def running_here(settings: Settings) -> AsyncIterator[None]:
    """A dispatcher that runs in this process."""
    stop, ready = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(run(settings, stop, ready.set))
        await ready.wait()
        try:
            yield
        finally:
            stop.set()


async def test_killed(settings: Settings, store: Store) -> None:
    """Another dispatcher takes over the partitions and the work of a killed one within seconds."""
    with dispatcher_process(settings) as process:
        await eventually(lambda: shares(store), [16])
        async with running_here(settings):
            await eventually(lambda: shares(store), [8, 8])
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed = time.monotonic()
            await store.sends.send("demo", [notification(str(n), users=["ana", f"b{n}"]) for n in range(50)])
            await eventually(lambda: shares(store), [16])
            await eventually(lambda: waiting(store), 0)
            assert time.monotonic() - killed < TAKEOVER_SECONDS
    assert await owners(store) == [None] * 16
