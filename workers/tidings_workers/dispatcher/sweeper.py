"""Regular work on a partition: finishing what others left, and taking out what has ended or is too old."""

import asyncio
import time
from typing import Final

from tidings_workers.store import Store

# Of the store's time, a dispatcher's sweeps take no more than one part in so many.
_SHARE: Final = 4


class Sweeper:
    """Sweeps one partition, in turn with the other sweepers of its dispatcher."""

    def __init__(self, store: Store, partition: int, turn: asyncio.Lock) -> None:
        self._store = store
        self._partition = partition
        self._turn = turn

    async def sweep(self) -> None:
        """Finish what others left, and take out everything that is due.

        Raises StorageUnavailable; starting again is always safe.
        """
        retention = self._store.retention
        # Together: it is one round trip then.
        bases, _ = await asyncio.gather(
            retention.due(self._partition), self._store.ingress.adopt(self._partition)
        )
        while bases:
            async with self._turn:
                started = time.monotonic()
                await retention.sweep(self._partition, bases)
                await asyncio.sleep((time.monotonic() - started) * (_SHARE - 1))
            bases = await retention.due(self._partition)
