"""Periodic work on a partition: finishes unfinished sends, ends snoozes, runs the retention sweep."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from tidings_workers.store import Store
from tidings_workers.store.ids import milliseconds

# The sweeps of a dispatcher use the store for at most one part in this many of the time.
_SHARE: Final = 4


class Sweeper:
    """Sweeps one partition. The sweepers of a dispatcher share `turn`, so that one sweeps at a time."""

    def __init__(self, store: Store, partition: int, turn: asyncio.Lock) -> None:
        self._store = store
        self._partition = partition
        self._turn = turn

    async def sweep(self) -> None:
        """Finish unfinished sends, return what is no longer snoozed, and remove what expired or is too old.

        Raises StorageUnavailable; it may always be called again.
        """
        # Concurrent calls share one round trip.
        (users, bases), _ = await asyncio.gather(self._due(), self._store.ingress.adopt(self._partition))
        while users or bases:
            if users:
                await self._wake(users)
            if bases:
                async with self._turn:
                    started = time.monotonic()
                    await self._store.retention.sweep(self._partition, bases)
                    await asyncio.sleep((time.monotonic() - started) * (_SHARE - 1))
            users, bases = await self._due()

    async def _due(self) -> tuple[list[str], list[str]]:
        """The users whose snoozed notifications return, and the logs for the retention sweep."""
        return await asyncio.gather(
            self._store.snoozing.due(self._partition, milliseconds()),
            self._store.retention.due(self._partition),
        )

    async def _wake(self, users: Sequence[str]) -> None:
        """Return what is due of these users; a fault at one of them holds up no other."""
        now = milliseconds()
        answers = await asyncio.gather(
            *(self._store.snoozing.wake(user, now) for user in users), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
