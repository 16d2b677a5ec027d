"""Counts of an inbox, by arithmetic.

The positions of a log that count as unseen or unread are a short list of ranges (`unsettled`). The number
of entries in them follows from the facts of the log: a gateway has those in memory, others run survey.lua.
The version of the counts is the number of positions that the user's logs ever had for the user, plus the
number of other changes of these logs. It increases with each change of the counts and never decreases.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from tidings.protocol.frames import CategoryCounts, Counts
from tidings_workers.store import intervals
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Log
from tidings_workers.store.state import LogState
from tidings_workers.store.view import View


def unsettled(visible: Bounds, state: LogState | None, kind: Literal["seen", "read"]) -> Bounds:
    """The visible positions that count as unseen (`seen`), or as unread (`read`)."""
    return intervals.minus(visible, state.settled(kind)) if state is not None else visible


class Surveyed(NamedTuple):
    """The answer of a log: its head, its facts, and the entries that each query found, also by category."""

    head: int
    floor: int
    changes: int
    retired: int
    present: list[int]
    categories: dict[str, list[int]]


Query = tuple[Log, Sequence[Bounds]]


def queries_of(
    view: View, logs: Iterable[Log], states: Mapping[str, LogState]
) -> list[tuple[Log, list[Bounds]]]:
    """The queries for the counts: the unseen and the unread positions of each log."""
    queries = []
    for log in logs:
        visible, state = view.visible(log), states.get(log.base)
        queries.append((log, [unsettled(visible, state, "seen"), unsettled(visible, state, "read")]))
    return queries


def counts_of(
    view: View, logs: Iterable[Log], found: Mapping[str, Surveyed], *, by_category: bool = False
) -> Counts:
    """The counts from the answers to `queries_of`."""
    unseen = unread = version = 0
    categories: dict[str, list[int]] = {}
    for log in logs:
        part = found[log.base]
        unseen, unread = unseen + part.present[0], unread + part.present[1]
        version += intervals.size_up_to(view.spans(log), part.head) + part.changes
        if by_category:
            plain = part.present[:2]
            for category, present in part.categories.items():
                _add(categories, category, present[:2])
                plain = [all_ - some for all_, some in zip(plain, present, strict=False)]
            _add(categories, "", plain)
    return Counts(
        unseen,
        unread,
        version,
        {name: CategoryCounts(*counts) for name, counts in sorted(categories.items()) if any(counts)}
        if by_category
        else None,
    )


def _add(categories: dict[str, list[int]], category: str, present: Sequence[int]) -> None:
    counts = categories.setdefault(category, [0, 0])
    counts[0] += present[0]
    counts[1] += present[1]
