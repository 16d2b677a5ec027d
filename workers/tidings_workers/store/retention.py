"""How long things are kept: taking out what is too old, and saying what somebody has missed by it.

A partition's `due` names its logs by when something in them is next due: an entry ends by itself,
or is older than its tenant keeps its category. A sweep takes out a few hundred at a time, in one
script call each, so that nothing ever waits for it; it may be stopped and repeated at any point.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from msgspec import Struct

from tidings_workers.store.core import LEAST_RECORD_MS, Core
from tidings_workers.store.ids import milliseconds, milliseconds_of_id
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Log, parse_base
from tidings_workers.store.packing import pack, text
from tidings_workers.store.view import read_hidden

# Measured with Valkey 9.1 on one busy core: taking out an entry costs 25 us, so a call 2.5 ms.
BUDGET: Final = 100
LOGS: Final = 100
# A hidden mark says of a lost position that it was none for the user: kept as long as holes are.
_KEPT_BELOW_FLOOR: Final = 10_000
_SCAN: Final = 500


class Lost(NamedTuple):
    """Positions `first` to `last` of a log are gone, `missed` of which the user would have seen.

    `erased` when somebody erased them, else retention took them.
    """

    first: int
    last: int
    missed: int
    erased: bool


class SweepLog(Struct, array_like=True, frozen=True):
    """A log for sweep.lua to look through, and how long it keeps its entries (ms, -1 without limit).

    `categories`: a name or a prefix that ends in a dot, each followed by how long that is kept.
    """

    base: str
    keep: int
    categories: list[str | int]


class Sweep(Struct, array_like=True, frozen=True):
    """The request of sweep.lua; `now` is 0 for the server's clock, times are in ms."""

    now: int
    budget: int
    least_life: int
    logs: list[SweepLog]


class Retention:
    """Keeps the logs within their tenants' rules."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def due(self, partition: int, *, now: int = 0) -> list[str]:
        """What has something to be taken out, the longest due first: `sweep` it.

        `now`: ms since the epoch instead of the server's clock.
        """
        return [text(base) for base in await self._core.run("due", partition, now, LOGS)]

    async def sweep(self, partition: int, bases: Sequence[str], *, now: int = 0) -> None:
        """Take out some of what is due there; what is left of it is due again."""
        logs = [SweepLog(base, *self._rules(base)) for base in bases]
        request = Sweep(now, BUDGET, LEAST_RECORD_MS, logs)
        untidy = await self._core.run("sweep", partition, pack(request))
        for base in untidy:
            await self._tidy(self._core.keys.of(text(base)))

    def _rules(self, base: str) -> tuple[int, list[str | int]]:
        kind, tenant, _ = parse_base(base)
        rules = self._core.policies.rules(tenant)
        if kind == "a":
            rules = rules.of_all()
        named: list[str | int] = []
        for name, kept in rules.categories:
            named += [name, -1 if kept is None else kept]
        return -1 if rules.default is None else rules.default, named

    async def lost(self, log: Log, positions: Bounds) -> Lost | None:
        """What is gone of these positions, all of which a user was to see.

        What was recalled or had ended by itself is not missed. Exact within the ten thousand latest
        of these; before that all count as missed.
        """
        answer = await self._core.run("lost", log.partition, pack([log.base, positions]))
        if not answer:
            return None
        first, last, missed, erased = map(int, answer)
        return Lost(first, last, missed, last <= erased)

    async def _tidy(self, user: Log) -> None:
        """Drop what a user's slot still has of positions that are below the floors of their logs."""
        call = self._core.connection.call
        bases = {text(base) for base in await call("HKEYS", user.key("state"))}
        marks = [text(mark) for mark in await call("ZRANGE", user.key("hidden"), 0, -1)]
        bases.update(read_hidden(mark)[0] for mark in marks)
        floors = await self._floors(bases)
        gone = [mark for mark in marks if _is_below(mark, floors)]
        if gone:
            await call("ZREM", user.key("hidden"), *gone)
        for base, floor in floors.items():
            if floor:
                await self._drop(user.key("times", base), partial(_is_time_below, floor))
        longest = self._core.policies.rules(user.tenant).longest
        if longest is not None:
            await self._drop(user.key("ended"), partial(_is_id_before, milliseconds() - longest))

    async def _floors(self, bases: set[str]) -> dict[str, int]:
        logs = [self._core.keys.of(base) for base in bases]
        raw = await asyncio.gather(*(self._core.connection.call("HGET", log.root, "floor") for log in logs))
        return {log.base: int(floor or 0) for log, floor in zip(logs, raw, strict=True)}

    async def _drop(self, key: str, is_old: Callable[[bytes], bool]) -> None:
        """Drop fields of a hash, some hundred at a time."""
        call = self._core.connection.call
        cursor: Any = 0
        while True:
            cursor, fields = await call("HSCAN", key, cursor, "COUNT", _SCAN)
            gone = [field for field in fields if is_old(field)]
            if gone:
                await call("HDEL", key, *gone)
            if not int(cursor):
                return


def _is_time_below(floor: int, field: bytes) -> bool:
    # The letter of a kind and a position.
    return int(field[1:]) <= floor


def _is_id_before(at: int, identity: bytes) -> bool:
    return milliseconds_of_id(text(identity)) < at


def _is_below(mark: str, floors: dict[str, int]) -> bool:
    base, position = read_hidden(mark)
    return position <= floors[base] - _KEPT_BELOW_FLOOR
