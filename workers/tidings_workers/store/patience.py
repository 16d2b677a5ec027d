"""Timeouts that count only the time in which this process ran."""

import asyncio
from types import TracebackType
from typing import Final, Self

_TICKS: Final = 4


class Patience:
    """`async with Patience(seconds)` ends a wait in its block with TimeoutError, like `asyncio.timeout`.

    A process that was stopped or got no processor finds both its timer and the answer of the server, and the
    event loop runs the timer first. So the time is counted in a few ticks, and a late tick counts once.
    """

    __slots__ = ("_left", "_loop", "_seconds", "_tick", "_timeout")

    def __init__(self, seconds: float) -> None:
        self._timeout = asyncio.timeout(None)
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds / _TICKS
        self._left = _TICKS
        self._tick = self._loop.call_later(self._seconds, self._count)

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._tick.cancel()
        await self._timeout.__aexit__(kind, error, traceback)

    def renew(self) -> None:
        """Count from now on. The tick that has begun is not counted."""
        self._left = _TICKS + 1

    def _count(self) -> None:
        self._left -= 1
        if self._left:
            self._tick = self._loop.call_later(self._seconds, self._count)
        else:
            self._timeout.reschedule(self._loop.time())
