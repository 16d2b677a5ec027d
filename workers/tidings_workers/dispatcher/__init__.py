"""The dispatcher: carries out the work that accepted requests left for other partitions.

It makes the copies of compound notifications, brings memberships and hidden positions to users, follows up on
recalls and deleted groups, removes entries that expired or are too old, and sends events to webhooks.
Dispatchers share the partitions by leases. A lease only saves double work: applying a step twice has no
effect.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from tidings_workers import metrics
from tidings_workers.config import BACKLOG_BYTES, Settings
from tidings_workers.dispatcher.partition import PartitionWorker
from tidings_workers.dispatcher.sweeper import Backlog, Sweeper
from tidings_workers.leasing import LeasedPartitions
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

    def __init__(
        self, store: Store, deliverer: Deliverer | None = None, backlog_bytes: int = BACKLOG_BYTES
    ) -> None:
        self._store = store
        self._deliverer = deliverer
        self._sweeping = asyncio.Lock()
        self.backlog = Backlog(store, backlog_bytes) if store.archive is not None else None
        self.partitions = LeasedPartitions(store.leases, store.partitions, "d", self._start)

    @property
    def name(self) -> str:
        """The name of this dispatcher in its leases."""
        return self.partitions.name

    async def beat(self) -> None:
        """Renew the leases, and take a fair share of the partitions."""
        await self.partitions.beat()
        metrics.DISPATCHER_PARTITIONS.set(len(self.partitions))

    def _start(self, partition: int) -> list[asyncio.Task[None]]:
        worker = PartitionWorker(self._store, partition)
        sweeper = Sweeper(self._store, partition, self._sweeping, self.backlog)
        tasks = [
            asyncio.create_task(keep_running("partition", worker.run), name=f"partition-{partition}"),
            asyncio.create_task(every(_SWEEP_SECONDS, "sweep", sweeper.sweep), name=f"sweep-{partition}"),
        ]
        if self._deliverer is not None:
            deliver = partial(self._deliverer.run, partition)
            tasks.append(asyncio.create_task(keep_running("webhooks", deliver), name=f"webhooks-{partition}"))
        return tasks

    async def close(self) -> None:
        """Stop every worker and release the leases."""
        await self.partitions.close()


async def run(settings: Settings, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Run a dispatcher until `stop` is set; `ready` is called after its first beat."""
    store = await open_store(settings, "dispatcher", stop)
    if store is None:
        return
    view = RegistryView(store.redis)
    store.follow_policies(view.tenant)
    deliverer = Deliverer(store, view, settings.egress_allowed)
    dispatcher = Dispatcher(store, deliverer, settings.archive_backlog_bytes)
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
    if dispatcher.backlog is not None:
        running.append(asyncio.create_task(keep_running("backlog", dispatcher.backlog.run)))
    try:
        await stop.wait()
    finally:
        await cancel_all(running)
        await dispatcher.close()
        deliverer.close()
        await store.close()
        _log.info("dispatcher stopped")
