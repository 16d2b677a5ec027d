"""Which process works on which partition: a dispatcher, and an archiver, for each.

A lease saves double work; nothing else depends on it. Two dispatchers on one partition do no harm, because a
target partition skips the steps that it has applied; nor do two archivers, because a batch has a token, and
the archive takes the writes of the later claim alone.
"""

import asyncio
from typing import Final

from tidings_workers.store.core import Core
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.key_parts import PartitionPart
from tidings_workers.store.keys import ARCHIVERS, DISPATCHERS

LEASE_SECONDS: Final = 3


class Leases:
    """The processes of one kind, and their leases. `part` is the key of a lease."""

    def __init__(self, core: Core, registered: str, part: PartitionPart) -> None:
        self._core = core
        self._registered = registered
        self._part = part

    async def heartbeat(self, process: str) -> int:
        """Register this process again. Returns how many are registered.

        One that stops without `leave` counts until its leases expire, so that the others take them then.
        """
        call = self._core.call
        now = milliseconds()
        *_, registered = await asyncio.gather(
            call("ZADD", self._registered, now, process),
            call("ZREMRANGEBYSCORE", self._registered, 0, now - LEASE_SECONDS * 1000),
            call("ZCARD", self._registered),
        )
        return int(registered)

    async def leave(self, process: str) -> None:
        """Remove a process that stops."""
        await self._core.call("ZREM", self._registered, process)

    async def take(self, partition: int, process: str) -> bool:
        """Take or renew a lease for three seconds. Returns whether this process has it."""
        return bool(await self._core.run("lease", partition, self._part, process, LEASE_SECONDS * 1000))

    async def release(self, partition: int, process: str) -> None:
        """End a lease."""
        await self._core.run("release", partition, self._part, process)


def leases_of_dispatchers(core: Core) -> Leases:
    """The dispatchers and their leases."""
    return Leases(core, DISPATCHERS, "lease")


def leases_of_archivers(core: Core) -> Leases:
    """The archivers and their leases."""
    return Leases(core, ARCHIVERS, "archiver")
