"""Retention: the removal of entries that expired or are too old, and the positions that a user missed by it.

The key `due` of a partition lists its logs by the time of their next removal: an entry expires, or is older
than the rules of its tenant allow. One call of the script removes at most a hundred entries, so that other
calls do not wait long; a sweep may be stopped and repeated at any point.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from msgspec import structs

from tidings_workers.archive import ArchiveError
from tidings_workers.store.core import LEAST_RECORD_MS, Core
from tidings_workers.store.freezing import freeze_states
from tidings_workers.store.ids import milliseconds, milliseconds_of_id
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Log, archived
from tidings_workers.store.packing import Packed, pack, text
from tidings_workers.store.sweep_rules import SweepLog, sweep_log
from tidings_workers.store.view import read_hidden

# Measured with Valkey 9.1 on one busy core: removing an entry takes 25 us, so a call 2.5 ms.
BUDGET: Final = 100
LOGS: Final = 100
# A hidden position shows that a lost position was not for the user, so it is kept as long as the holes.
_KEPT_BELOW_FLOOR: Final = 10_000
_SCAN: Final = 500


class Lost(NamedTuple):
    """Positions `first` to `last` of a log are lost to a user, who missed `missed` entries.

    `erased`: an erasure removed them; otherwise the retention did. `in_archive`: the archive has those that
    the retention removed.
    """

    first: int
    last: int
    missed: int
    erased: bool
    in_archive: bool = False


class Sweep(Packed, frozen=True):
    """The request of sweep.lua; `now` is 0 for the server's clock, times are in ms."""

    now: int
    budget: int
    least_life: int
    logs: list[SweepLog]


class Retention:
    """Removes entries of logs by the rules of their tenants."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def due(self, partition: int, *, now: int = 0) -> list[str]:
        """The bases that need a sweep, the longest due first; at most a hundred.

        `now`: Unix ms, instead of the server's clock.
        """
        return [text(base) for base in await self._core.run("due", partition, now, LOGS)]

    async def sweep(
        self, partition: int, bases: Sequence[str], *, now: int = 0, uncopied: bool = False
    ) -> None:
        """Sweep some of these bases. Those with more to remove become due again.

        `uncopied`: remove also the entries that wait for the archive.
        """
        logs = [sweep_log(self._core, base) for base in bases]
        if uncopied:
            logs = [structs.replace(log, archived=2 * log.archived) for log in logs]
        request = Sweep(now, BUDGET, LEAST_RECORD_MS, logs)
        to_tidy = await self._core.run("sweep", partition, pack(request))
        for base in to_tidy:
            await self._tidy(self._core.keys.of(text(base)))

    async def lost(self, log: Log, positions: Bounds) -> Lost | None:
        """The lost ones of these positions, all of which the user might see; None when there are none.

        Recalled and expired entries are not missed. This is exact for the newest 10,000 of them: earlier
        positions all count as missed.
        """
        answer = await self._core.run("lost", log.partition, pack([log.base, positions]))
        if not answer:
            return None
        first, last, missed, erased = map(int, answer)
        by_erasure = last <= erased
        return Lost(first, last, missed, by_erasure, not by_erasure and await self._is_archived(log))

    async def _is_archived(self, log: Log) -> bool:
        """Whether the archive has all that the retention removed from the tenant's logs of this partition."""
        if self._core.history_of(log.tenant) is None:
            return False
        newest, uncopied = await self._core.call(
            "HMGET", archived(log.partition, log.tenant), "newest", "uncopied"
        )
        return newest is not None and uncopied is None

    async def _tidy(self, log: Log) -> None:
        """Remove what a user or a topic keeps of entries that have been removed for long."""
        rules = self._core.policies.rules(log.tenant)
        kept = rules.longest if log.topic is None else self._core.topic_record_life(log.tenant)
        if kept is not None:
            await self._remove_fields(log.key("ended"), partial(_is_id_before, milliseconds() - kept))
        if log.is_own:
            await self._tidy_user(log)

    async def _tidy_user(self, user: Log) -> None:
        """Remove from a user's data the details of positions below the floors of their logs."""
        call, archive = self._core.call, self._core.history_of(user.tenant)
        hidden = [text(member) for member in await call("ZRANGE", user.key("hidden"), 0, -1)]
        floors = await self._floors({read_hidden(member)[0] for member in hidden})
        old = [member for member in hidden if _is_below(member, floors)]
        if old:
            # An archived entry has the user in its `exclude`.
            await call("ZREM", user.key("hidden"), *old)
        if archive is None:
            known = await self._floors({text(base) for base in await call("HKEYS", user.key("state"))})
        else:
            try:
                known = {user.base: await self._floor(user), **await freeze_states(self._core, archive, user)}
            except ArchiveError:
                # The details stay until the next time.
                return
        for base, floor in known.items():
            if floor:
                await self._remove_fields(user.key("times", base), partial(_is_time_below, floor))

    async def _floors(self, bases: set[str]) -> Mapping[str, int]:
        logs = [self._core.keys.of(base) for base in bases]
        floors = await asyncio.gather(*(self._floor(log) for log in logs))
        return {log.base: floor for log, floor in zip(logs, floors, strict=True)}

    async def _floor(self, log: Log) -> int:
        return int(await self._core.call("HGET", log.root, "floor") or 0)

    async def _remove_fields(self, key: str, is_old: Callable[[bytes], bool]) -> None:
        """Remove old fields of a hash, some hundred at a time."""
        call = self._core.call
        cursor: Any = 0
        while True:
            cursor, fields = await call("HSCAN", key, cursor, "COUNT", _SCAN)
            old = [field for field in fields if is_old(field)]
            if old:
                await call("HDEL", key, *old)
            if not int(cursor):
                return


def _is_time_below(floor: int, field: bytes) -> bool:
    # A field is the letter of a kind, then a position.
    return int(field[1:]) <= floor


def _is_id_before(at: int, notification_id: bytes) -> bool:
    return milliseconds_of_id(text(notification_id)) < at


def _is_below(member: str, floors: Mapping[str, int]) -> bool:
    base, position = read_hidden(member)
    return position <= floors[base] - _KEPT_BELOW_FLOOR
