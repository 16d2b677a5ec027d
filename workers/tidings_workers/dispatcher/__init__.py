"""The dispatcher: carries out the work that accepted requests left for other partitions.

It makes the copies of compound notifications, brings memberships and hidden positions to users, follows up on
recalls and deleted groups, removes entries that expired or are too old, and sends events to webhooks.
Dispatchers share the partitions by leases. A lease only saves double work: applying a step twice has no
effect.
"""

import asyncio
import math
import os
import secrets
from collections.abc import Callable
from functools import partial
from typing import Final

from tidings_workers import metrics
from tidings_workers.config import Settings
from tidings_workers.dispatcher.partition import PartitionWorker
from tidings_workers.dispatcher.sweeper import Sweeper
from tidings_workers.logs import get_logger
from tidings_workers.registry import RegistryView
from tidings_workers.store import Store
from tidings_workers.store.leases import LEASE_SECONDS
from tidings_workers.tasks import cancel_all, every, keep_running, open_store
from tidings_workers.webhooks.deliverer import Deliverer

_BEAT_SECONDS: Final = LEASE_SECONDS / 3
_SWEEP_SECONDS: Final = 1.0

_log = get_logger(__name__)


class Dispatcher:
    """Leases a fair share of the partitions, with a worker and a sweeper for each."""

    def __init__(self, store: Store, deliverer: Deliverer | None = None) -> None:
        self.name = f"d{os.getpid()}-{secrets.token_hex(4)}"
        self._store = store
        self._deliverer = deliverer
        self._workers: dict[int, tuple[asyncio.Task[None], ...]] = {}
        self._sweeping = asyncio.Lock()

    async def beat(self) -> None:
        """Renew the leases, release those above the fair share, and lease free partitions up to it."""
        leases = self._store.leases
        fair = math.ceil(self._store.partitions / max(1, await leases.heartbeat(self.name)))
        held = list(self._workers)
        renewed = await asyncio.gather(*(leases.take(partition, self.name) for partition in held))
        for partition, kept in zip(held, renewed, strict=True):
            if not kept:
                await self._stop(partition)
        for partition in list(self._workers)[fair:]:
            await self._stop(partition)
            await leases.release(partition, self.name)
        for partition in range(self._store.partitions):
            if len(self._workers) >= fair:
                break
            if partition not in self._workers and await leases.take(partition, self.name):
                self._start(partition)
        metrics.DISPATCHER_PARTITIONS.set(len(self._workers))

    def _start(self, partition: int) -> None:
        worker = PartitionWorker(self._store, partition)
        sweeper = Sweeper(self._store, partition, self._sweeping)
        tasks = [
            asyncio.create_task(keep_running("partition", worker.run), name=f"partition-{partition}"),
            asyncio.create_task(every(_SWEEP_SECONDS, "sweep", sweeper.sweep), name=f"sweep-{partition}"),
        ]
        if self._deliverer is not None:
            deliver = partial(self._deliverer.run, partition)
            tasks.append(asyncio.create_task(keep_running("webhooks", deliver), name=f"webhooks-{partition}"))
        self._workers[partition] = tuple(tasks)

    async def _stop(self, partition: int) -> None:
        await cancel_all(self._workers.pop(partition))

    async def close(self) -> None:
        """Stop every worker and release the leases."""
        held = list(self._workers)
        await cancel_all(task for tasks in self._workers.values() for task in tasks)
        self._workers.clear()
        await asyncio.gather(
            *(self._store.leases.release(partition, self.name) for partition in held),
            self._store.leases.leave(self.name),
            return_exceptions=True,
        )


async def run(settings: Settings, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Run a dispatcher until `stop` is set; `ready` is called after its first beat."""
    store = await open_store(settings, "dispatcher", stop)
    if store is None:
        return
    view = RegistryView(store.redis)
    store.follow_policies(view.tenant)
    deliverer = Deliverer(store, view, settings.egress_allowed)
    dispatcher = Dispatcher(store, deliverer)
    is_ready = False

    async def beat() -> None:
        nonlocal is_ready
        if not is_ready:
            # The retention sweep needs the rules of the tenants.
            await view.load()
        await dispatcher.beat()
        if not is_ready:
            is_ready = True
            ready()

    running = [
        asyncio.create_task(keep_running("registry", partial(view.run, stop))),
        asyncio.create_task(every(_BEAT_SECONDS, "dispatcher", beat)),
    ]
    try:
        await stop.wait()
    finally:
        await cancel_all(running)
        await dispatcher.close()
        deliverer.close()
        await store.close()
        _log.info("dispatcher stopped")
