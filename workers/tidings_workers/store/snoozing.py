"""Snoozes: notifications that a user hides until a time, and their return.

A snooze changes the user's state, as a mark does. The times are outside the state: `snoozed` of a user has
the positions by the time of their return, and `returning` of a partition its users by their first return.
mark.lua writes all of them together. A dispatcher asks for the users that are due, and returns what is due of
each; it may be stopped and repeated at any point.
"""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from tidings.protocol.frames import Counts
from tidings_workers.store import intervals
from tidings_workers.store.bases import parse_base
from tidings_workers.store.changes import Change, SnoozedAt
from tidings_workers.store.core import Core
from tidings_workers.store.counting import counted_sets, counts_of
from tidings_workers.store.event_items import IdsAt
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Log, returning
from tidings_workers.store.packing import pack, text
from tidings_workers.store.snoozes import read_snoozes, snoozes_of
from tidings_workers.store.state import Applied, LogState, snooze, wake
from tidings_workers.store.surveys import inbox_counts, read_view, survey
from tidings_workers.store.swaps import Swaps, SwapState
from tidings_workers.store.view import Share, read_hidden
from tidings_workers.store.wanted import by_ids, leave_out_retired, locate

USERS: Final = 100
"""The most users that one call of `due` lists."""
# The most positions of a user that return at once.
_POSITIONS: Final = 1_000

_encode: Final = msgspec.json.Encoder().encode


class SnoozeResult(Struct, frozen=True):
    """The number of changed notifications, the ids that are not the user's, and the new counts."""

    changed: int
    unknown: tuple[str, ...]
    counts: Counts


class _Attempt(NamedTuple):
    """A snooze by one user, or the end of one, the same in every try. `until`: Unix ms, 0 for the end."""

    tenant: str
    user: str
    own: Log
    ids: Sequence[str]
    until: int
    located: Mapping[str, tuple[Log, int]]
    token: str


class Snoozing:
    """The snoozes of users."""

    def __init__(self, core: Core, swaps: Swaps) -> None:
        self._core = core
        self._swaps = swaps

    async def snooze(self, tenant: str, user: str, ids: Sequence[str], until: int | None) -> SnoozeResult:
        """Hide notifications of one user until a time (ms), or end that now; atomic per user, idempotent.

        Without a time the notifications are as they were before. Raises StorageUnavailable.
        """
        own, token = self._core.keys.user(tenant, user), secrets.token_hex(8)
        located = await locate(self._core, tenant, user, ids)
        attempt = _Attempt(tenant, user, own, ids, until or 0, located, token)
        return await self._swaps.retry(own, partial(self._try, attempt))

    async def _try(self, attempt: _Attempt) -> SnoozeResult | None:
        """Change the current state. Returns None when the state changed during the try."""
        core = self._core
        tenant, user, own, ids, until, located, _ = attempt
        view = await read_view(core, own)
        shares = view.shares(core.keys, tenant, user)
        wanted = by_ids(shares, ids, located)
        if core.archive is not None:
            await leave_out_retired(core, wanted)
        at = max(milliseconds(), view.marked_at + 1)
        changing = await self._changing(own, wanted.positions, view.states, until)
        states: dict[str, LogState] = {}
        dropped: dict[str, list[str]] = {}
        for base, positions in changing.items():
            state = states[base] = view.states.get(base) or LogState()
            if until:
                dropped[base] = snooze(state, positions, at).dropped
            else:
                intervals.take(state.snoozed, positions)
        # The states of the view are the changed ones now.
        sets = (
            *counted_sets(shares.values(), view.states | states),
            [changing.get(base, []) for base in shares],
        )
        found = await survey(core, list(shares.values()), sets)
        counts = counts_of(found)
        unknown = tuple(wanted.unknown)
        if not changing:
            # The first share is the own log.
            if found.logs[0].changes != view.changes:
                counts = await inbox_counts(core, tenant, user)
            return SnoozeResult(0, unknown, counts)
        named = _named(ids, located, changing)
        change = Change("seen", at, {}, ids=(), snoozed=SnoozedAt(named, changing, until or None))
        request = _swap_state(
            attempt.own,
            (tenant, user, attempt.token),
            view.version,
            states,
            dropped,
            change,
            snoozes_of(changing, until),
            -1 if core.archive is None else view.changes,
        )
        swapped = await self._swaps.swap(own, request)
        if swapped is None:
            return None
        if swapped.changes != view.changes + 1:
            # The inbox had other changes since it was read.
            counts = await inbox_counts(core, tenant, user)
        else:
            counts = msgspec.structs.replace(counts, version=counts.version + 1)
        return SnoozeResult(found.numbers[2], unknown, counts)

    async def _changing(
        self, own: Log, wanted: Mapping[str, Bounds], states: Mapping[str, LogState], until: int
    ) -> dict[str, Bounds]:
        """Those of the wanted positions whose time of return changes."""
        snoozed = {
            base: common
            for base, positions in wanted.items()
            if base in states and (common := intervals.common(positions, states[base].snoozed))
        }
        if not until:
            return snoozed
        same: dict[str, list[int]] = {}
        for base, bounds in snoozed.items():
            known = await read_snoozes(self._core, own, [(base, each) for each in intervals.each(bounds)])
            same[base] = [position for (_, position), at in known.items() if at == until]
        changing = {
            base: intervals.minus(positions, intervals.of(same.get(base, ())))
            for base, positions in wanted.items()
        }
        return {base: positions for base, positions in changing.items() if positions}

    # The return

    async def due(self, partition: int, now: int) -> list[str]:
        """The bases of the users with a notification that is due, the longest due first; at most USERS."""
        found = await self._core.call(
            "ZRANGE", returning(partition), "-inf", now, "BYSCORE", "LIMIT", 0, USERS
        )
        return [text(base) for base in found]

    async def wake(self, base: str, now: int) -> None:
        """Return what is due of a user to the inbox, as unseen. Raises StorageUnavailable."""
        own, token = self._core.keys.of(base), secrets.token_hex(8)
        await self._swaps.retry(own, partial(self._try_waking, own, now, token))

    async def _try_waking(self, own: Log, now: int, token: str) -> bool | None:
        core, (_, tenant, user) = self._core, parse_base(own.base)
        # The times are read after the view: if they change in between, the swap fails.
        view = await read_view(core, own)
        members = await core.call(
            "ZRANGE", own.key("snoozed"), "-inf", now, "BYSCORE", "LIMIT", 0, _POSITIONS
        )
        if not members:
            # Another dispatcher returned them, or the user was erased.
            return True
        listed: dict[str, list[int]] = {}
        for member in members:
            log_base, position = read_hidden(text(member))
            listed.setdefault(log_base, []).append(position)
        due = {log_base: intervals.of(positions) for log_base, positions in listed.items()}
        shares = view.shares(core.keys, tenant, user)
        ids = await self._ids(user, {base: bounds for base, bounds in due.items() if base in shares}, shares)
        at = max(milliseconds(), view.marked_at + 1)
        states: dict[str, LogState] = {}
        applied: dict[str, Applied] = {}
        for log_base, bounds in due.items():
            state = states[log_base] = view.states.get(log_base) or LogState()
            present = intervals.of(position for each, position in ids if each == log_base)
            applied[log_base] = wake(state, bounds, present, at)
        changed = {log_base: each.changed for log_base, each in applied.items() if each.changed}
        named = tuple(
            notification_id
            for (log_base, position), notification_id in ids.items()
            if intervals.contains(applied[log_base].changed, position)
        )
        woken = {log_base: each.woken for log_base, each in applied.items() if each.woken}
        change = Change("unseen", at, changed, ids=named, snoozed=SnoozedAt(named, woken))
        request = _swap_state(
            own,
            (tenant, user, token),
            view.version,
            states,
            {log_base: each.dropped for log_base, each in applied.items()},
            change,
            snoozes_of(due),
            -1 if core.archive is None else view.changes,
        )
        return True if await self._swaps.swap(own, request) is not None else None

    async def _ids(
        self, user: str, due: Mapping[str, Bounds], shares: Mapping[str, Share]
    ) -> dict[tuple[str, int], str]:
        """The ids of those of these positions that have an entry which the user may see."""
        parts: dict[int, list[IdsAt]] = {}
        for base, bounds in due.items():
            rows = parts.setdefault(shares[base].log.partition, [])
            rows += [
                IdsAt(base, *span, user)
                for span in intervals.pairs(intervals.common(bounds, shares[base].visible))
            ]
        answers = await asyncio.gather(
            *(self._core.run("ids_at", partition, pack(rows)) for partition, rows in parts.items())
        )
        return {
            (row.base, int(position)): text(notification_id)
            for rows, answer in zip(parts.values(), answers, strict=True)
            for row, found in zip(rows, answer, strict=True)
            for position, notification_id in zip(found[::2], found[1::2], strict=True)
        }


def _named(
    ids: Sequence[str], located: Mapping[str, tuple[Log, int]], changing: Mapping[str, Bounds]
) -> tuple[str, ...]:
    """Those of the ids whose positions change."""
    return tuple(
        notification_id
        for notification_id in dict.fromkeys(ids)
        if (place := located.get(notification_id)) is not None
        and intervals.contains(changing.get(place[0].base, []), place[1])
    )


def _swap_state(
    own: Log,
    who: tuple[str, str, str],
    version: int,
    states: Mapping[str, LogState],
    dropped: Mapping[str, list[str]],
    change: Change,
    snoozes: list[str | int],
    changes: int,
) -> SwapState:
    """The request that replaces `version` of the state; `who`: tenant, user and token."""
    tenant, user, token = who
    return SwapState(
        base=own.base,
        tenant=tenant,
        user=user,
        version=version,
        token=token,
        at=change.at,
        states=[(base, _encode(state).decode()) for base, state in states.items()],
        times=[],
        dropped=[(base, fields) for base, fields in dropped.items() if fields],
        firsts=[],
        archived=[],
        change=_encode(change).decode(),
        origin="",
        snoozes=snoozes,
        changes=changes,
    )
