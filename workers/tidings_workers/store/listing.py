"""The positions and the entries of one page of an inbox."""

import asyncio
from collections.abc import Sequence
from operator import attrgetter
from typing import Final, NamedTuple

from msgspec import Struct

from tidings.protocol.rest import StateFilter
from tidings_workers.store import intervals
from tidings_workers.store.core import Core
from tidings_workers.store.counting import Surveyed
from tidings_workers.store.entries import END, Entry
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Log
from tidings_workers.store.log_walks import Keep, LogWalk, accepted_at, merge
from tidings_workers.store.packing import pack
from tidings_workers.store.state import LogState
from tidings_workers.store.view import Share, View

# A copy may be stored after notifications that were accepted later; by more than this only after an outage.
LATE_MS: Final = 3_600_000


# The filters that select every entry that has no mark.
_BEFORE_ANY_MARK: Final = (None, "unseen", "unread")


class InboxQuery(Struct, frozen=True, kw_only=True):
    """The entries of an inbox to list. `after` and `before` are in Unix ms, both exclusive.

    `category` is exact, or a prefix that ends in a dot; `log` is the name that the user sees. Without a
    `state` all entries that are neither archived nor snoozed; `unseen` and `unread` are a part of these.
    `only_live` leaves out what only the archive has.
    """

    limit: int
    state: StateFilter | None = None
    category: str | None = None
    log: str | None = None
    after: int | None = None
    before: int | None = None
    by_category: bool = False
    only_live: bool = False


class Boundary(Struct, array_like=True, frozen=True):
    """Items below these positions are older, the others newer. `edge`: an id, for logs without a position."""

    forward: bool
    edge: str
    below: dict[str, int]


async def listed_positions(
    core: Core, query: InboxQuery, boundary: Boundary | None, view: View, shares: Sequence[Share]
) -> list[Bounds]:
    """The positions of each log that the query and the boundary select."""
    states, state = view.states, query.state
    if not states and state in _BEFORE_ANY_MARK:
        listed = [share.visible for share in shares]
    else:
        listed = [in_state(share.visible, states.get(share.log.base), state) for share in shares]
    if query.log is not None or boundary is not None:
        listed = [
            selected(positions, share.log.name, query.log, boundary)
            for positions, share in zip(listed, shares, strict=True)
        ]
    if query.after is None and query.before is None:
        return listed
    earliest = 0 if query.after is None else query.after - LATE_MS
    latest = END if query.before is None else query.before + LATE_MS
    return list(map(intervals.common, listed, await _between(core, shares, earliest, latest)))


def selected(positions: Bounds, name: str, only: str | None, boundary: Boundary | None) -> Bounds:
    """Those of the positions of a log that are on the page, which has the log `only`, or all logs."""
    if only is not None and only != name:
        return []
    if boundary is None:
        return positions
    edge = boundary.below.get(name)
    if edge is not None:
        return (intervals.below if boundary.forward else intervals.above)(positions, edge - 1)
    # The user did not have this log when the list began.
    return [] if boundary.forward else positions


def in_state(visible: Bounds, known: LogState | None, state: StateFilter | None) -> Bounds:
    """The visible positions that are in a state."""
    if known is None:
        return visible if state in _BEFORE_ANY_MARK else []
    match state:
        case None:
            aside = known.put_aside()
            return intervals.minus(visible, aside) if aside else visible
        case "archived" | "snoozed":
            return intervals.common(visible, getattr(known, state))
        case "unseen":
            return intervals.minus(visible, known.settled("seen"))
        case "unread":
            return intervals.minus(visible, known.settled("read"))
        case "seen" | "read":
            return intervals.minus(intervals.common(visible, known.having(state)), known.put_aside())


async def _between(core: Core, shares: Sequence[Share], earliest: int, latest: int) -> list[Bounds]:
    """The positions of each log that were accepted from one time (ms) until before another."""
    partitions: dict[int, list[int]] = {}
    for place, share in enumerate(shares):
        partitions.setdefault(share.log.partition, []).append(place)
    answers = await asyncio.gather(
        *(
            core.run(
                "seek",
                partition,
                pack([[shares[place].log.base, at] for place in places for at in (earliest, latest)]),
            )
            for partition, places in partitions.items()
        )
    )
    found: list[Bounds] = [[]] * len(shares)
    for places, answer in zip(partitions.values(), answers, strict=True):
        for place, low, high in zip(places, answer[::2], answer[1::2], strict=True):
            if low < high:
                found[place] = [low - 1, high - 1]
    return found


class Candidate(NamedTuple):
    """A log that may have items of a page: the listed positions, its head, and the time of their first entry.

    The time (ms) is that of acceptance, and 0 if it is not known.
    """

    log: Log
    positions: Bounds
    head: int
    first_at: int


def candidates_of(
    shares: Sequence[Share], listed: Sequence[Bounds], found: Sequence[Surveyed], *, timed: bool
) -> list[Candidate]:
    """The logs with an entry at their listed positions; if not `timed`, those that may have one."""
    return [
        Candidate(share.log, positions, known.head, known.first_at)
        for share, positions, known in zip(shares, listed, found, strict=True)
        if (known.first_at if timed else _may_have_entries(positions, known))
    ]


def _may_have_entries(positions: Bounds, known: Surveyed) -> bool:
    some = intervals.below(positions, known.head)
    return bool(some) and some[-1] > known.floor


async def first_entries(
    core: Core,
    candidates: Sequence[Candidate],
    wanted: int,
    keep: Keep,
    *,
    newest_first: bool,
    category: str,
) -> list[tuple[Log, Entry]]:
    """Up to `wanted` entries to keep, in order of acceptance, and within a millisecond of the logs' names."""

    async def merged(some: Sequence[Candidate]) -> list[tuple[Log, Entry]]:
        walks = [
            # The page is of the moment at which the logs were counted.
            LogWalk(log, intervals.below(positions, head), category, newest_first=newest_first)
            for log, positions, head, _ in sorted(some, key=attrgetter("log.name"))
        ]
        return await merge(core, walks, wanted, keep)

    if len(candidates) <= wanted or not candidates[0].first_at:
        return await merged(candidates)
    # Among many logs the wanted entries are in those with the first entries.
    *first, next_ = _first(candidates, wanted + 1, newest_first=newest_first)
    taken = await merged(first)

    def is_before_next(log: Log, entry: Entry) -> bool:
        at = accepted_at(entry)
        if at == next_.first_at:
            return (log.name < next_.log.name) == newest_first
        return (at > next_.first_at) == newest_first

    if len(taken) == wanted and all(is_before_next(log, entry) for log, entry in taken):
        return taken
    # Some of those entries are not to be kept.
    return await merged(candidates)


def _first(candidates: Sequence[Candidate], count: int, *, newest_first: bool) -> list[Candidate]:
    """The first of at least `count` candidates, in order of acceptance and of the logs' names."""
    times = sorted([each.first_at for each in candidates], reverse=newest_first)
    last = times[count - 1]
    some = [each for each in candidates if (each.first_at >= last if newest_first else each.first_at <= last)]
    some.sort(key=attrgetter("log.name"), reverse=not newest_first)
    some.sort(key=attrgetter("first_at"), reverse=newest_first)
    return some[:count]
