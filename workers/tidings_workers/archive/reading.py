"""A part of a log as intervals to read, in rounds. Pure.

The first round has as many positions as are wanted. Where entries are missing or do not match, each further
round has four times as many. So a part with a thousand intervals reads the first few, as a rule.
"""

from typing import Any, Final

from tidings_workers.archive.database import Interval, Row
from tidings_workers.archive.encoding import END, categories, short_log, span
from tidings_workers.archive.rows import LogPart

_GROWTH: Final = 4
# The most intervals of a part in one round.
_INTERVALS: Final = 200


class PartReader:
    """The rows of one part that were read, and the intervals that are left."""

    def __init__(self, tenant: str, part: LogPart) -> None:
        self.rows: list[Row] = []
        self.newest_first = part.newest_first
        self._log = short_log(tenant, part.log)
        self._limit = part.limit
        self._categories = categories(part.category)
        self._span = span(part.since, part.until)
        self._state = part.states or ""
        bounds = [min(each, END) for each in part.positions]
        pairs = list(zip(bounds[::2], bounds[1::2], strict=True))
        # The last of the list is the next to read.
        self._left = pairs if part.newest_first else pairs[::-1]
        self._size = part.limit

    @property
    def is_done(self) -> bool:
        """Whether the part is full, or nothing of it is left to read."""
        return not self._left or len(self.rows) >= self._limit

    def next_round(self) -> list[Interval]:
        """The intervals to read next, in order."""
        taken: list[Interval] = []
        size, wanted = 0, self._limit - len(self.rows)
        while self._left and size < self._size and len(taken) < _INTERVALS:
            low, high = self._left.pop()
            size += high - low
            limit = min(wanted, high - low)
            taken.append(Interval(self._log, low, high, limit, *self._categories, *self._span, self._state))
        self._size *= _GROWTH
        return taken

    def add(self, rows: Any) -> None:
        """Add the rows of one interval."""
        self.rows.extend(rows[: self._limit - len(self.rows)])
