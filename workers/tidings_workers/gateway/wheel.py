"""One timer for all connections, which wait in slots of half a second."""

from typing import Final, Protocol

SLOT_SECONDS: Final = 0.5


class Timed(Protocol):
    """An entry of the wheel."""

    def on_time(self, now: float) -> float | None:
        """Do what is due at `now`; the time of the next call, or None for no further call."""


class Wheel:
    """Calls each entry within half a second after its time.

    The cost of adding and calling does not depend on the number of entries. Times are monotonic seconds.
    """

    def __init__(self, now: float) -> None:
        self._slots: dict[int, list[Timed]] = {}
        self._turned = int(now / SLOT_SECONDS)

    def add(self, entry: Timed, at: float) -> None:
        """Call `entry` at `at`."""
        slot = max(int(at / SLOT_SECONDS) + 1, self._turned + 1)
        self._slots.setdefault(slot, []).append(entry)

    def turn(self, now: float) -> None:
        """Call everything that is due by `now`."""
        reached = int(now / SLOT_SECONDS)
        while self._turned < reached:
            self._turned += 1
            for entry in self._slots.pop(self._turned, ()):
                again = entry.on_time(now)
                if again is not None:
                    self.add(entry, again)
