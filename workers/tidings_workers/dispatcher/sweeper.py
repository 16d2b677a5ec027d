"""Periodic work on a partition: finishes unfinished sends, ends snoozes, runs the retention sweep."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from tidings_workers import metrics
from tidings_workers.logs import get_logger
from tidings_workers.store import Store
from tidings_workers.store.ids import milliseconds

# How often the bytes that wait for the archive are counted.
_BACKLOG_SECONDS: Final = 5.0
# The sweeps of a dispatcher use the store for at most one part in this many of the time.
_SHARE: Final = 4

_log = get_logger(__name__)


class Backlog:
    """The entries that wait in the store for an archive that does not take them, in bytes."""

    def __init__(self, store: Store, limit: int) -> None:
        self._store = store
        self._limit = limit
        self.is_full = False

    async def run(self) -> None:
        """Count until cancelled. Raises StorageUnavailable; it may always be started again."""
        while True:
            await self.count()
            await asyncio.sleep(_BACKLOG_SECONDS)

    async def count(self) -> None:
        """Count once, and report when the limit is passed or kept again."""
        size = await self._store.archiving.backlog()
        # The archivers report it too, but they may be away.
        metrics.ARCHIVE_BACKLOG.set(size)
        if self.is_full != (size > self._limit):
            self.is_full = not self.is_full
            if self.is_full:
                _log.error(
                    "entries are removed without a copy in the archive",
                    reason=f"{size} bytes wait for it, and TIDINGS_ARCHIVE_BACKLOG_BYTES is {self._limit}",
                )
            else:
                _log.info("entries wait for the archive again", bytes=size)


class Sweeper:
    """Sweeps one partition. The sweepers of a dispatcher share `turn`, so that one sweeps at a time."""

    def __init__(self, store: Store, partition: int, turn: asyncio.Lock, backlog: Backlog | None) -> None:
        self._store = store
        self._partition = partition
        self._turn = turn
        self._backlog = backlog

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
        if self._backlog is not None:
            await self._remove_uncopied(self._backlog)

    async def _due(self) -> tuple[list[str], list[str]]:
        """The users whose snoozed notifications return, and the logs for the retention sweep."""
        return await asyncio.gather(
            self._store.snoozing.due(self._partition, milliseconds()),
            self._store.retention.due(self._partition),
        )

    async def _remove_uncopied(self, backlog: Backlog) -> None:
        """While too many bytes wait for the archive, remove entries of the logs with the most."""
        while backlog.is_full:
            waiting = await self._store.archiving.waiting(self._partition)
            before = await self._store.archiving.backlog(self._partition)
            if not waiting:
                return
            async with self._turn:
                await self._store.retention.sweep(self._partition, waiting, uncopied=True)
            after = await self._store.archiving.backlog(self._partition)
            if after >= before:
                return
            await backlog.count()

    async def _wake(self, users: Sequence[str]) -> None:
        """Return what is due of these users; a fault at one of them holds up no other."""
        now = milliseconds()
        answers = await asyncio.gather(
            *(self._store.snoozing.wake(user, now) for user in users), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
