"""Marking: read a user's state, compute the new one, and swap it if its version is still the one read.

Positions past the end of a log are cut to it. Notifications that are not the user's are left out and reported
as unknown. A repeated mark changes nothing.
"""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from tidings.protocol import limits
from tidings.protocol.frames import Counts, Mark, State
from tidings.protocol.rest import MarkInbox
from tidings_workers.store import intervals
from tidings_workers.store.changes import Change
from tidings_workers.store.core import Core
from tidings_workers.store.counting import Surveyed, counted_sets, counts_of
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Log
from tidings_workers.store.snoozes import snoozes_of
from tidings_workers.store.state import Applied, LogState, apply
from tidings_workers.store.surveys import inbox_counts, read_view, survey
from tidings_workers.store.swaps import Swaps, SwapState
from tidings_workers.store.wanted import Wanted, locate, narrow, retired_among, wanted_by

# A mark that changes more positions than this keeps one time per run instead of one per position. Measured:
# with single times, a mark of 36,000 in 400 groups blocked Valkey 9.1 for 300 ms.
_TIMES: Final = 2 * limits.MARK_IDS
# A longer list of positions is left out of a change: gateways read the state instead.
_CHANGE_BYTES: Final = 32 * 1024

_encode: Final = msgspec.json.Encoder().encode


class MarkResult(Struct, frozen=True):
    """The number of changed notifications, the ids or logs that are not the user's, and the new counts.

    `change` is None when nothing changed. Otherwise it led to `state_version`.
    """

    changed: int
    unknown: tuple[str, ...]
    counts: Counts
    state_version: int
    change: Change | None


class _Attempt(NamedTuple):
    """A mark by one user, the same in every try. `token` identifies it in the journal."""

    tenant: str
    user: str
    own: Log
    mark: Mark | MarkInbox
    located: Mapping[str, tuple[Log, int]]
    origin: str
    token: str


class Marks:
    """Marking what is in users' inboxes."""

    def __init__(self, core: Core, swaps: Swaps) -> None:
        self._core = core
        self._swaps = swaps

    async def mark(self, tenant: str, user: str, mark: Mark | MarkInbox, origin: str = "") -> MarkResult:
        """Change the state of notifications of one user; atomic per user, idempotent.

        The gateways get `origin` with the change. Exactly one of `ids`, `up_to` and `all` must be set. Raises
        StorageUnavailable.
        """
        own, token = self._core.keys.user(tenant, user), secrets.token_hex(8)
        located = await locate(self._core, tenant, user, mark.ids) if mark.ids is not None else {}
        attempt = _Attempt(tenant, user, own, mark, located, origin, token)
        return await self._swaps.retry(own, lambda: self._try(attempt))

    async def _try(self, attempt: _Attempt) -> MarkResult | None:
        """Apply the mark to the current state. Returns None when the state changed during the try."""
        core = self._core
        tenant, user, own, mark, located, *_ = attempt
        view = await read_view(core, own)
        shares = view.shares(core.keys, tenant, user)
        wanted = wanted_by(view, shares, mark, located)
        if mark.category is not None:
            await narrow(core, wanted, shares, mark.category)
        at = max(milliseconds(), view.marked_at + 1)
        states, applied = _apply(view.states, wanted.positions, mark.state, at)
        changing = [applied[base].changed if base in applied else [] for base in shares]
        sets = (*counted_sets(shares.values(), view.states | states), changing)
        found = await survey(core, list(shares.values()), sets)
        changed = found.numbers[2]
        counts = counts_of(found)
        facts = dict(zip(shares, found.logs, strict=True))
        # Cut to the heads that were read, so that later notifications are not marked.
        cut = {
            base: intervals.below(positions, facts[base].head) for base, positions in wanted.positions.items()
        }
        if core.archive is not None:
            cut = await self._live(cut, facts)
        unknown = (*wanted.unknown, *_gone(wanted, cut)) if core.archive is not None else wanted.unknown
        if not changed:
            if facts[own.base].changes != view.changes:
                counts = await inbox_counts(core, tenant, user)
            return MarkResult(0, tuple(unknown), counts, view.version, None)
        floors = {base: facts[base].floor for base in cut}
        # With an archive, only the retention forgets the states of shared logs, after the archive has them.
        forgotten = (
            floors if core.archive is None else {base: floors[base] for base in cut if base == own.base}
        )
        states, applied = _apply(view.states, cut, mark.state, at, forgotten)
        ends = {share.log.name: _end(share.spans, facts[base].head) for base, share in shares.items()}
        change = _change(mark, at, applied, ends, wanted.ids)
        changes = -1 if core.archive is None else facts[own.base].changes
        request = _swap_state(attempt, view.version, at, states, applied, floors, change, changes)
        swapped = await self._swaps.swap(own, request)
        if swapped is None:
            return None
        if swapped.changes != view.changes + 1:
            # The inbox had other changes since it was read.
            counts = await inbox_counts(core, tenant, user)
        else:
            counts = msgspec.structs.replace(counts, version=counts.version + 1)
        return MarkResult(changed, tuple(unknown), counts, swapped.version, change)

    async def _live(self, cut: Mapping[str, Bounds], facts: Mapping[str, Surveyed]) -> dict[str, Bounds]:
        """These positions of logs without those that the retention removed: the archive keeps their state."""
        above = {base: intervals.above(positions, facts[base].floor) for base, positions in cut.items()}
        logs = [self._core.keys.of(base) for base in cut if facts[base].changes]
        found = await asyncio.gather(*(retired_among(self._core, log, above[log.base]) for log in logs))
        retired = {log.base: positions for log, positions in zip(logs, found, strict=True)}
        return {base: intervals.minus(positions, retired.get(base, [])) for base, positions in above.items()}


def _swap_state(
    attempt: _Attempt,
    version: int,
    at: int,
    states: Mapping[str, LogState],
    applied: Mapping[str, Applied],
    floors: Mapping[str, int],
    change: Change,
    changes: int,
) -> SwapState:
    """The request that replaces `version` of the user's state."""
    return SwapState(
        base=attempt.own.base,
        tenant=attempt.tenant,
        user=attempt.user,
        version=version,
        token=attempt.token,
        at=at,
        states=[(base, _encode(state).decode()) for base, state in states.items()],
        times=[
            (base, [part for field in each.times for part in (field, at)])
            for base, each in applied.items()
            if each.times
        ],
        dropped=[(base, each.dropped) for base, each in applied.items() if each.dropped],
        firsts=[
            (base, kind, list(intervals.pairs(_above(positions, floors[base]))))
            for base, each in applied.items()
            for kind, positions in sorted(each.ever.items(), reverse=True)
        ],
        archived=[
            (base, list(intervals.pairs(_above(each.changed, floors[base]))))
            for base, each in applied.items()
            if attempt.mark.state == "archived"
        ],
        change=_encode(change).decode(),
        origin=attempt.origin,
        changes=changes,
        snoozes=snoozes_of({base: each.woken for base, each in applied.items() if each.woken}),
    )


def _gone(wanted: Wanted, live: Mapping[str, Bounds]) -> list[str]:
    """The ids of a mark whose entries the retention has removed."""
    return [
        notification_id
        for (base, position), notification_id in wanted.ids.items()
        if not intervals.contains(live[base], position)
    ]


def _above(positions: Bounds, floor: int) -> Bounds:
    """The positions above the floor: the others have no entry."""
    return intervals.minus(positions, [0, floor]) if floor else positions


def _end(spans: Bounds, head: int) -> int:
    return min(spans[-1], head) if spans else 0


def _apply(
    before: Mapping[str, LogState],
    wanted: Mapping[str, Bounds],
    state: State,
    at: int,
    floors: Mapping[str, int] | None = None,
) -> tuple[dict[str, LogState], dict[str, Applied]]:
    """Apply a mark to copies of the states. Returns the changed states, and the changes."""
    states, done = _apply_each(before, wanted, state, at, one_by_one=True)
    if sum(len(each.times) + len(each.dropped) for each in done.values()) > _TIMES:
        states, done = _apply_each(before, wanted, state, at, one_by_one=False)
    for base, floor in (floors or {}).items():
        if base in states:
            states[base].forget(floor)
    return states, done


def _apply_each(
    before: Mapping[str, LogState], wanted: Mapping[str, Bounds], state: State, at: int, *, one_by_one: bool
) -> tuple[dict[str, LogState], dict[str, Applied]]:
    states: dict[str, LogState] = {}
    done: dict[str, Applied] = {}
    for base, positions in wanted.items():
        log = msgspec.json.decode(_encode(before[base]), type=LogState) if base in before else LogState()
        applied = apply(log, state, positions, at, one_by_one=one_by_one)
        if applied.changed:
            states[base], done[base] = log, applied
    return states, done


def _change(
    mark: Mark | MarkInbox,
    at: int,
    applied: Mapping[str, Applied],
    ends: Mapping[str, int],
    ids: Mapping[tuple[str, int], str],
) -> Change:
    """The change, in the terms of the mark. `ends`: the user's last position in each log, by its name."""
    is_short = sum(len(each.changed) for each in applied.values()) * 8 <= _CHANGE_BYTES
    positions = {base: each.changed for base, each in applied.items()} if is_short else None
    if mark.ids is not None:
        changed = tuple(
            notification_id
            for (base, position), notification_id in ids.items()
            if base in applied and intervals.contains(applied[base].changed, position)
        )
        return Change(mark.state, at, positions, ids=changed)
    if mark.up_to is not None:
        reached = {name: min(position, ends[name]) for name, position in mark.up_to.items() if name in ends}
        return Change(mark.state, at, positions, up_to=reached)
    return Change(mark.state, at, positions, up_to=dict(ends), all=True, category=mark.category)
