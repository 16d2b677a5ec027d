"""Marking: a user's state is read, computed anew, and swapped if nobody was faster.

Positions past the end of a log are cut to it, and what is not the user's is left out and said so. A
mark that is repeated changes nothing.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Mapping
from typing import Final
from weakref import WeakValueDictionary

import msgspec
from msgspec import Struct

from tidings.protocol import limits
from tidings.protocol.frames import Counts, Mark, State
from tidings.protocol.rest import MarkInbox
from tidings_workers.store import intervals
from tidings_workers.store.core import Core
from tidings_workers.store.counting import counts_of, inbox_counts, queries_of, survey
from tidings_workers.store.errors import StorageUnavailable
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Log, milliseconds
from tidings_workers.store.packing import pack
from tidings_workers.store.state import Applied, LogState, apply
from tidings_workers.store.view import View, read_view
from tidings_workers.store.wanted import locate, narrow, wanted_by

# Marks of one user from many processes: how long one of them tries, and waits between its tries at most.
_TRY_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 0.002
_LONGEST_PAUSE_SECONDS: Final = 0.032
# More times than a mark by ids has are not kept one by one: a few in each of many logs are many. Measured: a
# mark of 36,000 in 400 groups held Valkey 9.1 up for 300 ms with them.
_TIMES: Final = 2 * limits.MARK_IDS
# A change with more than this is not spelt out for gateways and journal: they read the state instead.
_CHANGE_BYTES: Final = 32 * 1024

_encode: Final = msgspec.json.Encoder().encode


class Change(Struct, omit_defaults=True, frozen=True):
    """One mark as it happened, for the journal and the gateways.

    `positions` by the bases of the logs is what it changed, unless that would be long; then the state has
    to be read again. `ids` where single notifications were marked; else `up_to` by the names of the logs.
    """

    state: State
    at: int
    positions: dict[str, Bounds] | None = None
    ids: tuple[str, ...] | None = None
    up_to: dict[str, int] | None = None
    all: bool = False
    category: str | None = None


decode_change: Final = msgspec.json.Decoder(Change).decode


class MarkResult(Struct, frozen=True):
    """How many notifications changed, what was not the user's, and the counts now.

    `change` is None when nothing changed; else it made `state_version`.
    """

    changed: int
    unknown: tuple[str, ...]
    counts: Counts
    state_version: int
    change: Change | None


class Marks:
    """Marking what is in users' inboxes."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def mark(self, tenant: str, user: str, mark: Mark | MarkInbox, origin: str = "") -> MarkResult:
        """Change the state of notifications of one user; atomic per user, idempotent.

        `origin` comes back with the change that the gateways get. Exactly one of `ids`, `up_to` and `all`
        has to be there.
        """
        token = secrets.token_hex(8)
        located = await locate(self._core, tenant, user, mark.ids) if mark.ids is not None else {}
        # Marks of one user that meet in a process take turns: racing, all but one of them would work in vain.
        turn = self._turns.setdefault(self._core.keys.user(tenant, user).base, asyncio.Lock())
        async with turn:
            deadline = time.monotonic() + _TRY_SECONDS
            pause = _PAUSE_SECONDS
            while (result := await self._try(tenant, user, mark, located, origin, token)) is None:
                if time.monotonic() > deadline:
                    raise StorageUnavailable("the state changes faster than it can be marked")
                # Other processes mark the same user: apart, so that they do not meet again.
                await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - jitter
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            return result

    async def _try(
        self,
        tenant: str,
        user: str,
        mark: Mark | MarkInbox,
        located: Mapping[str, tuple[Log, int]],
        origin: str,
        token: str,
    ) -> MarkResult | None:
        """Mark on top of the state as it is now; None when somebody else was faster."""
        core = self._core
        own = core.keys.user(tenant, user)
        view = await read_view(core, own)
        logs = view.logs(core.keys, tenant, user)
        wanted = wanted_by(view, logs, mark, located)
        if mark.category is not None:
            await narrow(core, wanted, logs, mark.category)
        at = max(milliseconds(), view.marked_at + 1)
        states = dict(view.states)
        applied = _apply(view.states, states, wanted.positions, mark.state, at)
        queries = queries_of(view, logs.values(), states)
        for log, sets in queries:
            if log.base in applied:
                sets.append(applied[log.base].changed)
        found = await survey(core, queries)
        changed = sum(found[base].live[2] for base in applied)
        counts = counts_of(view, logs.values(), found)
        unknown = tuple(wanted.unknown)
        if not changed:
            if found[own.base].changes != view.changes:
                counts = await inbox_counts(core, tenant, user)
            return MarkResult(0, unknown, counts, view.version, None)
        # Only what is there now: what comes later is not marked.
        cut = {
            base: intervals.common(positions, intervals.up_to(found[base].head))
            for base, positions in wanted.positions.items()
        }
        states = {}
        applied = _apply(view.states, states, cut, mark.state, at, {base: found[base].floor for base in cut})
        ends = {log.name: _end(view.spans(log), found[base].head) for base, log in logs.items()}
        change = _change(mark, at, applied, ends, wanted.ids)
        answer = await self._swap(tenant, user, own, view, token, at, states, applied, change, origin)
        if answer is None:
            return None
        version, changes = answer
        if changes != view.changes + 1:
            # Something else happened to the inbox meanwhile.
            counts = await inbox_counts(core, tenant, user)
        else:
            counts = msgspec.structs.replace(counts, version=counts.version + 1)
        return MarkResult(changed, unknown, counts, version, change)

    async def _swap(
        self,
        tenant: str,
        user: str,
        own: Log,
        view: View,
        token: str,
        at: int,
        states: Mapping[str, LogState],
        applied: Mapping[str, Applied],
        change: Change,
        origin: str,
    ) -> tuple[int, int] | None:
        moves = [
            [base, kind, list(intervals.pairs(positions))]
            for base, each in applied.items()
            for kind, positions in sorted(each.ever.items(), reverse=True)
        ]
        request = [
            own.base,
            tenant,
            user,
            view.version,
            token,
            at,
            [[base, _encode(state).decode()] for base, state in states.items()],
            [
                [base, [part for field in each.times for part in (field, at)]]
                for base, each in applied.items()
                if each.times
            ],
            [[base, each.dropped] for base, each in applied.items() if each.dropped],
            moves,
            _encode(change).decode(),
            origin,
        ]
        stands, *rest = await self._core.run("mark", own.partition, pack(request), durable=True)
        return (int(rest[0]), int(rest[1])) if stands else None


def _end(spans: Bounds, head: int) -> int:
    return min(spans[-1], head) if spans else 0


def _apply(
    before: Mapping[str, LogState],
    after: dict[str, LogState],
    wanted: Mapping[str, Bounds],
    state: State,
    at: int,
    floors: Mapping[str, int] | None = None,
) -> dict[str, Applied]:
    """Apply a mark to copies of the states; answers what it did where it did something."""
    done = _apply_each(before, after, wanted, state, at, floors, one_by_one=True)
    if sum(len(each.times) + len(each.dropped) for each in done.values()) > _TIMES:
        done = _apply_each(before, after, wanted, state, at, floors, one_by_one=False)
    return done


def _apply_each(
    before: Mapping[str, LogState],
    after: dict[str, LogState],
    wanted: Mapping[str, Bounds],
    state: State,
    at: int,
    floors: Mapping[str, int] | None,
    *,
    one_by_one: bool,
) -> dict[str, Applied]:
    done: dict[str, Applied] = {}
    for base, positions in wanted.items():
        log = msgspec.json.decode(_encode(before[base]), type=LogState) if base in before else LogState()
        applied = apply(log, state, positions, at, one_by_one=one_by_one)
        if applied.changed:
            done[base] = applied
            log.forget((floors or {}).get(base, 0))
            after[base] = log
    return done


def _change(
    mark: Mark | MarkInbox,
    at: int,
    applied: Mapping[str, Applied],
    ends: Mapping[str, int],
    ids: Mapping[tuple[str, int], str],
) -> Change:
    """What happened, in the terms of the mark. `ends`: how far each log reaches for the user, by its name."""
    spelt = sum(len(each.changed) for each in applied.values()) * 8 <= _CHANGE_BYTES
    positions = {base: each.changed for base, each in applied.items()} if spelt else None
    if mark.ids is not None:
        changed = tuple(
            identity
            for (base, position), identity in ids.items()
            if base in applied and intervals.contains(applied[base].changed, position)
        )
        return Change(mark.state, at, positions, ids=changed)
    if mark.up_to is not None:
        reached = {name: min(position, ends[name]) for name, position in mark.up_to.items() if name in ends}
        return Change(mark.state, at, positions, up_to=reached)
    return Change(mark.state, at, positions, up_to=dict(ends), all=True, category=mark.category)
