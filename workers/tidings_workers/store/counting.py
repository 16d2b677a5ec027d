"""Counts of an inbox, by arithmetic.

The positions of a log that count as unseen or unread are a short list of ranges (`unsettled`). The number
of entries in them follows from the facts of the log: a gateway has those in memory, others run survey.lua.
The version of the counts is the number of positions that the user's logs ever had for the user, plus the
number of other changes of these logs. It increases with each change of the counts and never decreases.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from tidings.protocol.frames import CategoryCounts, Counts
from tidings_workers.store import intervals
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.state import LogState
from tidings_workers.store.view import Share


def unsettled(visible: Bounds, state: LogState | None, kind: Literal["seen", "read"]) -> Bounds:
    """The visible positions that count as unseen (`seen`), or as unread (`read`)."""
    return intervals.minus(visible, state.settled(kind)) if state is not None else visible


class Surveyed(Struct, frozen=True, gc=False):
    """The numbers of a log when it was surveyed; see `Facts`.

    `first_at` is when its first entry of a list was accepted (ms), 0 without one.
    """

    head: int
    floor: int
    changes: int
    first_at: int


NO_FACTS: Final = Surveyed(0, 0, 0, 0)


class Answer(Struct, array_like=True, frozen=True):
    """The answer of survey.lua. `facts` has four numbers of each log, as `Surveyed` has them."""

    version: int
    numbers: list[int]
    categories: list[Any]
    facts: list[int]


class Survey(Struct):
    """The answers of the logs of a user: their numbers in the order of the question, and sums over them.

    `version` is what they add to the version of the counts. `numbers` has the number of entries in the first
    sets of positions, in the second ones, and so on; `categories` has the same per category.
    """

    version: int
    numbers: list[int]
    categories: dict[str, list[int]]
    logs: list[Surveyed]

    def add(self, answer: Answer) -> None:
        """Add the numbers of an answer."""
        self.version += answer.version
        _add(self.numbers, answer.numbers)
        width = len(answer.numbers) + 1
        for at in range(0, len(answer.categories), width):
            name, *sums = answer.categories[at : at + width]
            _add(self.categories.setdefault(name, [0] * len(sums)), sums)


def _add(sums: list[int], numbers: Sequence[int]) -> None:
    for index, number in enumerate(numbers):
        sums[index] += number


Sets = Sequence[Sequence[Bounds]]
"""Sets of positions of several logs: the first sets of all logs, the second ones of all logs, and so on."""


def counted_sets(shares: Collection[Share], states: Mapping[str, LogState]) -> Sets:
    """The sets for the counts of each log: the unseen and the unread positions."""
    unseen = [share.visible for share in shares]
    if not states:
        return unseen, unseen
    unread = unseen.copy()
    for place, share in enumerate(shares):
        state = states.get(share.log.base)
        if state is not None:
            unseen[place] = unsettled(share.visible, state, "seen")
            settled_alike = state.read == state.seen
            unread[place] = unseen[place] if settled_alike else unsettled(share.visible, state, "read")
    return unseen, unread


def counts_of(found: Survey, *, by_category: bool = False) -> Counts:
    """The counts from a survey of `counted_sets`."""
    unseen, unread = found.numbers[:2]
    if not by_category:
        return Counts(unseen, unread, found.version)
    named = {name: CategoryCounts(*numbers[:2]) for name, numbers in found.categories.items()}
    nameless = CategoryCounts(
        unseen - sum(each.unseen for each in named.values()),
        unread - sum(each.unread for each in named.values()),
    )
    every = sorted((named | {"": nameless}).items())
    return Counts(
        unseen,
        unread,
        found.version,
        {name: counts for name, counts in every if counts.unseen or counts.unread},
    )
