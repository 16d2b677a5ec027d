"""The work of one partition: read its ingress, carry out the entries in order, trim those that are done."""

import asyncio
from collections.abc import Sequence
from typing import Final

from tidings_workers import metrics
from tidings_workers.dispatcher.expansion import STEP_USERS, Expansion
from tidings_workers.store import Store
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.operations import AppendCopies, Step, Work

_READ: Final = 64


class PartitionWorker:
    """Works on the ingress of one partition until cancelled.

    It may be stopped at any await, and another dispatcher may work on the same partition: every target skips
    the steps that it has applied.
    """

    def __init__(self, store: Store, partition: int) -> None:
        self._store = store
        self._partition = partition
        self._expansion = Expansion(store, partition)

    async def run(self) -> None:
        """Work until cancelled. Raises StorageUnavailable; it may always be started again."""
        reader = self._store.reader(f"ingress-{self._partition}")
        # From the start: entries that were not trimmed may not be done.
        after = "0"
        try:
            while True:
                batch = await self._store.ingress.read(reader, self._partition, after, _READ)
                if batch:
                    await self._carry_out(batch)
                    after = f"{batch[-1].id}-0"
        finally:
            await reader.close()

    async def _carry_out(self, batch: Sequence[Work]) -> None:
        metrics.DISPATCHER_LAG.set(max(0.0, milliseconds() / 1000 - batch[0].id / 1e6))
        steps: list[Step] = []
        size = 0
        async for step in self._expansion.steps(batch):
            steps.append(step)
            size += _weight(step)
            # A full step of copies is applied alone; small steps share their calls.
            if size >= STEP_USERS:
                await self._apply(steps)
                steps, size = [], 0
        await self._apply(steps)
        await self._store.ingress.trim(self._partition, batch[-1].id)
        metrics.DISPATCHER_LAG.set(0)

    async def _apply(self, steps: Sequence[Step]) -> None:
        await self._store.ingress.apply(self._partition, steps)
        await asyncio.gather(*(step.finish() for step in steps if step.finish is not None))


def _weight(step: Step) -> int:
    """How many users a step changes, plus one."""
    operations = (operation for part in step.operations.values() for operation in part)
    return 1 + sum(len(each.bases) if isinstance(each, AppendCopies) else 1 for each in operations)
