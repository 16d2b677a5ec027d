"""Waiting until dispatchers have carried out accepted work, for calls that return only after that."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from tidings_workers.store.core import Core
from tidings_workers.store.errors import StorageUnavailable
from tidings_workers.store.keys import ingress, ingress_number, unfinished
from tidings_workers.store.packing import text

WAIT_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.005
# A process that gets little processor time waits longer, because dispatchers on its machine get little too.
_LOOKS: Final = 200
_BUSY_SECONDS: Final = 20.0


async def all_applied(core: Core, partitions: Iterable[int]) -> None:
    """Wait until every target partition has applied what these partitions' ingress contains now.

    Raises StorageUnavailable when that takes more than five seconds: no dispatcher works there.
    """
    await _none_remaining(
        core,
        partitions,
        lambda part, number: ("XRANGE", ingress(part), "-", number, "COUNT", 1),
        "no dispatcher does what was accepted",
    )


async def all_finished(core: Core, partitions: Iterable[int]) -> None:
    """Wait until each send to several users that began in these partitions is stored, or in the ingress.

    Raises StorageUnavailable when that takes more than five seconds: no dispatcher works there.
    """
    await _none_remaining(
        core,
        partitions,
        lambda part, number: ("ZCOUNT", unfinished(part), "-inf", number),
        "no dispatcher finishes what was begun",
    )


async def _none_remaining(
    core: Core,
    partitions: Iterable[int],
    query: Callable[[int, str], Sequence[str | int]],
    otherwise: str,
) -> None:
    """Wait until the command of `query` finds nothing in any partition, up to its last ingress number."""
    call, parts = core.call, list(partitions)
    last = await asyncio.gather(*(call("HGET", ingress_number(part), "ingress") for part in parts))
    waiting = {part: text(number) for part, number in zip(parts, last, strict=True) if number is not None}

    async def done() -> bool:
        left = await asyncio.gather(*(call(*query(part, number)) for part, number in waiting.items()))
        for part, found in zip(list(waiting), left, strict=True):
            if not found:
                del waiting[part]
        return not waiting

    await until(done, otherwise)


async def until(look: Callable[[], Awaitable[bool]], otherwise: str) -> None:
    """Call `look` until it answers True. After five seconds raises StorageUnavailable(`otherwise`).

    On a busy machine, where these seconds have few looks, it is at most 20 seconds.
    """
    began, looks = time.monotonic(), 0
    while not await look():
        looks += 1
        waited = time.monotonic() - began
        if waited > (WAIT_SECONDS if looks >= _LOOKS else _BUSY_SECONDS):
            raise StorageUnavailable(otherwise, "no-dispatcher")
        await asyncio.sleep(_LOOK_SECONDS)
