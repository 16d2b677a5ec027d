"""Counts of an inbox, by arithmetic: what is not settled is a short list of ranges per log.

`unsettled` says which; a log answers how many live entries lie in them, from its facts in memory (a
gateway) or by a script (`survey`). The version of the counts is how many positions the user's logs ever had
for the user, and every other change of these logs: it rises with each change of the counts and never falls.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from tidings.protocol.frames import CategoryCounts, Counts
from tidings_workers.store import intervals
from tidings_workers.store.core import Core
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Log
from tidings_workers.store.packing import pack, text
from tidings_workers.store.state import LogState
from tidings_workers.store.view import View, read_view

_LOGS_PER_CALL = 200
_LOOKS = 10


def unsettled(visible: Bounds, state: LogState | None, kind: Literal["seen", "read"]) -> Bounds:
    """The visible positions that count as unseen (`seen`), or as unread (`read`)."""
    return intervals.minus(visible, state.settled(kind)) if state is not None else visible


class Surveyed(NamedTuple):
    """What a log answered: its end, and how many live entries each query found, also by category."""

    head: int
    floor: int
    changes: int
    retired: int
    live: list[int]
    categories: dict[str, list[int]]


class SurveyLog(Struct, array_like=True, frozen=True):
    """An item of survey.lua: a log, and the sets of positions to count in."""

    base: str
    queries: list[Bounds]
    by_category: bool


Query = tuple[Log, Sequence[Bounds]]


async def survey(core: Core, queries: Iterable[Query], *, by_category: bool = False) -> dict[str, Surveyed]:
    """Count in logs, by base: per log how many live entries there are in each of several sets."""
    parts: dict[int, list[_Row]] = {}
    for log, sets in queries:
        parts.setdefault(log.partition, []).append(_Row(log.base, sets))
    calls = [
        (partition, rows[start : start + _LOGS_PER_CALL])
        for partition, rows in parts.items()
        for start in range(0, len(rows), _LOGS_PER_CALL)
    ]
    answers = await asyncio.gather(
        *(
            core.run(
                "survey", partition, pack([SurveyLog(row.base, row.different, by_category) for row in rows])
            )
            for partition, rows in calls
        )
    )
    return {
        row.base: row.surveyed(raw)
        for (_, rows), answer in zip(calls, answers, strict=True)
        for row, raw in zip(rows, answer, strict=True)
    }


class _Row:
    """A query of one log. What is unseen is often what is unread: the same is counted once."""

    __slots__ = ("_sets", "base", "different")

    def __init__(self, base: str, sets: Sequence[Bounds]) -> None:
        self.base = base
        self.different: list[Bounds] = []
        self._sets = []
        for bounds in sets:
            if bounds not in self.different:
                self.different.append(bounds)
            self._sets.append(self.different.index(bounds))

    def surveyed(self, raw: Sequence[Any]) -> Surveyed:
        """The answer to the query."""
        head, floor, changes, retired, live, flat = raw
        width = len(self.different) + 1
        categories = {
            text(flat[at]): [int(flat[at + 1 + index]) for index in self._sets]
            for at in range(0, len(flat), width)
        }
        counts = [int(live[index]) for index in self._sets]
        return Surveyed(int(head), int(floor), int(changes), int(retired), counts, categories)


def queries_of(
    view: View, logs: Iterable[Log], states: Mapping[str, LogState]
) -> list[tuple[Log, list[Bounds]]]:
    """What to ask the logs for the counts: of each what is unseen, and what is unread."""
    queries = []
    for log in logs:
        visible, state = view.visible(log), states.get(log.base)
        queries.append((log, [unsettled(visible, state, "seen"), unsettled(visible, state, "read")]))
    return queries


def counts_of(
    view: View, logs: Iterable[Log], found: Mapping[str, Surveyed], *, by_category: bool = False
) -> Counts:
    """The counts from what the logs answered to `queries_of`."""
    unseen = unread = version = 0
    categories: dict[str, list[int]] = {}
    for log in logs:
        part = found[log.base]
        unseen, unread = unseen + part.live[0], unread + part.live[1]
        version += intervals.size_up_to(view.spans(log), part.head) + part.changes
        if by_category:
            plain = part.live[:2]
            for category, live in part.categories.items():
                _add(categories, category, live[:2])
                plain = [all_ - some for all_, some in zip(plain, live, strict=False)]
            _add(categories, "", plain)
    return Counts(
        unseen,
        unread,
        version,
        {name: CategoryCounts(*counts) for name, counts in sorted(categories.items()) if any(counts)}
        if by_category
        else None,
    )


class Look(NamedTuple):
    """A user's view, the logs by base, what they answered to `queries_of`, and the counts."""

    view: View
    logs: dict[str, Log]
    found: dict[str, Surveyed]
    counts: Counts


async def look(core: Core, tenant: str, user: str, *, by_category: bool = False) -> Look:
    """Read a user's view and count by it; the version is never above that of the view."""
    own = core.keys.user(tenant, user)
    tries = 0
    while True:
        view = await read_view(core, own)
        logs = view.logs(core.keys, tenant, user)
        found = await survey(core, queries_of(view, logs.values(), view.states), by_category=by_category)
        newer = found[own.base].changes - view.changes
        tries += 1
        # A change in between is in what the logs answered, but not in the view that asked them.
        if not newer or tries == _LOOKS:
            break
    counts = counts_of(view, logs.values(), found, by_category=by_category)
    return Look(view, logs, found, msgspec.structs.replace(counts, version=counts.version - newer))


async def inbox_counts(core: Core, tenant: str, user: str, *, by_category: bool = False) -> Counts:
    """The counts of a user's inbox now."""
    return (await look(core, tenant, user, by_category=by_category)).counts


def _add(categories: dict[str, list[int]], category: str, live: Sequence[int]) -> None:
    counts = categories.setdefault(category, [0, 0])
    counts[0] += live[0]
    counts[1] += live[1]
