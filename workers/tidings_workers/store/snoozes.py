"""The times of snoozes, as the store has them: members `<base>/<position>` by the time of their return."""

from collections.abc import Mapping, Sequence

from tidings_workers.store import intervals
from tidings_workers.store.core import Core
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Log

Place = tuple[str, int]
"""The base of a log, and a position."""


def snoozes_of(positions: Mapping[str, Bounds], until: int = 0) -> list[str | int]:
    """Positions by base and the time (ms) of their return, as mark.lua reads them; without one, to remove."""
    return [
        part
        for base, bounds in positions.items()
        for position in intervals.each(bounds)
        for part in (f"{base}/{position}", until)
    ]


async def read_snoozes(core: Core, own: Log, places: Sequence[Place]) -> dict[Place, int]:
    """The times (ms) until which the user of `own` snoozes these positions."""
    if not places:
        return {}
    raw = await core.call("ZMSCORE", own.key("snoozed"), *(f"{base}/{position}" for base, position in places))
    return {place: int(float(at)) for place, at in zip(places, raw, strict=True) if at is not None}
