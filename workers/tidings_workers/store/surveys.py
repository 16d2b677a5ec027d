"""Reading what counts are made of: the view of a user, and surveys of logs."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from tidings.protocol.frames import Counts
from tidings_workers.store.core import Core
from tidings_workers.store.counting import Query, Surveyed, counts_of, queries_of
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Log
from tidings_workers.store.packing import Packed, pack, text
from tidings_workers.store.view import View, view_of

_LOGS_PER_CALL: Final = 200
# The most tries of a look, because the inbox may change between its two reads.
_LOOKS: Final = 10


async def read_view(core: Core, log: Log) -> View:
    """The view of the user whose own log this is."""
    return view_of(await core.run("read_view", log.partition, log.base))


class SurveyLog(Packed, frozen=True):
    """An item of survey.lua: a log, and the sets of positions to count in."""

    base: str
    queries: list[Bounds]
    by_category: bool


async def survey(core: Core, queries: Iterable[Query], *, by_category: bool = False) -> dict[str, Surveyed]:
    """Count the entries of logs in several sets of positions each. Returns the counts by base."""
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
    """A query of one log. The unseen and the unread positions are often the same: they are counted once."""

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
        """The reply to the query."""
        head, floor, changes, retired, present, flat = raw
        width = len(self.different) + 1
        categories = {
            text(flat[at]): [int(flat[at + 1 + index]) for index in self._sets]
            for at in range(0, len(flat), width)
        }
        counts = [int(present[index]) for index in self._sets]
        return Surveyed(int(head), int(floor), int(changes), int(retired), counts, categories)


class Look(NamedTuple):
    """A user's view, the logs by base, their answers to `queries_of`, and the counts."""

    view: View
    logs: dict[str, Log]
    found: dict[str, Surveyed]
    counts: Counts


async def look(core: Core, tenant: str, user: str, *, by_category: bool = False) -> Look:
    """Read a user's view and count by it. The version of the counts is never newer than the view."""
    own = core.keys.user(tenant, user)
    tries = 0
    while True:
        view = await read_view(core, own)
        logs = view.logs(core.keys, tenant, user)
        found = await survey(core, queries_of(view, logs.values(), view.states), by_category=by_category)
        newer = found[own.base].changes - view.changes
        tries += 1
        # A change between the two reads is in the answers of the logs, but not in the view.
        if not newer or tries == _LOOKS:
            break
    counts = counts_of(view, logs.values(), found, by_category=by_category)
    return Look(view, logs, found, msgspec.structs.replace(counts, version=counts.version - newer))


async def inbox_counts(core: Core, tenant: str, user: str, *, by_category: bool = False) -> Counts:
    """The counts of a user's inbox now."""
    return (await look(core, tenant, user, by_category=by_category)).counts
