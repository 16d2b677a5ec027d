"""Periodic work on a partition: finishes unfinished sends and runs the retention sweep."""

import asyncio
import time
from typing import Final

from tidings_workers.store import Store

# The sweeps of a dispatcher use the store for at most one part in this many of the time.
_SHARE: Final = 4


class Sweeper:
    """Sweeps one partition. The sweepers of a dispatcher share `turn`, so that one sweeps at a time."""

    def __init__(self, store: Store, partition: int, turn: asyncio.Lock) -> None:
        self._store = store
        self._partition = partition
        self._turn = turn

    async def sweep(self) -> None:
        """Finish unfinished sends, and remove entries that expired or are too old.

        Raises StorageUnavailable; it may always be called again.
        """
        retention = self._store.retention
        # Concurrent calls share one round trip.
        bases, _ = await asyncio.gather(
            retention.due(self._partition), self._store.ingress.adopt(self._partition)
        )
        while bases:
            async with self._turn:
                started = time.monotonic()
                await retention.sweep(self._partition, bases)
                await asyncio.sleep((time.monotonic() - started) * (_SHARE - 1))
            bases = await retention.due(self._partition)
