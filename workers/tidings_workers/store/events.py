"""Events of tenants: writing those that no other change makes, reading, and handing out to consumers."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tidings.protocol import limits
from tidings.protocol.events import EVENT_TYPES, EVENTS_LOST
from tidings_workers.store.core import Core
from tidings_workers.store.event_heads import Heads
from tidings_workers.store.event_items import (
    Event,
    EventBatch,
    IdsAt,
    Lost,
    Part,
    events_of,
    lost_event,
    part_of,
    place_of,
    user_of,
)
from tidings_workers.store.event_wishes import READER_SECONDS, Wishes
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.keys import partition_of
from tidings_workers.store.packing import Packed, pack

READER: Final = "reader"
"""The name of the wishes of readers without a consumer."""

_ALL: Final = frozenset(EVENT_TYPES)

# Calls for one answer: numbers without an event, and partitions with more than a share, need further ones.
_ROUNDS: Final = 8


class ReadEvents(Packed, frozen=True):
    """The request of read_events.lua."""

    tenant: str
    after: int
    limit: int
    types: str


class ClaimEvents(Packed, frozen=True):
    """The request of claim_events.lua."""

    tenant: str
    consumer: str
    limit: int
    types: str
    held: int
    kept: int


class _Look(NamedTuple):
    """The last numbers, and how many numbers wait, by partition."""

    heads: dict[int, int]
    waiting: dict[int, int]


class _Round(NamedTuple):
    """The answer of one partition."""

    partition: int
    wish: bytes
    after: int
    lost: int
    more: bool
    parts: list[Part]


class Events:
    """The events of all tenants. An empty set of types means all types."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._wishes = Wishes(core)
        self._heads = Heads(core)

    async def want(self, tenant: str, by: str, types: Iterable[str], seconds: int | None = None) -> None:
        """See `Wishes.want`. For a webhook or a sink: `by` is its name, and no types end its wish."""
        await self._wishes.want(tenant, by, types, seconds)

    async def renew(self, tenant: str, by: str, types: frozenset[str]) -> None:
        """See `Wishes.renew`. For a reader, before it reads."""
        await self._wishes.renew(tenant, by, types or _ALL)

    async def append(self, tenant: str, user: str, kind: str, data: bytes, once: str = "") -> bool:
        """Write an event about a user, or with '' about the tenant, if its type is wanted.

        `data` is JSON, an object. A second call with the same `once` writes nothing for a day. Returns
        whether somebody wants it.
        """
        partition = partition_of(tenant, user, self._core.partitions)
        kept = limits.IDEMPOTENCY_KEPT_SECONDS * 1000
        return bool(
            await self._core.run("append_event", partition, tenant, kind, data, once, kept, durable=True)
        )

    async def wait(self, tenant: str, heads: Mapping[int, int], seconds: float) -> None:
        """Return when the tenant has later numbers than `heads`, or after a time."""
        await self._heads.wait(tenant, heads, seconds)

    def waiting(self, tenant: str) -> int:
        """How many waits of the tenant are in progress in this process."""
        return self._heads.waiting(tenant)

    def stop_waiting(self) -> None:
        """End all waits, and from now on return from each at once: the process stops."""
        self._heads.stop()

    @property
    def is_stopping(self) -> bool:
        """Whether `stop_waiting` was called."""
        return self._heads.is_stopping

    async def heads(self, tenant: str) -> dict[int, int]:
        """The last number of each partition."""
        return (await self._look(tenant, "", None)).heads

    async def read(
        self, tenant: str, after: Mapping[int, int] | None, types: frozenset[str], limit: int
    ) -> EventBatch:
        """At most `limit` events after a position, or from the first that is kept.

        Events of one partition are in order; those of an answer are sorted by time. The wish of the reader
        must have been renewed before.
        """
        core, named = self._core, _named(types)
        positions = {
            partition: -1 if after is None else after.get(partition, 0)
            for partition in range(core.partitions)
        }
        look = await self._look(tenant, "", positions)

        async def call(partition: int, share: int) -> _Round:
            after = positions[partition]
            request = ReadEvents(tenant, after, share, named)
            wish, position, lost, more, rows = await core.run("read_events", partition, pack(request))
            positions[partition] = int(position)
            parts = [part_of(partition, row) for row in rows]
            return _Round(partition, wish, after, int(lost), bool(more), parts)

        events, more = await self._collect(tenant, READER, types, limit, look, call)
        return EventBatch(events, {part: max(at, 0) for part, at in positions.items()}, more)

    async def claim(self, tenant: str, consumer: str, types: frozenset[str], limit: int) -> EventBatch:
        """Hand out at most `limit` events to a reader of a consumer, for 60 seconds.

        Those that were not acknowledged in that time are handed out first. Two readers never hold the same
        event. A consumer that reads for the first time begins with the first event that is kept. Each
        partition that has lost events gives one notice, which is acknowledged as an event is.
        """
        core, named = self._core, _named(types)
        look = await self._look(tenant, consumer, None)
        held, kept = limits.EVENTS_HELD_SECONDS * 1000, READER_SECONDS * 1000

        async def call(partition: int, share: int) -> _Round:
            request = ClaimEvents(tenant, consumer, share, named, held, kept)
            wish, more, rows = await core.run("claim_events", partition, pack(request))
            parts = [part_of(partition, row) for row in rows]
            return _Round(partition, wish, 0, 0, bool(more), parts)

        by = consumer_name(consumer)
        events, more = await self._collect(tenant, by, types, limit, look, call, consumer)
        return EventBatch(events, {}, more)

    async def acknowledge(self, tenant: str, consumer: str, ids: Iterable[str]) -> int:
        """The consumer is done with these events. Returns how many of them were held. Idempotent.

        Ids that are none, and those of events that are not held, are ignored.
        """
        members: dict[int, list[str]] = {}
        for place in filter(None, map(place_of, ids)):
            if place[0] < self._core.partitions:
                members.setdefault(place[0], []).append(place[1])
        return await self._release(tenant, consumer, members)

    async def _release(self, tenant: str, consumer: str, members: Mapping[int, Sequence[str]]) -> int:
        return sum(
            await asyncio.gather(
                *(
                    self._core.run("acknowledge_events", partition, pack([tenant, consumer, some]))
                    for partition, some in members.items()
                )
            )
        )

    async def _look(self, tenant: str, consumer: str, after: Mapping[int, int] | None) -> _Look:
        partitions = range(self._core.partitions)
        request = pack([tenant, consumer, READER_SECONDS * 1000])
        rows: list[Any] = await asyncio.gather(
            *(self._core.run("waiting_events", partition, request) for partition in partitions)
        )
        heads = {partition: int(head) for partition, (head, _) in enumerate(rows)}
        if after is None:
            waiting = {partition: int(count) for partition, (_, count) in enumerate(rows)}
        else:
            waiting = {partition: head - max(after[partition], 0) for partition, head in heads.items()}
        return _Look(heads, {partition: count for partition, count in waiting.items() if count > 0})

    async def _collect(
        self,
        tenant: str,
        by: str,
        types: frozenset[str],
        limit: int,
        look: _Look,
        call: Callable[[int, int], Awaitable[_Round]],
        consumer: str = "",
    ) -> tuple[list[Event], bool]:
        """Read partitions until there are `limit` events. Each has a share, so none waits for another."""
        left, events, lost = list(look.waiting), list[Event](), list[Lost]()
        random.shuffle(left)
        wishes: list[bytes] = []
        for _ in range(_ROUNDS):
            room = limit - len(events)
            some = left[:room]
            if not some:
                break
            rounds = await asyncio.gather(*(call(partition, room // len(some)) for partition in some))
            lost += [Lost(each.partition, each.after, each.lost) for each in rounds if each.lost]
            wishes += [each.wish for each in rounds]
            parts = [part for each in rounds for part in each.parts]
            events += await self._expand(tenant, consumer, parts)
            left = left[room:] + [each.partition for each in rounds if each.more]
        await self._wishes.check(tenant, by, types or _ALL, wishes)
        events.sort(key=lambda event: (event.type != EVENTS_LOST, event.at))
        if lost:
            events.insert(0, lost_event(tenant, lost, milliseconds()))
        return events, bool(left)

    async def _expand(self, tenant: str, consumer: str, parts: Sequence[Part]) -> list[Event]:
        """The events of parts. Numbers of a consumer that have none are released."""
        wanted: dict[int, list[Part]] = {}
        for part in parts:
            if part.log_base:
                wanted.setdefault(self._core.keys.of(part.log_base).partition, []).append(part)
        answers: list[Any] = await asyncio.gather(
            *(
                self._core.run("ids_at", partition, pack(list(map(_ids_at, own))))
                for partition, own in wanted.items()
            )
        )
        found: dict[Part, list[tuple[int, str]]] = {}
        for own, rows in zip(wanted.values(), answers, strict=True):
            for part, row in zip(own, rows, strict=True):
                found[part] = [
                    (int(position), notification.decode())
                    for position, notification in zip(row[::2], row[1::2], strict=True)
                ]
        if consumer and found:
            await self._release(tenant, consumer, _without_event(found))
        return [event for part in parts for event in events_of(part, found.get(part, ()))]


def consumer_name(consumer: str) -> str:
    """The name of the wishes of a consumer."""
    return f"consumer/{consumer}"


def _named(types: frozenset[str]) -> str:
    return f" {' '.join(sorted(types))} " if types else ""


def _ids_at(part: Part) -> IdsAt:
    return IdsAt(part.log_base, part.after, part.after + part.last - part.first + 1, user_of(part.data) or "")


def _without_event(found: Mapping[Part, Sequence[tuple[int, str]]]) -> dict[int, list[str]]:
    """The numbers without an event, by partition."""
    numbers: dict[int, list[str]] = {}
    for part, rows in found.items():
        present = {part.first + position - part.after - 1 for position, _ in rows}
        missing = [str(number) for number in range(part.first, part.last + 1) if number not in present]
        if missing:
            numbers.setdefault(part.partition, []).extend(missing)
    return numbers
