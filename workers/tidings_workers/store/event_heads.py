"""Waiting for events: one look at all partitions serves every reader of the process."""

import asyncio
from collections.abc import Mapping
from typing import Final

from tidings_workers.store.core import Core
from tidings_workers.store.errors import StorageUnavailable

_LOOK_SECONDS: Final = 0.1
_TENANTS_AT_ONCE: Final = 500


class Heads:
    """Looks ten times a second, while somebody waits, whether tenants have new events."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._waiting: dict[str, list[tuple[Mapping[int, int], asyncio.Future[None]]]] = {}
        self._looking: asyncio.Task[None] | None = None
        self.is_stopping = False

    async def wait(self, tenant: str, heads: Mapping[int, int], seconds: float) -> None:
        """Return when a last number of the tenant differs from those of `heads`, or after a time.

        Raises StorageUnavailable.
        """
        if self.is_stopping:
            return
        future = asyncio.get_running_loop().create_future()
        row = (heads, future)
        self._waiting.setdefault(tenant, []).append(row)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_while_waited())
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            pass
        finally:
            rows = self._waiting.get(tenant, [])
            if row in rows:
                rows.remove(row)
            if not rows:
                self._waiting.pop(tenant, None)

    def waiting(self, tenant: str) -> int:
        """How many waits of the tenant are in progress."""
        return len(self._waiting.get(tenant, ()))

    def stop(self) -> None:
        """End all waits, and from now on return from each at once."""
        self.is_stopping = True
        for rows in self._waiting.values():
            for _, future in rows:
                if not future.done():
                    future.set_result(None)

    async def _look_while_waited(self) -> None:
        while self._waiting:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self._look(list(self._waiting))
            except StorageUnavailable as failure:
                for rows in self._waiting.values():
                    for _, future in rows:
                        if not future.done():
                            future.set_exception(StorageUnavailable(str(failure), failure.reason))

    async def _look(self, tenants: list[str]) -> None:
        partitions = range(self._core.partitions)
        for start in range(0, len(tenants), _TENANTS_AT_ONCE):
            some = tenants[start : start + _TENANTS_AT_ONCE]
            rows = await asyncio.gather(*(self._core.run("event_heads", part, *some) for part in partitions))
            for tenant, *numbers in zip(some, *rows, strict=True):
                for heads, future in self._waiting.get(tenant, ()):
                    if not future.done() and any(
                        heads.get(partition, 0) != number for partition, number in enumerate(numbers)
                    ):
                        future.set_result(None)
