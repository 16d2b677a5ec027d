"""Moving entries out of Redis, for the archive.

The retention sweep leaves the old entries of an archived tenant in their logs, and puts the logs into
`archivable`. A batch moves some of them: `begin` reads the entries, the archiver stores them, and `remove`
removes them from their logs. While a batch is under way its positions are in the key `archiving`, so that a
batch whose archiver was killed is known, and a reader can tell an entry that was recalled in between.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from tidings_workers.store import intervals
from tidings_workers.store.bases import parse_base
from tidings_workers.store.batches import BatchUnderWay, parse_batch, positions_of
from tidings_workers.store.core import LEAST_RECORD_MS, Core, since_of
from tidings_workers.store.entries import Entry, category_of, entry_of
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Log, archivable, archiving
from tidings_workers.store.old_entries import OldEntry, PlainSend
from tidings_workers.store.packing import Packed, pack, text
from tidings_workers.store.records import StoredNotification, read_notification
from tidings_workers.store.state import KINDS, LogState
from tidings_workers.store.sweep_rules import SweepLog, longest_of, sweep_log
from tidings_workers.store.uses import parse_use

BUDGET: Final = 200
"""The most entries of a batch."""
LOGS: Final = 100
SENDS: Final = 8
"""The most entries of a list of sends that are moved at a time. One has up to 250 sends."""
SENDS_LEAD_MS: Final = 3 * 86_400_000
"""Sends leave their list this long before their records expire."""
_ID_LENGTH: Final = 36

_state: Final = msgspec.json.Decoder(LogState)
_bounds: Final = msgspec.json.Decoder(Bounds)
_actions: Final = msgspec.json.Decoder(dict[str, int])


class CollectOld(Packed, frozen=True):
    """The request of collect_old.lua; `now` is 0 for the server's clock, times are in ms."""

    now: int
    budget: int
    least_life: int
    token: str
    logs: list[SweepLog]


class Batch(NamedTuple):
    """Entries to move."""

    token: str
    entries: Sequence[OldEntry]


class OldSends(NamedTuple):
    """An entry of the list of sends, and the ids of its sends."""

    entry: str
    ids: list[str]


class Archiving:
    """Moves entries out of their logs."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def waiting(self, partition: int) -> list[str]:
        """The bases of at most a hundred logs with entries to move, those with the most bytes first."""
        found = await self._core.call("ZRANGE", archivable(partition), 0, LOGS - 1, "REV")
        return [text(base) for base in found]

    async def backlog(self, *partitions: int) -> int:
        """About how many bytes of entries wait in these partitions, or in all, by the last estimates."""
        found = await asyncio.gather(
            *(
                self._core.call("ZRANGE", archivable(partition), 0, -1, "WITHSCORES")
                for partition in partitions or range(self._core.partitions)
            )
        )
        return sum(int(float(size)) for scored in found for size in _scores(scored))

    async def under_way(self, partition: int) -> BatchUnderWay | None:
        """The batch that has not ended, if there is one."""
        packed = await self._core.call("GET", archiving(partition))
        return parse_batch(packed) if packed is not None else None

    async def take_over(self, partition: int) -> BatchUnderWay | None:
        """Take over the batch that has not ended, if there is one: its archiver can't `remove` it any more.

        The archive must not have its positions; after their removal `end` must follow.
        """
        packed = await self._core.run("take_over_batch", partition)
        return parse_batch(packed) if packed is not None else None

    async def begin(
        self, partition: int, bases: Sequence[str], token: str, *, now: int = 0
    ) -> Batch | BatchUnderWay:
        """Begin a batch of old entries of these logs. Logs without any are not `waiting` afterwards.

        `now`: Unix ms, instead of the server's clock. A batch without entries has ended. Returns the batch
        that another archiver left, if there is one: it has to be taken over, see `take_over`.
        """
        logs = [sweep_log(self._core, base) for base in bases]
        request = CollectOld(now, BUDGET, LEAST_RECORD_MS, token, logs)
        answer = await self._core.run("collect_old", partition, pack(request))
        if answer[0]:
            return parse_batch(answer[0])
        return Batch(token, [entry for log in answer[1] for entry in self._entries(log)])

    async def old_sends(self, partition: int, base: str, *, now: int = 0) -> list[OldSends]:
        """The oldest sends that are too old for the list of a tenant, ``s/<tenant>``. They stay in it.

        `now`: Unix ms, instead of the server's clock.
        """
        age = longest_of(sweep_log(self._core, base))
        if age is None:
            return []
        tenant = parse_base(base).tenant
        found = await self._core.run("old_sends", partition, tenant, age - SENDS_LEAD_MS, now, SENDS)
        return [OldSends(text(entry), _ids_in(text(ids))) for entry, ids in found]

    async def records(self, tenant: str, ids: Sequence[str]) -> list[StoredNotification]:
        """The notifications of these ids that Redis has."""
        found = await asyncio.gather(*(read_notification(self._core, tenant, each) for each in ids))
        return [each for each in found if each is not None]

    async def trim_sends(self, partition: int, base: str, entries: Sequence[str]) -> None:
        """Remove entries from the list of a tenant; without any the list does not wait any more."""
        await self._core.run("trim_sends", partition, parse_base(base).tenant, pack(list(entries)))

    async def remove(self, partition: int, token: str) -> Mapping[str, Bounds] | None:
        """Remove the entries of a batch from their logs. The archive must have them.

        Returns the positions, by the base of the log, that the archive must not have, because they were
        recalled or marked in between; with any, `end` must follow. None when the batch is not under way.
        """
        answer = await self._core.run("remove_archived", partition, token, LEAST_RECORD_MS)
        return None if answer is None else positions_of(answer)

    async def since(self) -> int:
        """The acceptance (ms) from which on an archived entry is of this epoch. Older ones are not moved."""
        return since_of(await self._core.read_began())

    async def end(self, partition: int, token: str) -> None:
        """End a batch after the archive has removed the positions that it must not have."""
        await self._core.run("end_batch", partition, token)

    def _entries(self, raw: Sequence[Any]) -> list[OldEntry]:
        base, state, delivered, rows = raw
        log = self._core.keys.of(text(base))
        known = _state.decode(state) if state else LogState()
        received = _bounds.decode(delivered) if delivered else []
        return [_old_entry(log, known, received, row) for row in rows]


def _old_entry(log: Log, state: LogState, delivered: Bounds, row: Sequence[Any]) -> OldEntry:
    position, fields, facts, receipts, actions, *times, used = row
    entry: Entry = entry_of(b"%d" % int(position), fields)
    kept = [int(value) if value else None for value in times]
    seen_at, read_at, archived_at = (
        state.time(kind, entry.position, time) for kind, time in zip(KINDS, kept, strict=True)
    )
    return OldEntry(
        log=log,
        entry=entry,
        category=category_of(entry.content),
        plain=_plain(text(facts)),
        receipts=(int(receipts[0]), int(receipts[1]), int(receipts[2])),
        actions=_actions.decode(actions) if actions != b"{}" else {},
        delivered=intervals.contains(delivered, entry.position),
        seen_at=seen_at,
        read_at=read_at,
        archived_at=archived_at,
        used=parse_use(used) if used else None,
    )


def _plain(facts: str) -> PlainSend | None:
    """The facts of a plain send, which accepted_key.lua describes; None for another one."""
    if not facts:
        return None
    position, waited, recipients, _ = facts.split(" ", 3)
    return PlainSend(int(position), int(waited), int(recipients))


def _ids_in(ids: str) -> list[str]:
    return [ids[start : start + _ID_LENGTH] for start in range(0, len(ids), _ID_LENGTH)]


def by_tenant(positions: Mapping[str, Bounds]) -> dict[str, dict[str, Bounds]]:
    """Positions of logs by the tenant, then by the base of the log."""
    found: dict[str, dict[str, Bounds]] = {}
    for base, bounds in positions.items():
        found.setdefault(parse_base(base).tenant, {})[base] = bounds
    return found


def _scores(scored: Sequence[Any]) -> list[Any]:
    return (
        [row[1] for row in scored] if scored and isinstance(scored[0], list | tuple) else list(scored[1::2])
    )
