"""The archiver: moves what the retention would remove from Redis into the archive, an SQL database.

The retention sweep of the dispatchers puts the logs with old entries into a list. Archivers share the
partitions by leases, and empty these lists. They also remove from the archive what its own retention ends.
While the archive does not answer, the entries wait in Redis; beyond a number of bytes the sweep removes them
without a copy.
"""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import Final

from tidings_workers import metrics
from tidings_workers.archive import Archive, ArchiveError, ArchiveMisconfigured
from tidings_workers.archiver.mover import Mover
from tidings_workers.archiver.upkeep import Upkeep
from tidings_workers.config import Settings
from tidings_workers.config_checks import ConfigurationError
from tidings_workers.leasing import LeasedPartitions
from tidings_workers.logs import get_logger
from tidings_workers.processes import is_supervised
from tidings_workers.registry import RegistryView
from tidings_workers.store import Store
from tidings_workers.store.leases import LEASE_SECONDS
from tidings_workers.tasks import cancel_all, every, keep_running, open_store

_BEAT_SECONDS: Final = LEASE_SECONDS / 3
_MOVE_SECONDS: Final = 1.0
_BACKLOG_SECONDS: Final = 10.0
_UPKEEP_SECONDS: Final = 600.0
_MIGRATION_SECONDS: Final = 1.0

_log = get_logger(__name__)


class Archiver:
    """Leases a fair share of the partitions, and moves the old entries of each."""

    def __init__(self, store: Store, archive: Archive) -> None:
        self._store = store
        self._archive = archive
        self._failing = False
        self.partitions = LeasedPartitions(store.archivers, store.partitions, "a", self._start)

    def _start(self, partition: int) -> list[asyncio.Task[None]]:
        mover = Mover(self._store, self._archive, partition)
        move = partial(self._move, mover)
        return [asyncio.create_task(every(_MOVE_SECONDS, "archiver", move), name=f"archiver-{partition}")]

    async def _move(self, mover: Mover) -> None:
        try:
            await mover.move()
        except ArchiveError as error:
            # One line for an outage, not one for each partition and second.
            if not self._failing:
                _log.error("the archive does not work: its entries wait in the store", reason=str(error))
            self._failing = True
            metrics.ARCHIVE_ERRORS.inc()
        else:
            if self._failing:
                _log.info("the archive works again")
            self._failing = False

    async def measure(self) -> None:
        """Report how many bytes wait."""
        metrics.ARCHIVE_BACKLOG.set(await self._store.archiving.backlog())


async def run(settings: Settings, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Run an archiver until `stop` is set; `ready` is called after its first beat.

    Raises ArchiveMisconfigured when an operator has to act. An archiver of `dev` waits then, because its exit
    would end the other parts, which work without the archive.
    """
    is_patient = is_supervised()
    if not settings.archives:
        raise ConfigurationError(
            "TIDINGS_ARCHIVE_URL is not set: name a database, such as sqlite:////var/lib/tidings/history.db"
        )
    store = await open_store(settings, "archiver", stop)
    if store is None or (archive := store.archive) is None:
        return
    view = RegistryView(store.redis)
    store.follow_policies(view.tenant)
    archiver = Archiver(store, archive)
    upkeep = Upkeep(archive, view)
    is_ready = False

    async def beat() -> None:
        nonlocal is_ready
        if not is_ready:
            # The rules of the tenants say how old an entry may become.
            await view.load()
            is_ready = True
            # Also while the archive is away: the live inboxes do not need it.
            ready()
        if is_migrated.is_set():
            await archiver.partitions.beat()

    is_migrated = asyncio.Event()
    running = [
        asyncio.create_task(keep_running("registry", partial(view.run, stop))),
        asyncio.create_task(every(_BEAT_SECONDS, "archiver", beat)),
        asyncio.create_task(every(_BACKLOG_SECONDS, "backlog", archiver.measure)),
    ]
    try:
        if await _migrate(archive, stop, is_patient=is_patient):
            is_migrated.set()
            running.append(asyncio.create_task(every(_UPKEEP_SECONDS, "upkeep", upkeep.run)))
            await stop.wait()
    finally:
        await cancel_all(running)
        await archiver.partitions.close()
        await store.close()
        _log.info("archiver stopped")


async def _migrate(archive: Archive, stop: asyncio.Event, *, is_patient: bool) -> bool:
    """Bring the tables up to this version; wait while the archive does not work. False: `stop` was set.

    Raises ArchiveMisconfigured, unless `is_patient`.
    """
    fault = ""
    while not stop.is_set():
        try:
            await archive.migrate()
        except ArchiveError as error:
            if isinstance(error, ArchiveMisconfigured) and not is_patient:
                raise
            metrics.ARCHIVE_ERRORS.inc()
            if str(error) != fault:
                fault = str(error)
                _log.error("waiting for the archive: its entries wait in the store", reason=fault)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _MIGRATION_SECONDS)
        else:
            return True
    return False
