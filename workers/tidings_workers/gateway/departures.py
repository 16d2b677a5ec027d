"""The last departures from one group, as its own feed and its slot report them. Pure.

The memberships in the slot of a user follow when a dispatcher has carried out the change. Until then this is
where a gateway finds the end of a membership.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from tidings_workers.store.entries import Departure

KEPT: Final = 1_000
_EVERYBODY: Final = ""


class Departures:
    """The last KEPT departures from a group."""

    __slots__ = ("_by_user", "_order")

    def __init__(self) -> None:
        self._by_user: dict[str, list[Departure]] = {}
        self._order: deque[Departure] = deque()

    def note(self, departures: Iterable[Departure]) -> None:
        """Keep departures; one that is kept already changes nothing."""
        for departure in departures:
            of_user = self._by_user.setdefault(departure.user, [])
            if departure not in of_user:
                of_user.append(departure)
                self._order.append(departure)
        while len(self._order) > KEPT:
            oldest = self._order.popleft()
            of_user = self._by_user[oldest.user]
            of_user.remove(oldest)
            if not of_user:
                del self._by_user[oldest.user]

    def of(self, user: str) -> Sequence[Departure]:
        """The departures of a user, in order. A group that was deleted had all its members depart."""
        found = self._by_user.get(user, []) + self._by_user.get(_EVERYBODY, [])
        return sorted(found, key=_number)


def _number(departure: Departure) -> int:
    return departure.number
