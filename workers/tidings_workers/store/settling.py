"""Waiting until dispatchers have done what was accepted, for answers that promise that it has happened."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from tidings_workers.store.core import Core, text
from tidings_workers.store.errors import StorageUnavailable
from tidings_workers.store.keys import ingress, tag, unfinished

WAIT_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.005


async def all_applied(core: Core, partitions: Iterable[int]) -> None:
    """Wait until all that these partitions' ingress has now has reached every slot that it is for.

    Raises StorageUnavailable when that takes more than five seconds: no dispatcher works there.
    """
    call, parts = core.connection.call, list(partitions)
    last = await asyncio.gather(*(call("HGET", f"{tag(part)}/partition", "ingress") for part in parts))
    waiting = {part: text(entry) for part, entry in zip(parts, last, strict=True) if entry is not None}

    async def done() -> bool:
        left = await asyncio.gather(
            *(call("XRANGE", ingress(part), "-", entry, "COUNT", 1) for part, entry in waiting.items())
        )
        for part, entries in zip(list(waiting), left, strict=True):
            if not entries:
                del waiting[part]
        return not waiting

    await until(done, "no dispatcher does what was accepted")


async def all_finished(core: Core, partitions: Iterable[int]) -> None:
    """Wait until every send to several users that these partitions have begun is stored, or in the ingress.

    Raises StorageUnavailable when that takes more than five seconds: no dispatcher works there.
    """
    call, parts = core.connection.call, list(partitions)
    last = await asyncio.gather(*(call("HGET", f"{tag(part)}/partition", "ingress") for part in parts))
    waiting = {part: text(number) for part, number in zip(parts, last, strict=True) if number is not None}

    async def done() -> bool:
        left = await asyncio.gather(
            *(call("ZCOUNT", unfinished(part), "-inf", number) for part, number in waiting.items())
        )
        for part, count in zip(list(waiting), left, strict=True):
            if not count:
                del waiting[part]
        return not waiting

    await until(done, "no dispatcher finishes what was begun")


async def until(look: Callable[[], Awaitable[bool]], otherwise: str) -> None:
    """Look until it is so; StorageUnavailable with what it says `otherwise`."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not await look():
        if time.monotonic() > deadline:
            raise StorageUnavailable(otherwise, "no-dispatcher")
        await asyncio.sleep(_LOOK_SECONDS)
