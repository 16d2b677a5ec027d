"""Timeouts that count only the time in which this process ran."""

import asyncio
from typing import Final

_TICKS: Final = 4


class Patience:
    """Ends a wait in an `asyncio.timeout(None)` with TimeoutError, after `seconds`.

    A process that was stopped or got no processor finds both its timer and the answer of the server, and the
    event loop runs the timer first. So the time is counted in a few ticks, and a late tick counts once.
    """

    __slots__ = ("_left", "_loop", "_seconds", "_tick", "_timeout")

    def __init__(self, timeout: asyncio.Timeout, seconds: float) -> None:
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds / _TICKS
        self._left = _TICKS
        self._tick = self._loop.call_later(self._seconds, self._count)

    def renew(self) -> None:
        """Count from now on. The tick that has begun is not counted."""
        self._left = _TICKS + 1

    def end(self) -> None:
        """Stop counting."""
        self._tick.cancel()

    def _count(self) -> None:
        self._left -= 1
        if self._left:
            self._tick = self._loop.call_later(self._seconds, self._count)
        else:
            self._timeout.reschedule(self._loop.time())
