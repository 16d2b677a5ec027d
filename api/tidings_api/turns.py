"""Long work in the event loop, cut into turns."""

import asyncio
import time
from typing import Final

# Other requests wait for one turn, and for no more.
TURN_SECONDS: Final = 0.01


class Turn:
    """Lets other work run when this has run for 10 ms; `give` is cheap until then."""

    def __init__(self) -> None:
        self._ends = time.perf_counter() + TURN_SECONDS

    async def give(self) -> None:
        """Between two pieces of work."""
        if time.perf_counter() >= self._ends:
            await asyncio.sleep(0)
            self._ends = time.perf_counter() + TURN_SECONDS
