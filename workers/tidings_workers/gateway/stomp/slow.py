"""Slows down clients that are refused again and again: STOMP clients reconnect for ever."""

from typing import Final

WINDOW_SECONDS: Final = 60.0
# The first refusals within the window are answered at once.
FREE: Final = 2
MOST_SECONDS: Final = 30.0

# Addresses that are remembered. Beyond it, those whose window has passed are forgotten, then all.
_ADDRESSES: Final = 10_000


class Refusals:
    """The refusals of one gateway, by address. Times are seconds of one clock."""

    def __init__(self) -> None:
        # The start of the window, and the refusals in it.
        self._recent: dict[str, tuple[float, int]] = {}

    def wait(self, address: str, now: float) -> float:
        """Count a refusal; how long its answer waits: 1, 2, 4 ... 30 s from the third within a minute."""
        start, count = self._recent.get(address, (now, 0))
        if now - start > WINDOW_SECONDS:
            start, count = now, 0
        self._recent[address] = start, count + 1
        if len(self._recent) > _ADDRESSES:
            self._recent = {
                each: (start, count)
                for each, (start, count) in self._recent.items()
                if now - start <= WINDOW_SECONDS
            }
            if len(self._recent) > _ADDRESSES:
                self._recent.clear()
        beyond = count - FREE
        return 0.0 if beyond < 0 else min(MOST_SECONDS, 2.0 ** min(beyond, 5))
