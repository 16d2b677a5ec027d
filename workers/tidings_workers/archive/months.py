"""Months of UTC, in which PostgreSQL keeps the rows. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple, Self

_MONTHS = 12


class Month(NamedTuple):
    """A month, which is the time `start` <= at < `end` in Unix milliseconds."""

    year: int
    number: int

    @classmethod
    def of(cls, at: int) -> Self:
        """The month of a time."""
        moment = datetime.fromtimestamp(at / 1000, UTC)
        return cls(moment.year, moment.month)

    @classmethod
    def named(cls, suffix: str) -> Self:
        """The month of a suffix."""
        year, _, number = suffix.partition("_")
        return cls(int(year), int(number))

    @property
    def suffix(self) -> str:
        """Its text in names of tables: ``2026_11``."""
        return f"{self.year:04}_{self.number:02}"

    @property
    def next(self) -> "Month":
        """The month after it."""
        return Month(self.year + self.number // _MONTHS, self.number % _MONTHS + 1)

    @property
    def start(self) -> int:
        """Its first millisecond."""
        return int(datetime(self.year, self.number, 1, tzinfo=UTC).timestamp()) * 1000

    @property
    def end(self) -> int:
        """The first millisecond after it."""
        return self.next.start


def needed(times: Iterable[int], now: int) -> list[Month]:
    """The months of these times, of now, and the next two, in order."""
    current = Month.of(now)
    # A time has the same month as others of its day, so few are computed.
    days = {at // 86_400_000 for at in times}
    return sorted({current, current.next, current.next.next, *(Month.of(day * 86_400_000) for day in days)})
