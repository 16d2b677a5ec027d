"""Accepting notifications: ids, idempotency, records, and one script call per partition and tick.

A send to one log (one user, one group, or all of a tenant) is appended by the very script that
accepts it: record, log and feeds change together. A compound target is recorded and left to the
dispatcher. Every step may be repeated with the same ids, so a lost reply does no harm.
"""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any, Final
from zlib import crc32

import msgspec
from msgspec import Struct

from tidings.protocol import limits
from tidings.protocol.notifications import CreateNotification, ReceivedAction, Target
from tidings.protocol.times import timestamp
from tidings_workers.store.content import Content, data_of
from tidings_workers.store.core import Core, pack, text
from tidings_workers.store.errors import IdempotencyInProgress, IdempotencyMismatch
from tidings_workers.store.keys import (
    Keys,
    Log,
    derived_id,
    milliseconds,
    new_id,
    partition_of_id,
    tag,
)
from tidings_workers.store.settling import all_applied

# One script call stays short: other work of the partition waits for it.
CALL_BYTES: Final = 256 * 1024
CALL_ITEMS: Final = 500

_STATUS: Final = {"a": "accepted", "x": "accepted", "s": "stored", "c": "cancelled", "r": "recalled"}
_HEAD: Final = 53
# What recall.lua answers then.
_LEFT_TO_DISPATCHER: Final = 2

_encode: Final = msgspec.json.Encoder().encode


class Idempotency(Struct, frozen=True):
    """An idempotency key and the digest of the body it came with."""

    key: str
    digest: bytes


class Acceptance(Struct, frozen=True):
    """Accepted: one id per notification, in order; `accepted_at` in ms since the epoch.

    `replayed` when an earlier request with the same idempotency key had been accepted.
    """

    ids: list[str]
    accepted_at: int
    replayed: bool


class StoredNotification(Struct, frozen=True):
    """A notification's record. `to` and `content` are JSON; times are ms since the epoch."""

    id: str
    status: str
    to: bytes
    content: bytes
    accepted_at: int
    stored_at: int | None
    recipients: int | None
    delivered: int
    seen: int
    read: int
    position: int


class _Claim(Struct, array_like=True, frozen=True):
    digest: bytes
    accepted_at: int
    seed: bytes


def _single(target: Target) -> tuple[str, str] | None:
    """The one log of a target as (kind, name), or None for a compound target."""
    if target.all:
        return "all", ""
    if not target.groups:
        users = set(target.users) - set(target.exclude) if target.exclude else set(target.users)
        if len(users) == 1:
            return "user", users.pop()
        return None if users else ("nobody", "")
    if not target.users and len(set(target.groups)) == 1:
        return "group", target.groups[0]
    return None


def log_of(keys: Keys, tenant: str, target: Target) -> Log | None:
    """The one log that a send to this target goes to; None for a compound one, and for nobody."""
    single = _single(target)
    return _log(keys, tenant, *single) if single is not None else None


def is_compound(target: Target) -> bool:
    """Whether a target takes several logs, so that each of its users gets a copy."""
    return _single(target) is None


def _log(keys: Keys, tenant: str, kind: str, name: str) -> Log | None:
    if kind == "user":
        return keys.user(tenant, name)
    if kind == "group":
        return keys.group(tenant, name)
    return keys.all(tenant) if kind == "all" else None


class Sends:
    """Sending and recalling."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._running: set[tuple[str, str]] = set()

    async def send(
        self,
        tenant: str,
        notifications: Sequence[CreateNotification],
        *,
        idempotency: Idempotency | None = None,
    ) -> Acceptance:
        """Accept notifications; on return they are stored, or their expansion is.

        Sends that follow one another to the same user, group or all keep their order in its log.
        Raises IdempotencyMismatch, IdempotencyInProgress, StorageUnavailable; after the last some
        may have been accepted, and a retry with the same idempotency key completes the rest.
        """
        if idempotency is None:
            return await self._accept(tenant, notifications, milliseconds(), None, replayed=False)
        running = (tenant, idempotency.key)
        if running in self._running:
            raise IdempotencyInProgress
        self._running.add(running)
        try:
            claim, replayed = await self._claim(tenant, idempotency)
            return await self._accept(tenant, notifications, claim.accepted_at, claim.seed, replayed=replayed)
        finally:
            self._running.discard(running)

    async def _claim(self, tenant: str, idempotency: Idempotency) -> tuple[_Claim, bool]:
        partition, key = self._core.keys.claim(tenant, idempotency.key)
        claim = _Claim(idempotency.digest, milliseconds(), secrets.token_bytes(16))
        held = await self._core.run(
            "claim", partition, key, pack(claim), limits.IDEMPOTENCY_KEPT_SECONDS * 1000
        )
        if held is None:
            return claim, False
        earlier = msgspec.msgpack.decode(held, type=_Claim)
        if earlier.digest != idempotency.digest:
            raise IdempotencyMismatch
        # A claim of our own may come back when its reply was lost on the way; the seed tells.
        return earlier, earlier.seed != claim.seed

    async def _accept(
        self,
        tenant: str,
        notifications: Sequence[CreateNotification],
        accepted_at: int,
        seed: bytes | None,
        *,
        replayed: bool,
    ) -> Acceptance:
        ids: list[str] = []
        calls: dict[int, list[list[Any]]] = {}
        for index, notification in enumerate(notifications):
            single = _single(notification.to)
            log = _log(self._core.keys, tenant, *single) if single is not None else None
            if log is not None:
                partition = log.partition
            else:
                # Nothing to be in order with: spread by chance, or by the seed for a retry.
                # Not by partition_of: its cache is for names that come again.
                spread = secrets.randbits(32) if seed is None else crc32(b"%b/%d" % (seed, index))
                partition = spread % self._core.partitions
            if seed is None:
                identity = new_id(accepted_at, partition)
            else:
                identity = derived_id(seed, index, accepted_at, partition)
            ids.append(identity)
            item = self._item(tenant, identity, notification, single, log, accepted_at)
            calls.setdefault(partition, []).append(item)
        if len(calls) == 1:
            # Most requests: without the tasks that a gather makes.
            ((only, items),) = calls.items()
            await self._accept_in(only, items)
        else:
            await asyncio.gather(*(self._accept_in(partition, items) for partition, items in calls.items()))
        return Acceptance(ids, accepted_at, replayed)

    def _item(
        self,
        tenant: str,
        identity: str,
        notification: CreateNotification,
        single: tuple[str, str] | None,
        log: Log | None,
        accepted_at: int,
    ) -> list[Any]:
        expires = 0 if notification.expires_in is None else accepted_at + notification.expires_in * 1000
        content = _encode(
            Content(
                id=identity,
                category=notification.category,
                title=notification.title,
                body=notification.body,
                data=data_of(notification),
                link=notification.link,
                icon=notification.icon,
                actions=tuple(
                    ReceivedAction(action.id, action.label, action.link) for action in notification.actions
                ),
                priority=notification.priority,
                created_at=timestamp(accepted_at),
                expires_at=timestamp(expires) if expires else None,
            )
        ).decode()
        to = _encode(notification.to).decode()
        kind = "c" if single is None else "0" if log is None else "l"
        excluded: list[str] = []
        if notification.to.exclude and single is not None and single[0] in {"group", "all"}:
            excluded = list(dict.fromkeys(notification.to.exclude))
        recipients = {"user": 1, "nobody": 0}.get(single[0] if single else "", -1)
        base = log.base if log else ""
        return [
            kind,
            tenant,
            identity,
            accepted_at,
            to,
            content,
            expires,
            base,
            ",".join(excluded),
            excluded,
            recipients,
            notification.category or "",
            self._core.record_life(tenant, notification.category),
        ]

    async def _accept_in(self, partition: int, items: list[list[Any]]) -> None:
        """One call for a partition, or several in turn when there is much, so that order holds."""
        if len(items) == 1:
            await self._core.run("accept", partition, pack(items), durable=True)
            return
        part: list[list[Any]] = []
        size = 0
        for item in items:
            length = len(item[4]) + 2 * len(item[5])
            if part and (size + length > CALL_BYTES or len(part) >= CALL_ITEMS):
                await self._core.run("accept", partition, pack(part), durable=True)
                part, size = [], 0
            part.append(item)
            size += length
        await self._core.run("accept", partition, pack(part), durable=True)

    async def notification(self, tenant: str, identity: str) -> StoredNotification | None:
        """A notification by its id, or None when this tenant has none such."""
        return await read_notification(self._core, tenant, identity)

    async def recall(self, tenant: str, identity: str) -> bool:
        """Take a notification back; idempotent. False when this tenant has none such.

        On return it is gone from every inbox; one that was not stored yet will be in none. Raises
        StorageUnavailable when no dispatcher does that in time; it will be done all the same.
        """
        stored = await self.notification(tenant, identity)
        if stored is None:
            return False
        partition = partition_of_id(identity)
        assert partition is not None  # noqa: S101 - notification() found it there
        log = log_of(self._core.keys, tenant, msgspec.json.decode(stored.to, type=Target))
        base = log.base if log else ""
        found = await self._core.run(
            "recall", partition, f"n/{tenant}/{identity}", base, tenant, identity, durable=True
        )
        if int(found) == _LEFT_TO_DISPATCHER:
            await all_applied(self._core, [partition])
        return bool(found)


def record_key(partition: int, tenant: str, identity: str) -> str:
    """The key of a notification's record."""
    return f"{tag(partition)}/n/{tenant}/{identity}"


async def read_notification(core: Core, tenant: str, identity: str) -> StoredNotification | None:
    """A notification with its receipts, or None when this tenant has none such."""
    partition = partition_of_id(identity)
    if partition is None or partition >= core.partitions:
        return None
    raw = await core.connection.call("GET", record_key(partition, tenant, identity))
    if raw is None:
        return None
    stored = parse_record(identity, raw)
    log = log_of(core.keys, tenant, msgspec.json.decode(stored.to, type=Target))
    row = [f"n/{tenant}/{identity}", log.base if log else "", stored.position]
    ((delivered, seen, read),) = await core.run("receipts", partition, pack([row]))
    return msgspec.structs.replace(stored, delivered=int(delivered), seen=int(seen), read=int(read))


def parse_record(identity: str, raw: bytes) -> StoredNotification:
    """A record as stored, its receipts 0; its form is described in append.lua."""
    to, content = raw[_HEAD:].split(b"\n", 1)
    stored, position, recipients = int(raw[14:27]), int(raw[27:43]), int(raw[43:53])
    return StoredNotification(
        id=identity,
        status=_STATUS[text(raw[:1])],
        to=to,
        content=content,
        accepted_at=int(raw[1:14]),
        stored_at=stored or None,
        recipients=recipients if recipients >= 0 else None,
        delivered=0,
        seen=0,
        read=0,
        position=position,
    )
