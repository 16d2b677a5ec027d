"""Removing rows in steps: a step finds the keys of some rows, then deletes these in one transaction.

A removal that is interrupted leaves no entry that a reader sees without its content: an entry whose
notification was removed does not exist for readers. A repeated call removes the rest.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from tidings_workers.archive import statements
from tidings_workers.archive.database import Change, Database, Row
from tidings_workers.archive.encoding import END, USER_LOGS, is_only_to, short_log
from tidings_workers.archive.ids import first_id, is_id, milliseconds_of_id
from tidings_workers.archive.retiring import is_due, newest_due, oldest_kept, ordered
from tidings_workers.archive.rows import ArchiveRules, Claim

STEP: Final = 1_000
_KEY: Final = 5  # the columns of the key of an entry, with its id

_PHASES: Final = ("entries", "notifications", "segments")


async def remove(database: Database, tenant: str, ids: Iterable[str]) -> int:
    """As `Archive.remove`."""
    removed = 0
    for each in filter(is_id, ids):
        key = (tenant, database.ids.stored(each), milliseconds_of_id(each))
        # First the notification: from then on no reader has its entries.
        await database.change([Change(statements.REMOVE_NOTIFICATION, [key])])
        while rows := await database.fetch(statements.ENTRIES_OF, *key, STEP):
            await database.change([_entries(rows)])
            removed += len(rows)
    return removed


async def remove_entries(
    database: Database,
    tenant: str,
    positions: Mapping[str, Sequence[int]],
    since: int,
    claim: Claim | None,
) -> int:
    """As `Archive.remove_entries`."""
    removed = 0
    for base, bounds in positions.items():
        log = short_log(tenant, base)
        for low, high in zip(bounds[::2], bounds[1::2], strict=True):
            last = min(high, END)
            while rows := await database.fetch(statements.ENTRIES_AT, tenant, log, low, last, since, STEP):
                await database.change([_entries(rows), _unused(rows)], claim)
                removed += len(rows)
    return removed


async def erase_user(database: Database, tenant: str, user: str, budget: int) -> bool:
    """As `Archive.erase_user`."""
    rows = await database.fetch(statements.ENTRIES_OF_USER, tenant, USER_LOGS + user, budget)
    if rows:
        own = [row for row in rows if row[_KEY] is not None and is_only_to(user, row[_KEY])]
        await database.change([_entries(rows), _unused(own)])
    left = budget - len(rows)
    if left <= 0:
        return False
    keys = await database.fetch(statements.USER_SEGMENT_KEYS, tenant, user, left)
    await database.change([_segments(keys)])
    return len(keys) < left


async def erase_tenant(database: Database, tenant: str, budget: int) -> bool:
    """As `Archive.erase_tenant`."""
    left = budget
    rows = await database.fetch(statements.NOTIFICATIONS_OF_TENANT, tenant, left)
    await database.change([Change(statements.REMOVE_NOTIFICATION, rows)])
    left -= len(rows)
    if left > 0:
        rows = await database.fetch(statements.ENTRIES_OF_TENANT, tenant, left)
        await database.change([_entries(rows)])
        left -= len(rows)
    if left > 0:
        rows = await database.fetch(statements.SEGMENT_KEYS, tenant, "", "", -1, left)
        await database.change([_segments(rows)])
        left -= len(rows)
    return left > 0


class Cursor(msgspec.Struct, array_like=True, frozen=True):
    """How far `retire` has looked: the last row of a phase, by id and log, or by user, log and position."""

    phase: str = _PHASES[0]
    id: str = ""
    log: str = ""
    position: int = -1


async def retire(
    database: Database, tenant: str, rules: ArchiveRules, now: int, cursor: str, budget: int
) -> str | None:
    """As `Archive.retire`."""
    at = msgspec.json.decode(cursor, type=Cursor) if cursor else Cursor()
    rules = ordered(rules)
    step = {"entries": _retire_entries, "notifications": _retire_notifications}.get(at.phase)
    reached = (
        await _retire_segments(database, tenant, rules, now, at, budget)
        if step is None
        else await step(database, tenant, rules, now, at, budget)
    )
    if reached is None:
        following = _PHASES[_PHASES.index(at.phase) + 1 :]
        if not following:
            return None
        reached = Cursor(following[0])
    return msgspec.json.encode(reached).decode()


async def _retire_entries(
    database: Database, tenant: str, rules: ArchiveRules, now: int, at: Cursor, budget: int
) -> Cursor | None:
    end = newest_due(rules, now)
    if end is None or end <= 0:
        return None
    stored, edge = database.ids.stored, at.id or first_id(0)
    begin = milliseconds_of_id(edge)
    rows = await database.fetch(
        statements.OLDEST_ENTRIES, tenant, stored(edge), at.log, stored(first_id(end)), begin, end, budget
    )
    due = [row for row in rows if is_due(rules, row[_KEY], row[3], now)]
    if due:
        await database.change([_entries(due)])
    if len(rows) < budget:
        return None
    return Cursor(at.phase, database.ids.read(rows[-1][4]), rows[-1][1])


async def _retire_notifications(
    database: Database, tenant: str, rules: ArchiveRules, now: int, at: Cursor, budget: int
) -> Cursor | None:
    end = newest_due(rules, now)
    if end is None or end <= 0:
        return None
    stored, edge = database.ids.stored, at.id or first_id(0)
    begin = milliseconds_of_id(edge)
    rows = await database.fetch(
        statements.OLDEST_NOTIFICATIONS, tenant, stored(edge), stored(first_id(end)), begin, end, budget
    )
    due = [row[:3] for row in rows if is_due(rules, row[3], row[2], now)]
    if due:
        await database.change([Change(statements.REMOVE_NOTIFICATION, due)])
    return None if len(rows) < budget else Cursor(at.phase, database.ids.read(rows[-1][1]))


async def _retire_segments(
    database: Database, tenant: str, rules: ArchiveRules, now: int, at: Cursor, budget: int
) -> Cursor | None:
    """Every entry of a segment was accepted before it was saved."""
    end = oldest_kept(rules, now)
    if end is None:
        return None
    rows = await database.fetch(statements.SEGMENT_KEYS, tenant, at.id, at.log, at.position, budget)
    due = [row for row in rows if row[4] < end]
    if due:
        await database.change([_segments(due)])
    return None if len(rows) < budget else Cursor(at.phase, rows[-1][1], rows[-1][2], rows[-1][3])


async def remove_before(database: Database, tenant: str, end: int, budget: int) -> bool:
    """Remove up to `budget` rows of a tenant from before a time. Returns whether none is left."""
    stored = database.ids.stored
    first, last = stored(first_id(0)), stored(first_id(end))
    entries = await database.fetch(statements.OLDEST_ENTRIES, tenant, first, "", last, 0, end, budget)
    await database.change([_entries(entries)])
    left = budget - len(entries)
    if left <= 0:
        return False
    rows = await database.fetch(statements.OLDEST_NOTIFICATIONS, tenant, first, last, 0, end, left)
    await database.change([Change(statements.REMOVE_NOTIFICATION, [row[:3] for row in rows])])
    return len(rows) < left


def _entries(rows: Sequence[Row]) -> Change:
    """Remove the entries whose keys these rows begin with."""
    return Change(statements.REMOVE_ENTRY, [row[:4] for row in rows])


def _segments(rows: Sequence[Row]) -> Change:
    return Change(statements.REMOVE_SEGMENT, [row[:4] for row in rows])


def _unused(rows: Sequence[Row]) -> Change:
    """Remove the notifications of these entries that have no other entry."""
    keys: dict[Any, Row] = {row[4]: (row[0], row[4], row[3]) for row in rows}
    return Change(statements.REMOVE_UNUSED_NOTIFICATION, list(keys.values()))
