"""Swaps of a user's state: each replaces the version that was read, or none when another one was first."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from weakref import WeakValueDictionary

from tidings_workers.store.core import Core
from tidings_workers.store.errors import StorageUnavailable
from tidings_workers.store.keys import Log
from tidings_workers.store.packing import Packed, pack

# For changes of one user by several processes: the time for which one change is retried, the least number of
# its tries (a process that gets no processor makes few in that time), its first pause, and its longest.
_TRY_SECONDS: Final = 2.0
_LEAST_TRIES: Final = 40
_PAUSE_SECONDS: Final = 0.002
_LONGEST_PAUSE_SECONDS: Final = 0.032

T = TypeVar("T")


class SwapState(Packed, frozen=True):
    """The request of mark.lua: replace `version` of a user's state.

    By the base of a log: `states`, `times` to keep, the names of times to drop, `firsts`, the positions that
    are counted on receipts for the first time, and those that are `archived` now. `changes` of the user's own
    log, if the swap must fail when it has others, else -1. `snoozes` is made by `snoozes_of`.
    """

    base: str
    tenant: str
    user: str
    version: int
    token: str
    at: int
    states: list[tuple[str, str]]
    times: list[tuple[str, list[str | int]]]
    dropped: list[tuple[str, list[str]]]
    firsts: list[tuple[str, str, list[tuple[int, int]]]]
    archived: list[tuple[str, list[tuple[int, int]]]]
    change: str
    origin: str
    changes: int
    snoozes: list[str | int]


class Swapped(Packed, frozen=True):
    """The state was replaced: its new version, and the number of changes of the user's log."""

    version: int
    changes: int


class Swaps:
    """Swaps of the states of users."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def swap(self, own: Log, request: SwapState) -> Swapped | None:
        """Replace the state of the user of this log; None when it has changed since it was read."""
        was_swapped, *swapped = await self._core.run("mark", own.partition, pack(request), durable=True)
        return Swapped(*map(int, swapped)) if was_swapped else None

    async def retry(self, own: Log, attempt: Callable[[], Awaitable[T | None]]) -> T:
        """Repeat an attempt until its result is not None.

        Raises StorageUnavailable after two seconds and 40 attempts.
        """
        # Changes of one user in this process wait for each other: in a race all but one must retry.
        turn = self._turns.setdefault(own.base, asyncio.Lock())
        async with turn:
            deadline = time.monotonic() + _TRY_SECONDS
            pause = _PAUSE_SECONDS
            tries = 0
            while (result := await attempt()) is None:
                tries += 1
                if tries >= _LEAST_TRIES and time.monotonic() > deadline:
                    raise StorageUnavailable("the state changes faster than it can be marked")
                # Another process changed the same user. A random pause keeps the two from colliding again.
                await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - jitter
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            return result
