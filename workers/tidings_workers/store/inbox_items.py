"""The items of a page of an inbox, from its rows: their states, times and used actions."""

import asyncio
from collections.abc import Mapping, Sequence

from msgspec import Struct

from tidings.protocol.rest import InboxState
from tidings_workers.archive import ArchivedEntry
from tidings_workers.store import intervals
from tidings_workers.store.core import Core
from tidings_workers.store.entries import Entry
from tidings_workers.store.frozen_states import FrozenState, Segments, frozen_at
from tidings_workers.store.history import Row
from tidings_workers.store.keys import Log
from tidings_workers.store.snoozes import read_snoozes
from tidings_workers.store.state import KINDS, LogState, field
from tidings_workers.store.uses import Use, read_uses
from tidings_workers.store.view import View


class InboxItem(Struct, frozen=True):
    """One item: the log as the user names it, its position, the notification's JSON, and its state.

    `state` is the furthest of unseen, seen and read, or archived; times are Unix ms. `used` is the
    action that the user used. `in_archive`: Redis does not have it any more, so it can't be marked.
    `snoozed_until`: until then the user hides it.
    """

    log: str
    position: int
    content: bytes
    state: InboxState
    seen_at: int | None
    read_at: int | None
    archived_at: int | None
    used: Use | None = None
    in_archive: bool = False
    snoozed_until: int | None = None


async def items_of(
    core: Core, own: Log, view: View, rows: Sequence[Row], segments: Segments, *, strict: bool
) -> list[InboxItem] | None:
    """Items with their state, their single times (see state.py), and the actions that were used.

    None, if `strict`, when a time is missing: an entry has just moved into the archive, with its times.
    """
    frozen = {
        (row.log.base, row.entry.position): known
        for row in rows
        if row.past is not None
        and (known := frozen_at(segments.get(row.log.base, ()), row.entry.position)) is not None
    }
    marked = [
        (log, entry.position)
        for log, entry, past in rows
        if log.base in view.states
        and (past is None or not log.is_own)
        and (log.base, entry.position) not in frozen
    ]
    by_log: dict[str, list[int]] = {}
    for log, position in marked:
        by_log.setdefault(log.base, []).append(position)
    replies = await asyncio.gather(
        *(
            core.call(
                "HMGET",
                own.key("times", base),
                *(field(kind, position) for position in positions for kind in KINDS),
            )
            for base, positions in by_log.items()
        )
    )
    uses = await _uses(core, own, view, by_log)
    snoozed = [
        (base, position)
        for base, positions in by_log.items()
        if (bounds := view.states[base].snoozed)
        for position in positions
        if intervals.contains(bounds, position)
    ]
    snoozes = await read_snoozes(core, own, snoozed)
    kept: dict[tuple[str, int], list[int | None]] = {}
    for (base, positions), reply in zip(by_log.items(), replies, strict=True):
        times = [int(value) if value is not None else None for value in reply]
        for index, position in enumerate(positions):
            kept[base, position] = times[3 * index : 3 * index + 3]
    if strict and any(_lacks_time(view, place, times) for place, times in kept.items()):
        return None
    return [
        _past_item(log, entry, past, frozen.get((log.base, entry.position)))
        if past is not None and (log.is_own or (log.base, entry.position) in frozen)
        else _item(
            log,
            entry,
            view.states.get(log.base),
            kept.get((log.base, entry.position)),
            uses.get((log.base, entry.position)),
            snoozes.get((log.base, entry.position)),
            in_archive=past is not None,
        )
        for log, entry, past in rows
    ]


def _lacks_time(view: View, place: tuple[str, int], times: Sequence[int | None]) -> bool:
    """Whether an entry is in a state whose time is not known. `times`: its single times."""
    base, position = place
    state = view.states[base]
    return any(
        intervals.contains(state.having(kind), position) and state.time(kind, position, time) is None
        for kind, time in zip(KINDS, times, strict=True)
    )


async def _uses(
    core: Core, own: Log, view: View, by_log: Mapping[str, Sequence[int]]
) -> dict[tuple[str, int], Use]:
    """The actions that the user used at some of these positions of logs."""
    acted = {
        base: [each for each in positions if intervals.contains(view.states[base].acted, each)]
        for base, positions in by_log.items()
        if view.states[base].acted
    }
    replies = await asyncio.gather(
        *(read_uses(core, own, base, positions) for base, positions in acted.items())
    )
    return {
        (base, position): use
        for base, reply in zip(acted, replies, strict=True)
        for position, use in reply.items()
    }


def _item(
    log: Log,
    entry: Entry,
    state: LogState | None,
    kept: list[int | None] | None,
    used: Use | None,
    until: int | None,
    *,
    in_archive: bool,
) -> InboxItem:
    times: list[int | None] = [None, None, None]
    if state is not None and kept is not None:
        times = [state.time(kind, entry.position, time) for kind, time in zip(KINDS, kept, strict=True)]
    return _made(log, entry, times, used, until, in_archive=in_archive)


def _past_item(log: Log, entry: Entry, past: ArchivedEntry, frozen: FrozenState | None) -> InboxItem:
    if frozen is not None:
        times = [frozen.time(kind, entry.position) for kind in KINDS]
        return _made(log, entry, times, frozen.use(entry.position), None, in_archive=True)
    used = Use(past.action, past.action_at or 0) if past.action is not None else None
    times = [past.seen_at, past.read_at, past.archived_at]
    return _made(log, entry, times, used, None, in_archive=True)


def _made(
    log: Log,
    entry: Entry,
    times: list[int | None],
    used: Use | None,
    until: int | None,
    *,
    in_archive: bool,
) -> InboxItem:
    seen_at, read_at, archived_at = times
    name: InboxState = "unseen" if seen_at is None else "seen" if read_at is None else "read"
    if archived_at is not None:
        name = "archived"
    return InboxItem(
        log.name,
        entry.position,
        entry.content,
        name,
        seen_at,
        read_at,
        archived_at,
        used,
        in_archive,
        until,
    )
