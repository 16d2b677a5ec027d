"""Carrying out accepted sends: the order and the size of script calls.

Sends to one log take one call per partition. A send to several users takes three steps, in this order:
`begin` writes its record and plan, `accept` its copies, `stored` its status. A dispatcher finishes sends
that were begun and not finished. Every step may be repeated with the same ids.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

from tidings.protocol.notifications import Target
from tidings_workers.store.core import Core
from tidings_workers.store.errors import StorageUnavailable
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.packing import Packed, pack
from tidings_workers.store.targets import encode_target

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


class PlainSend(NamedTuple):
    """A send to one user, one group or all, without excludes: accept_plain.lua accepts these at least cost.

    All sends of one call have the tenant and the time of acceptance (Unix ms) in common.
    """

    tenant: str
    id: str
    accepted: int
    to: Target
    content: str
    expires: int
    base: str
    recipients: int
    category: str
    life: int

    def item(self) -> AcceptItem:
        """The same send as an item of accept.lua."""
        return AcceptItem(
            kind="l",
            tenant=self.tenant,
            id=self.id,
            accepted=self.accepted,
            to=encode_target(self.to),
            content=self.content,
            expires=self.expires,
            base=self.base,
            exclude="",
            excluded=[],
            recipients=self.recipients,
            category=self.category,
            life=self.life,
        )


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
    """An item of begin.lua: a notification to several users or topics."""

    tenant: str
    id: str
    accepted: int
    to: str
    content: str
    plan: list[str]
    recipients: int
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
    item: PlainSend | AcceptItem | AcceptCopies | BeginItem | StoredItem
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
        await _accept(core, sends[0].partition, sends)
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
        calls.append(_accept(core, partition, own) if single else _in_turn(core, partition, parts))
    await _all(calls)


async def _in_turn(core: Core, partition: int, parts: Iterable[list[Row]]) -> None:
    for part in parts:
        await _accept(core, partition, part)


async def _accept(core: Core, partition: int, rows: Sequence[Row]) -> None:
    """Carry out the rows of one call."""
    plain = [row.item for row in rows if isinstance(row.item, PlainSend)]
    if len(plain) != len(rows):
        items = [row.item.item() if isinstance(row.item, PlainSend) else row.item for row in rows]
        await core.run("accept", partition, pack(items), durable=True)
        return
    # The clock of the process that claimed an idempotency key may be ahead.
    waited = max(0, milliseconds() - plain[0].accepted)
    if len(plain) == 1:
        (one,) = plain
        arguments = (one.tenant, waited, one.base, one.content, one.expires, one.category)
        if not await core.run("accept_one", partition, *arguments, durable=True):
            await core.run("accept", partition, pack([one.item()]), durable=True)
        return
    extras = [
        (number, item.expires, item.category)
        for number, item in enumerate(plain, 1)
        if item.expires or item.category
    ]
    contents = [argument for item in plain for argument in (item.base, item.content)]
    packed = pack(extras) if extras else ""
    refused = await core.run(
        "accept_plain", partition, plain[0].tenant, waited, packed, *contents, durable=True
    )
    if refused:
        # They are in no log, so their order does not matter.
        items = [plain[number - 1].item() for number in refused]
        await core.run("accept", partition, pack(items), durable=True)


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
