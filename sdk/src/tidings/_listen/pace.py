"""How fast a connection may send. Pure: the clock is handed in."""

from typing import Final

from tidings.protocol import limits

# Below what the server allows: frames may bunch up on their way there.
RATE: Final = limits.FRAMES_PER_SECOND * 0.9
BURST: Final = limits.FRAMES_BURST // 2


class Pace:
    """Spreads frames over time, so that an application that marks in a loop is not closed with 4101.

    The generic cell rate algorithm: `BURST` frames at once, `RATE` a second on average.
    """

    def __init__(self) -> None:
        self._whole_at = float("-inf")

    def wait(self, now: float) -> float:
        """Reserve a place for one frame: seconds from now until it may be sent."""
        start = max(self._whole_at, now)
        self._whole_at = start + 1 / RATE
        return max(0.0, start - now - (BURST - 1) / RATE)
