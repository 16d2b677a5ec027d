"""A user's memberships of groups, as intervals of positions of the groups' logs. Pure.

Two feeds report each end of a membership: the group's feed, in order with the group's notifications, and the
user's own feed, in order with the user's other memberships. Either may be first. Feeds may repeat a change,
so each method returns False for a change that is already known.

Several changes have the same position when nothing was sent between them. The numbers of the group's clock
give their order.
"""

from collections.abc import Iterator, Mapping, Sequence

from tidings_workers.store.entries import Departure
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.view import spans_of

Intervals = list[tuple[int, int]]
"""Memberships of one group in order: after the first position, up to the second.

While the user is a member, the second is negative: minus the number of the joining, or -1 where that is not
known, because an earlier version stored it.
"""


class Memberships:
    """The memberships of one user by group."""

    __slots__ = ("_intervals",)

    def __init__(self) -> None:
        self._intervals: dict[str, Intervals] = {}

    def __iter__(self) -> Iterator[str]:
        """Every group of which the user is or was a member."""
        return iter(self._intervals)

    def replace_all(self, intervals: Mapping[str, Intervals]) -> None:
        """Replace all memberships by the store's."""
        self._intervals = dict(intervals)

    def replace(self, group: str, intervals: Intervals) -> None:
        """Replace the memberships of one group by the store's."""
        self._intervals[group] = intervals

    def of(self, group: str) -> Intervals:
        """The memberships of one group."""
        return self._intervals.get(group, [])

    def is_active(self, group: str) -> bool:
        """Whether the user is a member of a group."""
        intervals = self._intervals.get(group)
        return intervals is not None and intervals[-1][1] < 0

    def start(self, group: str) -> int:
        """The position after which the last membership of a group starts."""
        return self._intervals[group][-1][0]

    def end(self, group: str) -> int:
        """The last position of the last membership, or its start while it is active; 0 without any."""
        intervals = self._intervals.get(group)
        return max(intervals[-1]) if intervals else 0

    def join(self, group: str, position: int, number: int = 0) -> bool:
        """The user joined after `position`; False when that is already known. `number`: see `Joined`."""
        intervals = self._intervals.setdefault(group, [])
        if intervals and (intervals[-1][1] < 0 or position < intervals[-1][1]):
            return False
        intervals.append((position, -max(number, 1)))
        return True

    def leave(self, group: str, position: int, number: int = 0) -> bool:
        """The user left at `position`; False when that is already known. `number`: see `Left`."""
        if not self.is_active(group) or position < self.start(group):
            return False
        if 0 < number < -self._intervals[group][-1][1]:
            return False
        self._intervals[group][-1] = (self.start(group), position)
        return True

    def depart(self, group: str, departures: Sequence[Departure]) -> int | None:
        """End the membership of a group by its departures, see `ended`: the position of the end, or None."""
        if not self.is_active(group):
            return None
        self._intervals[group] = ended(self._intervals[group], departures)
        return None if self.is_active(group) else self.end(group)

    def spans(self, group: str, after: int, up_to: int) -> list[tuple[int, int]]:
        """The intervals of a group's log that the user may see, `after` < position <= `up_to`, in order."""
        parts = []
        for start, end in self._intervals.get(group, ()):
            low, high = max(start, after), min(up_to, end) if end >= 0 else up_to
            if low < high:
                parts.append((low, high))
        return parts

    def all_spans(self, group: str) -> Bounds:
        """All intervals of a group's log that the user may see, now or later."""
        return spans_of(self._intervals.get(group, ()))


def ended(intervals: Intervals, departures: Sequence[Departure]) -> Intervals:
    """Memberships of one group; if the last is active, the first departure after its beginning ends it."""
    if not departures or not intervals or intervals[-1][1] >= 0:
        return intervals
    start, joined = intervals[-1][0], -intervals[-1][1]
    for departure in departures:
        # By the numbers, or where an earlier version stored none, by the positions.
        known = departure.number and joined > 1
        if departure.number > joined if known else departure.position > start:
            return [*intervals[:-1], (start, max(start, departure.position))]
    return intervals
