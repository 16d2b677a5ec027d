"""Long tasks: restarted when they fail, counted, and never silent."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final

import structlog

from tidings_workers import metrics
from tidings_workers.config import Settings
from tidings_workers.store import Outage, StorageUnavailable, Store

_PAUSE_SECONDS: Final = 0.2
_CANCEL_SECONDS: Final = 0.1

_log = structlog.get_logger()


async def keep_running(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` until it returns; start it again when it fails, after a short pause.

    A store that is away is expected, and the process says so once (`Outage`), whatever number of its
    tasks meets it; anything else is a defect and is logged whole.
    """
    while True:
        try:
            await work()
        except StorageUnavailable as error:
            _log.debug("task waits for the storage", task=name, reason=error.reason, error=str(error))
        except Exception:  # noqa: BLE001 - whatever it is, the process goes on and the log says so
            _log.exception("task failed and starts again", task=name)
        else:
            return
        metrics.TASK_RESTARTS.labels(task=name).inc()
        await asyncio.sleep(_PAUSE_SECONDS * (0.5 + random.random()))  # noqa: S311 - jitter


async def every(seconds: float, name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` again and again, this long apart, whatever happens to a single time."""

    async def forever() -> None:
        while True:
            await work()
            await asyncio.sleep(seconds)

    await keep_running(name, forever)


async def open_store(settings: Settings, name: str, stop: asyncio.Event) -> Store | None:
    """Open the store, waiting for it as long as it is away; None when `stop` came first."""
    outage = Outage(logged=True)
    while not stop.is_set():
        with contextlib.suppress(StorageUnavailable):
            return await Store.open(settings, name=name, outage=outage)
        await asyncio.sleep(_PAUSE_SECONDS)
    return None


async def cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks and return when all have ended.

    One cancellation is not enough: `asyncio.wait_for` of Python 3.11, through which redis-py sends,
    swallows the one that meets its result.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_SECONDS)


class Background:
    """Short tasks nobody waits for: kept, counted, and their failures logged."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` to its end."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, StorageUnavailable):
            _log.debug("task failed: no storage", task=self._name, reason=error.reason, error=str(error))
        elif error is not None:
            _log.error("task failed", task=self._name, exc_info=error)

    async def close(self) -> None:
        """Cancel what still runs and wait for it."""
        await cancelled(self._tasks)
