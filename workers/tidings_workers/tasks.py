"""Long tasks: they are restarted when they fail, and each failure is counted and logged."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final

from tidings_workers import metrics
from tidings_workers.cancellation import raise_if_cancelled
from tidings_workers.config import Settings
from tidings_workers.logs import get_logger
from tidings_workers.store import Outage, StorageUnavailable, Store

_PAUSE_SECONDS: Final = 0.2
_CANCEL_SECONDS: Final = 0.1

_log = get_logger(__name__)


async def keep_running(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` until it returns. When it fails, start it again after a short pause.

    An unavailable store is expected: the process logs it once (`Outage`), not once per task. Any other error
    is a defect and is logged in full.
    """
    while True:
        try:
            await work()
        except StorageUnavailable as error:
            _log.debug("task waits for the storage", task=name, reason=error.reason, error=str(error))
        except Exception:  # noqa: BLE001 - the process continues after any error
            _log.exception("task failed, restarting it", task=name)
        else:
            return
        raise_if_cancelled()
        metrics.TASK_RESTARTS.labels(task=name).inc()
        await asyncio.sleep(_PAUSE_SECONDS * (0.5 + random.random()))  # noqa: S311 - jitter


async def every(seconds: float, name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` repeatedly, with pauses of `seconds`, also after it fails."""

    async def forever() -> None:
        while True:
            await work()
            raise_if_cancelled()
            await asyncio.sleep(seconds)

    await keep_running(name, forever)


async def open_store(settings: Settings, name: str, stop: asyncio.Event) -> Store | None:
    """Open the store, and wait while it is unavailable. Returns None when `stop` is set before."""
    outage = Outage(logged=True)
    while not stop.is_set():
        with contextlib.suppress(StorageUnavailable):
            return await Store.open(settings, name=name, outage=outage)
        raise_if_cancelled()
        await asyncio.sleep(_PAUSE_SECONDS)
    return None


async def cancel_all(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks and return when all have finished.

    One cancellation may not be enough, because redis-py may swallow it: see `raise_if_cancelled`.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_SECONDS)


class Background:
    """Short tasks that no caller waits for. It keeps references to them, and logs their failures."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` to its end."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, StorageUnavailable):
            _log.debug("task failed: no storage", task=self._name, reason=error.reason, error=str(error))
        elif error is not None:
            _log.error("task failed", task=self._name, exc_info=error)

    async def close(self) -> None:
        """Cancel the running tasks and wait for them."""
        await cancel_all(self._tasks)
