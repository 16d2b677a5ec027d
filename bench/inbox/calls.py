"""Calls of the store, as the API makes them, timed one at a time.

The time is the server's part of a request without HTTP: the store's code, which runs in this process as it
does in the API's, and Valkey on the servers' core. HTTP has figures of its own.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

from bench.measurement import Measurement
from bench.poller import Stalled
from bench.server import Server
from tidings_workers.config import Settings
from tidings_workers.store import Store
from tidings_workers.store.keys import ingress

_PATIENCE_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.002


@contextlib.asynccontextmanager
async def opened(running: Server) -> AsyncIterator[Store]:
    """The open store of a running server."""
    settings = msgspec.structs.replace(Settings.from_environment({}), redis_url=running.store)
    store = await Store.open(settings, name="bench")
    try:
        yield store
    finally:
        await store.close()


async def timed(
    name: str,
    running: Server,
    calls: Sequence[Callable[[], Awaitable[object]]],
    *,
    prepare: Callable[[], Awaitable[object]] | None = None,
    **facts: float,
) -> Measurement:
    """The median time of a call in ms, and the CPU time per call of this process and of Valkey.

    `prepare` runs before each call and is not measured.
    """
    valkey = running.processes["valkey"]
    seconds, own, stored = [], 0.0, 0.0
    for call in calls:
        if prepare is not None:
            await prepare()
        used, theirs = time.process_time(), main_thread_seconds(valkey)
        started = time.perf_counter()
        await call()
        seconds.append(time.perf_counter() - started)
        own, stored = own + time.process_time() - used, stored + main_thread_seconds(valkey) - theirs
    count = len(seconds)
    cpu = {"us_api": own / count * 1e6, "us_valkey": stored / count * 1e6}
    return Measurement(name, median(seconds) * 1e3, "ms", {"count": count, **cpu, **facts})


async def dispatched(store: Store) -> None:
    """Wait until the dispatcher has finished all its work: receipts, memberships."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while any([await store.redis.xlen(ingress(partition)) for partition in range(store.partitions)]):
        if time.monotonic() > deadline:
            raise Stalled(f"the dispatcher was not done within {_PATIENCE_SECONDS:g} s")
        await asyncio.sleep(_PAUSE_SECONDS)


def main_thread_seconds(pid: int) -> float:
    """CPU time of a process' main thread: exact, while that of all threads has steps of 10 ms."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
