"""A user's memberships of groups, as intervals of positions of the groups' logs. Pure.

Two feeds report each end of a membership: the group's feed, in order with the group's notifications, and the
user's own feed, in order with the user's other memberships. Either may be first. Feeds may repeat a change,
so each method returns False for a change that is already known.
"""

from collections.abc import Iterator, Mapping

from tidings_workers.store.intervals import Bounds
from tidings_workers.store.view import spans_of

Intervals = list[tuple[int, int]]
"""Memberships of one group in order: after the first position, up to the second; -1 means active."""


class Memberships:
    """The memberships of one user by group."""

    __slots__ = ("_departures", "_intervals")

    def __init__(self) -> None:
        self._intervals: dict[str, Intervals] = {}
        # Ends that the group's feed has reported, and the user's feed has not.
        self._departures: dict[str, list[int]] = {}

    def __iter__(self) -> Iterator[str]:
        """Every group of which the user is or was a member."""
        return iter(self._intervals)

    def replace_all(self, intervals: Mapping[str, Intervals]) -> None:
        """Replace all memberships by the store's, completed by the departures that the store lacks."""
        self._intervals = {group: self.completed(group, known) for group, known in intervals.items()}

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

    def join(self, group: str, position: int) -> bool:
        """The user joined after `position`; False when that is already known."""
        intervals = self._intervals.setdefault(group, [])
        if intervals and (intervals[-1][1] < 0 or position < intervals[-1][1]):
            return False
        self._intervals[group] = self.completed(group, [*intervals, (position, -1)])
        return True

    def leave(self, group: str, position: int) -> bool:
        """The user left at `position`; False when that is already known."""
        if not self.is_active(group) or position < self.start(group):
            return False
        self._intervals[group][-1] = (self.start(group), position)
        return True

    def note_departure(self, group: str, position: int) -> None:
        """The group's feed reported a leave, possibly before the user's feed."""
        self._departures.setdefault(group, []).append(position)

    def forget_departures(self, group: str, up_to: int) -> None:
        """The user's feed has reported every leave up to a position."""
        later = [end for end in self._departures.pop(group, ()) if end > up_to]
        if later:
            self._departures[group] = later

    def completed(self, group: str, intervals: Intervals) -> Intervals:
        """The store's intervals, the last of them ended by a departure that the store lacks."""
        start, end = intervals[-1] if intervals else (0, 0)
        departure = next((each for each in self._departures.get(group, ()) if each > start), None)
        return [*intervals[:-1], (start, departure)] if end < 0 and departure is not None else intervals

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
