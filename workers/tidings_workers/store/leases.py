"""Which dispatcher works on which partition.

A lease saves double work; nothing else depends on it. Two dispatchers on one partition do no harm, because a
target partition skips the steps that it has applied.
"""

import asyncio
from typing import Final

from tidings_workers.store.core import Core
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.keys import DISPATCHERS

LEASE_SECONDS: Final = 3


class Leases:
    """Dispatchers and their leases."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def heartbeat(self, dispatcher: str) -> int:
        """Register this dispatcher again. Returns how many dispatchers are registered.

        One that stops without `leave` counts until its leases expire, so that the others take them then.
        """
        call = self._core.call
        now = milliseconds()
        *_, registered = await asyncio.gather(
            call("ZADD", DISPATCHERS, now, dispatcher),
            call("ZREMRANGEBYSCORE", DISPATCHERS, 0, now - LEASE_SECONDS * 1000),
            call("ZCARD", DISPATCHERS),
        )
        return int(registered)

    async def leave(self, dispatcher: str) -> None:
        """Remove a dispatcher that stops."""
        await self._core.call("ZREM", DISPATCHERS, dispatcher)

    async def take(self, partition: int, dispatcher: str) -> bool:
        """Take or renew a lease for three seconds. Returns whether this dispatcher has it."""
        return bool(await self._core.run("lease", partition, dispatcher, LEASE_SECONDS * 1000))

    async def release(self, partition: int, dispatcher: str) -> None:
        """End a lease."""
        await self._core.run("release", partition, dispatcher)
