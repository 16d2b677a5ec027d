"""Splits long work in the event loop into turns, so that other requests run between them."""

import asyncio
import time
from typing import Final

# Other requests wait for at most one turn.
TURN_SECONDS: Final = 0.01


class Turn:
    """One piece of long work. It pauses after each `TURN_SECONDS`."""

    def __init__(self) -> None:
        self._ends = time.perf_counter() + TURN_SECONDS

    async def pause_if_over(self) -> None:
        """Let other tasks run once when the turn is over; cheap until then. Call it after each small part."""
        if time.perf_counter() >= self._ends:
            await asyncio.sleep(0)
            self._ends = time.perf_counter() + TURN_SECONDS
