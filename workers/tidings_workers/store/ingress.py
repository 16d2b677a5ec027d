"""The dispatcher's side of the store: leases, ingress entries, plans, and applying steps.

Exactly once: a target partition keeps, per source partition, the last (ingress id, step) applied,
and skips what is not above it. So a step may be sent again after a crash or a lost reply, and two
dispatchers on one partition do no harm; the lease only saves the double work.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import structlog
from msgspec import Struct

from tidings_workers import metrics
from tidings_workers.store.core import Core
from tidings_workers.store.errors import StorageUnavailable
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.keys import DISPATCHERS, Log, Record, ingress, key_of, poisoned, probe
from tidings_workers.store.logs import Entry, Part, read
from tidings_workers.store.packing import pack, text
from tidings_workers.store.reader import Reader
from tidings_workers.store.records import StoredNotification, parse_record

LEASE_SECONDS: Final = 3
PLAN_PART: Final = 5_000
# Parts of a plan that was never finished go away by themselves.
PLAN_PART_SECONDS: Final = 60
PROBE_SECONDS: Final = 2.0
# More than a command may take: whoever began it has finished it by then, or has given up.
UNFINISHED_SECONDS: Final = 3
_ADOPTED: Final = 100
KINDS: Final = ("delivered", "seen", "read")


class Compound(Struct, array_like=True, frozen=True, tag="c"):
    """Expand a compound notification.

    `cuts`: the clocks of its groups, in the order in which it names them, when it was accepted. Entries of
    earlier versions have none.
    """

    tenant: str
    id: str
    cuts: tuple[int, ...] = ()


class Membership(Struct, array_like=True, frozen=True, tag="m"):
    """The users' side of joining a group (or leaving it) at a position of its log."""

    tenant: str
    group: str
    joined: bool
    position: int
    users: list[str]


class Hide(Struct, array_like=True, frozen=True, tag="h"):
    """Hide one position of the log with base `log` from excluded users; then the notification is stored."""

    tenant: str
    log: str
    position: int
    users: list[str]
    id: str


class Recall(Struct, array_like=True, frozen=True, tag="r"):
    """Take back the copies of a compound notification; `late` when calls that make some may still arrive."""

    tenant: str
    id: str
    late: bool = False


class Disband(Struct, array_like=True, frozen=True, tag="d"):
    """End every membership of a deleted group; `members` names the list that was set aside."""

    tenant: str
    group: str
    position: int
    members: str


class Probe(Struct, array_like=True, frozen=True, tag="p"):
    """Show that work gets done: leave the token in a target partition."""

    token: str
    target: int


class Move(Struct, array_like=True, frozen=True):
    """Positions `after` < p <= `up_to` of the log with this base came so far with these users.

    `kind`: delivered, seen, or read; each for the first time.
    """

    tenant: str
    log: str
    kind: str
    after: int
    up_to: int
    users: list[str]


class Arrived(Struct, array_like=True, frozen=True, tag="v"):
    """Count on the receipts how far notifications came."""

    moves: list[Move]


Operation = Compound | Membership | Hide | Recall | Disband | Probe | Arrived

_log = structlog.get_logger()

_decode: Final = msgspec.msgpack.Decoder(list[Operation]).decode


class Work(NamedTuple):
    """One ingress entry: its id (rising within its partition) and its operations."""

    id: int
    operations: list[Operation]


class Step(NamedTuple):
    """Part of the work of one entry: what it asks of each target partition (see apply.lua).

    `number` rises within the entry and is the same whenever the step is made again. `finish` is
    for after it was applied.
    """

    id: int
    number: int
    operations: dict[int, list[list[Any]]]
    finish: Callable[[], Awaitable[None]] | None = None


class Ingress:
    """What one dispatcher asks of the store."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._turn = itertools.count()

    async def heartbeat(self, dispatcher: str) -> int:
        """Say that this dispatcher lives; answers how many do.

        One that died no longer counts when its leases end, so that the others take them at once.
        """
        call = self._core.connection.call
        now = milliseconds()
        *_, living = await asyncio.gather(
            call("ZADD", DISPATCHERS, now, dispatcher),
            call("ZREMRANGEBYSCORE", DISPATCHERS, 0, now - LEASE_SECONDS * 1000),
            call("ZCARD", DISPATCHERS),
        )
        return int(living)

    async def retire(self, dispatcher: str) -> None:
        """Say that this dispatcher goes."""
        await self._core.connection.call("ZREM", DISPATCHERS, dispatcher)

    async def lease(self, partition: int, dispatcher: str) -> bool:
        """Take or renew a lease for three seconds."""
        return bool(await self._core.run("lease", partition, dispatcher, LEASE_SECONDS * 1000))

    async def release(self, partition: int, dispatcher: str) -> None:
        """Give a lease back."""
        await self._core.run("release", partition, dispatcher)

    async def read_ingress(self, reader: Reader, partition: int, after: str, count: int) -> list[Work]:
        """Entries after an id, in order; waits a moment for some."""
        key = ingress(partition)
        streams = await reader.read({key: after}, count)
        batch = []
        for identity, fields in streams.get(key, []):
            number, packed = int(identity.split(b"-")[0]), fields.get(b"o", b"")
            try:
                operations = _decode(packed)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                await self.set_aside(partition, number, packed, error)
                operations = []
            batch.append(Work(number, operations))
        return batch

    async def set_aside(self, partition: int, entry: int, what: bytes, error: Exception) -> None:
        """Keep what can't be carried out where an operator finds it, so that it blocks nobody else.

        In the hash `{p<k>}/poisoned`, by the id of its ingress entry.
        """
        if await self._core.connection.call("HSETNX", poisoned(partition), entry, what):
            metrics.POISONED.inc()
            _log.error("work set aside", partition=partition, entry=entry, reason=repr(error))

    async def trim_ingress(self, partition: int, done: int) -> None:
        """Drop entries up to and with `done`: every target has them."""
        await self._core.connection.call("XTRIM", ingress(partition), "MINID", f"{done + 1}-0")

    async def apply(self, source: int, steps: Sequence[Step]) -> None:
        """Carry out steps of one source, in rising order, once each; durable when it returns."""
        targets: dict[int, list[Any]] = {}
        for step in steps:
            for partition, operations in step.operations.items():
                targets.setdefault(partition, []).append([step.id, step.number, operations])
        futures = [
            self._core.run("apply", partition, pack([str(source), rows]), durable=True)
            for partition, rows in targets.items()
        ]
        await asyncio.gather(*futures)

    async def probe(self) -> None:
        """Send something the whole way, through an ingress and a dispatcher into another partition.

        Returns when it has arrived. Raises StorageUnavailable when that takes more than two seconds.
        """
        source = next(self._turn) % self._core.partitions
        target = (source + 1) % self._core.partitions
        token = secrets.token_hex(8)
        await self._core.run("probe", source, token, target)
        deadline = time.monotonic() + PROBE_SECONDS
        while time.monotonic() < deadline:
            arrived = await self._core.connection.call("GET", probe(target))
            if arrived is not None and text(arrived) == token:
                return
            await asyncio.sleep(0.02)
        raise StorageUnavailable(f"No dispatcher works on partition {source}.", "no-dispatcher")

    async def record(
        self, partition: int, tenant: str, identity: str
    ) -> tuple[str, StoredNotification] | None:
        """A notification's record with its inner status letter (see record_header.lua)."""
        raw = await self._core.connection.call("GET", Record(partition, tenant, identity).root)
        return (text(raw[:1]), parse_record(identity, raw)) if raw is not None else None

    async def plan(self, partition: int, tenant: str, identity: str, users: Sequence[str]) -> str:
        """Freeze who gets a compound notification; made once.

        Answers `new`, or the record's inner status when nothing was made: `x` another plan stands.
        """
        record = Record(partition, tenant, identity)
        part = ""
        last = list(users)
        if len(users) > PLAN_PART:
            # A key of this attempt alone: another dispatcher may be making the same plan. A push that
            # was repeated after a lost reply is found by the script, which counts.
            part = record.base_of_part(secrets.token_hex(8))
            key = key_of(partition, part)
            call = self._core.connection.call
            full = len(users) - len(users) % PLAN_PART
            for start in range(0, full, PLAN_PART):
                await asyncio.gather(
                    call("RPUSH", key, *users[start : start + PLAN_PART]),
                    call("PEXPIRE", key, PLAN_PART_SECONDS * 1000),
                )
            last = last[full:]
        return text(
            await self._core.run("plan", partition, record.base, part, len(users), pack(last), durable=True)
        )

    async def planned(self, partition: int, tenant: str, identity: str, start: int, count: int) -> list[str]:
        """Part of a plan."""
        key = Record(partition, tenant, identity).key("plan")
        raw = await self._core.connection.call("LRANGE", key, start, start + count - 1)
        return [text(user) for user in raw]

    async def progress(self, partition: int, tenant: str, identity: str) -> int:
        """How many users of a plan have their copy."""
        key = Record(partition, tenant, identity).key("progress")
        return int(await self._core.connection.call("GET", key) or 0)

    async def advance(self, partition: int, tenant: str, identity: str, done: int) -> bool:
        """Keep how many users of a plan have their copy. Answers whether the notification was taken back."""
        record, call = Record(partition, tenant, identity), self._core.connection.call
        _, status = await asyncio.gather(
            call("SET", record.key("progress"), done, "PX", self._core.retention_ms),
            call("GETRANGE", record.root, 0, 0),
        )
        return text(status) != "x"

    async def stored(self, partition: int, tenant: str, identity: str) -> None:
        """Every copy is stored."""
        await self._core.run("stored", partition, pack([[tenant, identity]]), durable=True)

    async def adopt(self, partition: int) -> None:
        """Put into the ingress what was begun there and not finished by the process that accepted it."""
        while await self._core.run("adopt", partition, UNFINISHED_SECONDS * 1_000_000, _ADOPTED) == _ADOPTED:
            pass

    async def excludes(self, log: Log, after: int, up_to: int) -> list[Entry]:
        """The entries of a log that exclude somebody, `after` < position <= `up_to`."""
        key = log.key("excludes")
        found = await self._core.connection.call("ZRANGE", key, f"({after}", up_to, "BYSCORE")
        if not found:
            return []
        parts = [Part(log.base, [int(position) - 1, int(position)], 1) for position in found]
        return [entry for range_ in await read(self._core, log.partition, parts) for entry in range_.entries]

    async def copies(self, log: Log, after: int, up_to: int, kind: str) -> list[str]:
        """The compound notifications of which a user's own log has copies there, or had.

        Of a copy that is gone only if it had come so far (`kind`, see `Move`) by then: as the user's
        receipts have it.
        """
        call = self._core.connection.call
        # In this order, so that one that is just going is in either.
        live, parted = await asyncio.gather(
            call("ZRANGE", log.key("copies"), f"({after}", up_to, "BYSCORE"),
            call("ZRANGE", log.key("parted"), f"({after}", up_to, "BYSCORE"),
        )
        ended = await call("HMGET", log.key("ended"), *parted) if parted else []
        came = KINDS.index(kind)
        found = [
            *live,
            *(id_ for id_, row in zip(parted, ended, strict=True) if row and msgspec.json.decode(row)[came]),
        ]
        return list(dict.fromkeys(map(text, found)))

    async def next_copy(self, log: Log, after: int) -> int | None:
        """The position of the first such copy after a position."""
        call = self._core.connection.call
        raw = await asyncio.gather(
            *(
                call("ZRANGE", key, f"({after}", "+inf", "BYSCORE", "LIMIT", 0, 1, "WITHSCORES")
                for key in (log.key("copies"), log.key("parted"))
            )
        )
        return min((int(float(row[0][1])) for row in raw if row), default=None)

    async def group_members(self, partition: int, base: str, after: int, count: int) -> list[tuple[str, int]]:
        """Part of a group's members, or of a deleted group's, in the order they joined.

        Each with the score to go on `after` (0 at first): who leaves meanwhile shifts nobody else.
        """
        key = key_of(partition, base)
        raw = await self._core.connection.call(
            "ZRANGE", key, f"({after}", "+inf", "BYSCORE", "LIMIT", 0, count, "WITHSCORES"
        )
        return [(text(user), int(float(score))) for user, score in raw]

    async def forget(self, group: Log, members: str) -> None:
        """Drop the member list of a deleted group; in a day where an accepted send may need it."""
        await self._core.run("forget", group.partition, group.base, members)
