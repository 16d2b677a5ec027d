"""The partitions that a process has leased, each with the tasks that work on it."""

import asyncio
import math
import os
import secrets
from collections.abc import Callable, Sequence

from tidings_workers.store.leases import Leases
from tidings_workers.tasks import cancel_all

Start = Callable[[int], Sequence[asyncio.Task[None]]]
"""Starts the tasks of a partition."""


class LeasedPartitions:
    """Leases a fair share of the partitions, and runs the tasks of each. `name` is that of the process."""

    def __init__(self, leases: Leases, partitions: int, letter: str, start: Start) -> None:
        self.name = f"{letter}{os.getpid()}-{secrets.token_hex(4)}"
        self._leases = leases
        self._partitions = partitions
        self._start = start
        self._tasks: dict[int, Sequence[asyncio.Task[None]]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, partition: int) -> bool:
        return partition in self._tasks

    async def beat(self) -> None:
        """Renew the leases, release those above the fair share, and lease free partitions up to it."""
        fair = math.ceil(self._partitions / max(1, await self._leases.heartbeat(self.name)))
        held = list(self._tasks)
        renewed = await asyncio.gather(*(self._leases.take(partition, self.name) for partition in held))
        for partition, kept in zip(held, renewed, strict=True):
            if not kept:
                await self._stop(partition)
        for partition in list(self._tasks)[fair:]:
            await self._stop(partition)
            await self._leases.release(partition, self.name)
        for partition in range(self._partitions):
            if len(self._tasks) >= fair:
                break
            if partition not in self._tasks and await self._leases.take(partition, self.name):
                self._tasks[partition] = self._start(partition)

    async def _stop(self, partition: int) -> None:
        await cancel_all(self._tasks.pop(partition))

    async def close(self) -> None:
        """Stop every task and release the leases."""
        held = list(self._tasks)
        await cancel_all(task for tasks in self._tasks.values() for task in tasks)
        self._tasks.clear()
        await asyncio.gather(
            *(self._leases.release(partition, self.name) for partition in held),
            self._leases.leave(self.name),
            return_exceptions=True,
        )
