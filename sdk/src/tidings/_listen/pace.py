"""The rate at which a connection may send frames. Pure: the caller passes the time."""

from typing import Final

from tidings.protocol import limits

# Less than the server allows: frames sent apart may arrive together.
RATE: Final = limits.FRAMES_PER_SECOND * 0.9
BURST: Final = limits.FRAMES_BURST // 2


class Pace:
    """Spreads frames over time, so that the server does not close a connection that marks in a loop (4101).

    The generic cell rate algorithm: `BURST` frames at once, `RATE` a second on average.
    """

    def __init__(self) -> None:
        self._whole_at = float("-inf")

    def wait(self, now: float) -> float:
        """Reserve a slot for one frame. Returns the seconds from now until it may be sent."""
        start = max(self._whole_at, now)
        self._whole_at = start + 1 / RATE
        return max(0.0, start - now - (BURST - 1) / RATE)
