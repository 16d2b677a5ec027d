"""One timer for everybody: connections wait in slots of half a second."""

from typing import Final, Protocol

SLOT_SECONDS: Final = 0.5


class Timed(Protocol):
    """What the wheel turns."""

    def on_time(self, now: float) -> float | None:
        """Do what is due; answers when to be called next, or None for never."""


class Wheel:
    """Calls each entry within half a second after its time.

    Adding and firing cost the same however many entries wait. An entry leaves by answering None.
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
