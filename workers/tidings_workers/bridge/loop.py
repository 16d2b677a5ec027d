"""The loop of one source or sink: one try after another, with a pause after each fault."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from tidings_workers.bridge.brokers import BrokerError
from tidings_workers.bridge.configuration import Table
from tidings_workers.bridge.status import Status
from tidings_workers.logs import get_logger, one_line
from tidings_workers.store import StorageUnavailable

FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 5.0
# Before a message that is not valid, and has no dead letters, is tried again.
ALARM_SECONDS: Final = 30.0
TENANT_PAUSE_SECONDS: Final = 0.5

T = TypeVar("T")

_log = get_logger(__name__)


class Stopped(Exception):
    """`stop` is set, and nothing is in progress."""


class Blocked(Exception):
    """A message is not valid, and there are no dead letters."""


class Loop:
    """The work of one table until `stop` is set. `has_tenant`: whether the tenant exists now."""

    def __init__(
        self, table: Table, status: Status, has_tenant: Callable[[], bool], stop: asyncio.Event
    ) -> None:
        self._table = table
        self._status = status
        self._has_tenant = has_tenant
        self._stop = stop

    async def run(self) -> None:
        """Work until `stop` is set, and finish the work in progress."""
        failures = 0
        while not self._stop.is_set():
            accepted = self._status.accepted
            pause = 0.0
            try:
                await self._until_stop(self._tenant())
                await self._try()
            except Stopped:
                return
            except Blocked as blocked:
                pause = ALARM_SECONDS
                self._status.pauses("refused", str(blocked))
            except Exception as error:  # noqa: BLE001 - whatever it is, the others and the next try go on
                failures = 1 if self._status.accepted > accepted else failures + 1
                pause = min(FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 8), LONGEST_PAUSE_SECONDS)
                self._fails(error)
            await self._sleep(pause)

    async def _try(self) -> None:
        """Work until a fault, which it raises. Raises Stopped when `stop` is set."""
        raise NotImplementedError

    def _fails(self, error: Exception) -> None:
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, BrokerError):
            self._status.pauses("broker", str(error))
        elif isinstance(error, StorageUnavailable):
            self._status.pauses("storage", f"{error} {error.cure}")
        else:
            _log.error(f"{self._table.kind} failed", name=self._table.name, exc_info=error)
            self._status.pauses("internal_error", one_line(error))

    async def _until_stop(self, work: Awaitable[T], beside: asyncio.Task[None] | None = None) -> T:
        """The result of `work`. Raises Stopped when `stop` is set before, and the error of `beside`."""
        working = asyncio.ensure_future(work)
        stopping = asyncio.create_task(self._stop.wait())
        others = [each for each in (stopping, beside) if each is not None]
        try:
            await asyncio.wait([working, *others], return_when=asyncio.FIRST_COMPLETED)
            if working.cancelled():
                raise BrokerError("the connection was cancelled: see the log of the broker")
            if working.done():
                return working.result()
            if beside is not None and beside.done():
                beside.result()
            raise Stopped
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.wait([working, stopping])

    async def _tenant(self) -> None:
        while not self._has_tenant():
            tenant = self._table.tenant
            self._status.pauses(
                "tenant", f"the tenant {tenant} does not exist: tidings-server tenants create {tenant}"
            )
            await asyncio.sleep(TENANT_PAUSE_SECONDS)

    async def _sleep(self, seconds: float) -> None:
        """Sleep, but not after `stop` is set."""
        seconds *= 0.5 + random.random() / 2  # noqa: S311 - jitter
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return
