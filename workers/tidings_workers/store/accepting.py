"""Carrying out accepted sends: the order and the size of script calls.

Sends to one log take one call per partition. A send to several users takes three steps, in this order:
`begin` writes its record and plan, `accept` its copies, `stored` its status. A dispatcher finishes sends
that were begun and not finished. Every step may be repeated with the same ids.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

from tidings_workers.store.core import Core
from tidings_workers.store.errors import StorageUnavailable
from tidings_workers.store.packing import Packed, pack

# The most for one script call: other work of the partition waits for it.
CALL_BYTES: Final = 256 * 1024
CALL_ITEMS: Final = 250
# The number of log entries that a batch with copies writes before other callers get their turn.
WINDOW: Final = 1_000
# The content of copies is sent once per call and written once per copy. Writing costs a quarter of sending.
_WRITTEN: Final = 4


class AcceptItem(Packed, frozen=True):
    """An item of accept.lua: a notification to one log (`kind` l), several groups (c), or no user (0)."""

    kind: Literal["l", "c", "0"]
    tenant: str
    id: str
    accepted: int
    to: str
    content: str
    expires: int
    base: str
    exclude: str
    excluded: list[str]
    recipients: int
    category: str
    life: int


class AcceptForGroups(AcceptItem, frozen=True):
    """An item for several groups, with their clocks in the order in which the target names them.

    `cuts` is packed after the fields of `AcceptItem`. A new field there moves it, which is safe: a request
    names the digest of its script, so versions do not mix.
    """

    cuts: list[int]


class AcceptCopies(Packed, frozen=True, tag="k"):
    """An item of accept.lua: copies of a notification to several users whose send has begun."""

    bases: list[str]
    id: str
    content: str
    expires: int
    category: str


class BeginItem(Packed, frozen=True):
    """An item of begin.lua: a notification to several users."""

    tenant: str
    id: str
    accepted: int
    to: str
    content: str
    users: list[str]
    category: str
    life: int


class StoredItem(Packed, frozen=True):
    """An item of stored.lua: a notification whose copies are all stored."""

    tenant: str
    id: str


class Row(NamedTuple):
    """One item of a script's call in a partition, the number of log entries it writes, and its cost in bytes.

    It is for `accept`, or, with `copies`, for `begin`.
    """

    partition: int
    item: AcceptItem | AcceptCopies | BeginItem | StoredItem
    items: int
    size: int
    copies: "CopyPlan | None" = None


class CopyPlan(NamedTuple):
    """The copies to write for a send to several users that has begun.

    `bases`: those of the users' logs, by partition.
    """

    tenant: str
    id: str
    bases: dict[int, list[str]]
    content: str
    expires: int
    category: str

    def rows(self) -> Iterator[Row]:
        """Rows for `accept`, each small enough for one call."""
        length = len(self.content)
        most = max(1, min(CALL_ITEMS, _WRITTEN * CALL_BYTES // length))
        for partition, bases in self.bases.items():
            for start in range(0, len(bases), most):
                part = bases[start : start + most]
                item = AcceptCopies(part, self.id, self.content, self.expires, self.category)
                yield Row(partition, item, len(part), length + len(part) * length // _WRITTEN)


async def carry_out(core: Core, sends: Sequence[Row]) -> None:
    """Carry out sends in order. On return all are stored, or, for those to several groups, recorded.

    Raises StorageUnavailable. Some may have been accepted then; a repeated call completes the rest.
    """
    if len(sends) == 1 and sends[0].copies is None:
        # Most requests take this path, without a list per partition.
        await _run(core, "accept", sends[0].partition, sends)
        return
    if not any(row.copies for row in sends):
        await _append(core, sends)
        return
    for window in _windows(sends):
        begun = await _begin(core, [row for row in window if row.copies])
        await _append(core, _rows(window, begun))
        # The copies are stored, so the sends are accepted even if this fails.
        with contextlib.suppress(StorageUnavailable):
            await _finish(core, begun.values())


def _windows(sends: Sequence[Row]) -> Iterator[list[Row]]:
    window: list[Row] = []
    count = 0
    for row in sends:
        if window and count + row.items > WINDOW:
            yield window
            window, count = [], 0
        window.append(row)
        count += row.items
    yield window


def _rows(window: Sequence[Row], begun: dict[str, Row]) -> Iterator[Row]:
    for row in window:
        if row.copies is None:
            yield row
        elif row.copies.id in begun:
            yield from row.copies.rows()


async def _begin(core: Core, rows: Iterable[Row]) -> dict[str, Row]:
    """Write records. Returns by id the rows whose copies may be missing."""
    calls = [(partition, part) for partition, own in _by_partition(rows).items() for part in _parts(own)]
    answers = await _all([_run(core, "begin", partition, part) for partition, part in calls])
    return {
        row.copies.id: row
        for (_, part), flags in zip(calls, answers, strict=True)
        for row, missing in zip(part, flags, strict=True)
        if missing and row.copies
    }


async def _append(core: Core, rows: Iterable[Row]) -> None:
    """Carry out rows of `accept`, those of one partition in order."""
    calls: list[Awaitable[Any]] = []
    for partition, own in _by_partition(rows).items():
        parts = list(_parts(own))
        # Most requests take one call, without the task for calls in turn.
        single = len(parts) == 1
        calls.append(_run(core, "accept", partition, own) if single else _in_turn(core, partition, parts))
    await _all(calls)


async def _in_turn(core: Core, partition: int, parts: Iterable[list[Row]]) -> None:
    for part in parts:
        await _run(core, "accept", partition, part)


async def _finish(core: Core, rows: Iterable[Row]) -> None:
    done = [row._replace(item=StoredItem(row.copies.tenant, row.copies.id)) for row in rows if row.copies]
    await _all([_run(core, "stored", partition, own) for partition, own in _by_partition(done).items()])


def _run(core: Core, script: str, partition: int, rows: Sequence[Row]) -> Awaitable[Any]:
    return core.run(script, partition, pack([row.item for row in rows]), durable=True)


async def _all(calls: list[Awaitable[Any]]) -> list[Any]:
    return [await calls[0]] if len(calls) == 1 else await asyncio.gather(*calls)


def _by_partition(rows: Iterable[Row]) -> dict[int, list[Row]]:
    partitions: dict[int, list[Row]] = {}
    for row in rows:
        partitions.setdefault(row.partition, []).append(row)
    return partitions


def _parts(rows: list[Row]) -> Iterator[list[Row]]:
    """The rows of each call. The calls run in turn, so that the order is kept."""
    if len(rows) == 1:
        yield rows
        return
    part: list[Row] = []
    count = size = 0
    for row in rows:
        if part and (size + row.size > CALL_BYTES or count + row.items > CALL_ITEMS):
            yield part
            part, count, size = [], 0, 0
        part.append(row)
        count += row.items
        size += row.size
    yield part
