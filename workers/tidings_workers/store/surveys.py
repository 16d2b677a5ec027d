"""Reading what counts are made of: the view of a user, and surveys of logs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from tidings.protocol.frames import Counts
from tidings_workers.store.core import Core
from tidings_workers.store.counting import NO_FACTS, Answer, Sets, Survey, Surveyed, counted_sets, counts_of
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Log
from tidings_workers.store.packing import Packed, pack
from tidings_workers.store.view import Share, View, view_of

_LOGS_PER_CALL: Final = 200
# The most tries of a look, because the inbox may change between its two reads.
_LOOKS: Final = 10
_ONE_INTERVAL: Final = 2
# The marks in the flat list of sets.
_EACH_SET, _SETS_FOLLOW, _AS_BEFORE = 0, 1, -1
_decode: Final = msgspec.msgpack.Decoder(Answer).decode


async def read_view(core: Core, log: Log) -> View:
    """The view of the user whose own log this is."""
    return view_of(await core.run("read_view", log.partition, log.base))


First = Literal["", "newest", "oldest"]


class SurveyLogs(Packed, frozen=True):
    """The request of survey.lua: logs, and their sets of positions in one flat list."""

    by_category: bool
    first: First
    category: str
    every_fact: bool
    bases: list[str]
    count: int
    heads: list[int]
    sets: list[int]


async def survey(
    core: Core,
    shares: Sequence[Share],
    sets: Sets,
    *,
    by_category: bool = False,
    first: First = "",
    category: str = "",
    every_fact: bool = True,
) -> Survey:
    """Count the entries of logs in some sets of positions each.

    `first` asks also when one entry of the last set was accepted; `category` is that of `Part`. Without
    `every_fact` the answer has the facts of the first log alone, and zeros for the others.
    """
    partitions: dict[int, list[int]] = {}
    for place, share in enumerate(shares):
        partitions.setdefault(share.log.partition, []).append(place)
    parts = [
        (partition, places[start : start + _LOGS_PER_CALL])
        for partition, places in partitions.items()
        for start in range(0, len(places), _LOGS_PER_CALL)
    ]
    calls = []
    for partition, places in parts:
        bases = [shares[place].log.base for place in places]
        known = core.newest.of(core.epoch, bases) if first == "newest" else []
        request = SurveyLogs(
            by_category,
            first,
            category,
            every_fact,
            bases,
            1 + len(sets),
            [head for head, _ in known],
            _flat(places, shares, sets),
        )
        calls.append((places, bases, known, core.run("survey", partition, pack(request))))
    await asyncio.gather(*(call for *_, call in calls))
    found = Survey(0, [0] * len(sets), {}, [NO_FACTS] * len(shares))
    for places, bases, known, call in calls:
        answer = _decode(call.result())
        found.add(answer)
        heads, times = answer.facts[::4], answer.facts[3::4]
        if known:
            times = core.newest.complete(bases, known, heads, times)
        facts = map(Surveyed, heads, answer.facts[1::4], answer.facts[2::4], times)
        for place, log in zip(places if every_fact else places[:1], facts, strict=True):
            found.logs[place] = log
    return found


def _flat(places: Sequence[int], shares: Sequence[Share], sets: Sets) -> list[int]:
    """The spans and the sets of the logs at these places, as survey.lua reads them."""
    flat: list[int] = []
    # Most users have marked nothing in most logs: then all sets are the same one.
    different = list({id(column): column for column in sets}.values())
    for place in places:
        spans = shares[place].spans
        for column in different:
            if column[place] is not spans:
                break
        else:
            if len(spans) == _ONE_INTERVAL:
                flat.append(_EACH_SET)
                flat += spans
                continue
        flat += (_SETS_FOLLOW, len(spans), *spans)
        before = spans
        for column in sets:
            bounds = column[place]
            if bounds is before or bounds == before:
                flat.append(_AS_BEFORE)
            else:
                flat.append(len(bounds))
                flat += bounds
                before = bounds
    return flat


class Listing(NamedTuple):
    """A list of an inbox: its positions in each log. `first` and `category` as for `survey`."""

    positions: Sequence[Bounds]
    first: First
    category: str


Choose = Callable[[View, Sequence[Share]], Awaitable[Listing]]
"""Chooses what to list."""

_NOTHING: Final = Listing((), "", "")


class Look(NamedTuple):
    """A user's view, the share in each log, the list, the survey, and the counts."""

    view: View
    shares: Sequence[Share]
    listing: Listing
    found: Survey
    counts: Counts


async def look(
    core: Core, tenant: str, user: str, *, by_category: bool = False, choose: Choose | None = None
) -> Look:
    """Read a user's view and count by it. The version of the counts is never newer than the view."""
    own = core.keys.user(tenant, user)
    tries = 0
    while True:
        view = await read_view(core, own)
        shares = list(view.shares(core.keys, tenant, user).values())
        listing = await choose(view, shares) if choose else _NOTHING
        sets = counted_sets(shares, view.states)
        if listing.positions:
            sets = (*sets, listing.positions)
        found = await survey(
            core,
            shares,
            sets,
            by_category=by_category,
            first=listing.first,
            category=listing.category,
            every_fact=choose is not None,
        )
        # The first share is the own log.
        newer = found.logs[0].changes - view.changes
        tries += 1
        # A change between the two reads is in the answers of the logs, but not in the view.
        if not newer or tries == _LOOKS:
            break
    counts = counts_of(found, by_category=by_category)
    counts = msgspec.structs.replace(counts, version=counts.version - newer)
    return Look(view, shares, listing, found, counts)


async def inbox_counts(core: Core, tenant: str, user: str, *, by_category: bool = False) -> Counts:
    """The counts of a user's inbox now."""
    return (await look(core, tenant, user, by_category=by_category)).counts
