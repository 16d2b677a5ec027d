"""Accepting notifications: ids, idempotency, records, and one script call per partition and tick.

A send to one log (one user, one group, or all of a tenant) is appended by the script that accepts it: record,
log and feeds change together. A send to several users has its copies when it is answered. A send to several
groups, or to groups and users, is recorded with the clocks of its groups, which decide who is a member; a
dispatcher writes its copies. Every step may be repeated with the same ids, so a lost reply does no harm. ADR
0007 has the reasons.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Final
from zlib import crc32

import msgspec
from msgspec import Struct

from tidings.protocol import limits
from tidings.protocol.notifications import Action, CreateNotification, ReceivedAction, Target
from tidings.protocol.times import timestamp
from tidings_workers.store.accepting import AcceptForGroups, AcceptItem, BeginItem, CopyPlan, Row, carry_out
from tidings_workers.store.content import Content, data_of
from tidings_workers.store.core import Core
from tidings_workers.store.errors import IdempotencyInProgress, IdempotencyMismatch
from tidings_workers.store.ids import derived_id, milliseconds, new_id, partition_of_id
from tidings_workers.store.keys import Log, Record
from tidings_workers.store.packing import pack
from tidings_workers.store.records import StoredNotification, read_notification
from tidings_workers.store.rosters import cuts
from tidings_workers.store.settling import all_applied
from tidings_workers.store.targets import log_named, log_of, single_log

# The reply of recall.lua when a dispatcher removes the copies.
_DISPATCHER_RECALLS: Final = 2

# By the kind that `single_log` returns; the members of a group and of all are not known here.
_RECIPIENTS: Final = {"user": 1, "nobody": 0}

_encode: Final = msgspec.json.Encoder().encode


class Idempotency(Struct, frozen=True):
    """An idempotency key and the digest of its body."""

    key: str
    digest: bytes


class Acceptance(Struct, frozen=True):
    """An accepted send: one id per notification, in order; `accepted_at` in Unix ms.

    `replayed`: an earlier request with the same idempotency key was accepted.
    """

    ids: list[str]
    accepted_at: int
    replayed: bool


class _Claim(Struct, array_like=True, frozen=True):
    digest: bytes
    accepted_at: int
    seed: bytes


class _Send(Struct, frozen=True):
    """A notification with its id, accepted at a time in Unix ms."""

    tenant: str
    id: str
    accepted_at: int
    notification: CreateNotification


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
        """Accept notifications. On return they are durable.

        A send to users, to one group or to all is in its logs then. A send to several groups, or to groups
        and users, is recorded: a dispatcher writes a copy for each member at this moment.

        Consecutive sends to the same user, group or all keep their order in its log, also within
        `notifications`, and also when they name several users but no group.

        Raises IdempotencyMismatch, IdempotencyInProgress or StorageUnavailable. After StorageUnavailable some
        may have been accepted; a retry with the same idempotency key completes the rest.
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
        # When the reply to our own claim was lost, the repeated call returns that claim: the seeds are equal.
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
        core, ids, sends = self._core, list[str](), list[Row]()
        singles = [single_log(notification.to) for notification in notifications]
        clocks = await self._clocks(tenant, notifications, singles) if None in singles else {}
        for index, (notification, single) in enumerate(zip(notifications, singles, strict=True)):
            log = log_named(core.keys, tenant, *single) if single is not None else None
            if log is not None:
                partition = log.partition
            else:
                # The record may be in any partition. With a seed, a retry must choose the same one.
                # `partition_of` would fill its cache with ids that are used once.
                spread = secrets.randbits(32) if seed is None else crc32(b"%b/%d" % (seed, index))
                partition = spread % core.partitions
            if seed is None:
                notification_id = new_id(accepted_at, partition)
            else:
                notification_id = derived_id(seed, index, accepted_at, partition)
            ids.append(notification_id)
            send = _Send(tenant, notification_id, accepted_at, notification)
            if single is None and not notification.to.groups:
                sends.append(self._several(send, partition))
            else:
                item = self._item(send, single, log, clocks)
                sends.append(Row(partition, item, 1, len(item.to) + 2 * len(item.content)))
        await carry_out(core, sends)
        return Acceptance(ids, accepted_at, replayed)

    async def _clocks(
        self,
        tenant: str,
        notifications: Sequence[CreateNotification],
        singles: Sequence[tuple[str, str] | None],
    ) -> dict[str, int]:
        """The current clocks of the groups of compound targets."""
        groups = dict.fromkeys(
            group
            for notification, single in zip(notifications, singles, strict=True)
            if single is None
            for group in notification.to.groups
        )
        return await cuts(self._core, tenant, groups) if groups else {}

    def _several(self, send: _Send, partition: int) -> Row:
        """A send to several users, each of whom gets a copy."""
        tenant, notification = send.tenant, send.notification
        to, content, expires = _texts(send)
        excluded = set(notification.to.exclude)
        users = [user for user in dict.fromkeys(notification.to.users) if user not in excluded]
        bases: dict[int, list[str]] = {}
        for user in users:
            log = self._core.keys.user(tenant, user)
            bases.setdefault(log.partition, []).append(log.base)
        category = notification.category or ""
        life = self._core.record_life(tenant, notification.category)
        item = BeginItem(tenant, send.id, send.accepted_at, to, content, users, category, life)
        copies = CopyPlan(tenant, send.id, bases, content, expires, category)
        return Row(partition, item, len(users), 2 * (len(to) + len(content)), copies)

    def _item(
        self, send: _Send, single: tuple[str, str] | None, log: Log | None, clocks: Mapping[str, int]
    ) -> AcceptItem:
        """A send to one log, to no user, or, if `single` is None, to several groups."""
        notification = send.notification
        to, content, expires = _texts(send)
        excluded: list[str] = []
        if notification.to.exclude and single is not None and single[0] in {"group", "all"}:
            excluded = list(dict.fromkeys(notification.to.exclude))
        item = AcceptItem(
            kind="c" if single is None else "0" if log is None else "l",
            tenant=send.tenant,
            id=send.id,
            accepted=send.accepted_at,
            to=to,
            content=content,
            expires=expires,
            base=log.base if log else "",
            exclude=",".join(excluded),
            excluded=excluded,
            recipients=_RECIPIENTS.get(single[0], -1) if single is not None else -1,
            category=notification.category or "",
            life=self._core.record_life(send.tenant, notification.category),
        )
        if single is not None:
            return item
        of_groups = [clocks[group] for group in dict.fromkeys(notification.to.groups)]
        return AcceptForGroups(**msgspec.structs.asdict(item), cuts=of_groups)

    async def notification(self, tenant: str, notification_id: str) -> StoredNotification | None:
        """A notification by its id; None when the tenant has no such notification."""
        return await read_notification(self._core, tenant, notification_id)

    async def recall(self, tenant: str, notification_id: str) -> bool:
        """Recall a notification; idempotent. Returns False when the tenant has no such notification.

        On return it is in no inbox, and a notification that was not stored yet will not be. Raises
        StorageUnavailable when no dispatcher removes the copies in time; they are removed later.
        """
        stored = await self.notification(tenant, notification_id)
        if stored is None:
            return False
        partition = partition_of_id(notification_id)
        assert partition is not None  # noqa: S101 - notification() found it there
        target = msgspec.json.decode(stored.to, type=Target)
        log = log_of(self._core.keys, tenant, target)
        record = Record(partition, tenant, notification_id)
        base, late = log.base if log else "", int(not target.groups)
        found = await self._core.run(
            "recall", partition, record.base, base, tenant, notification_id, late, durable=True
        )
        if int(found) == _DISPATCHER_RECALLS:
            await all_applied(self._core, [partition])
        return bool(found)


def _received(actions: Sequence[Action]) -> tuple[ReceivedAction, ...]:
    return tuple(ReceivedAction(action.id, action.label, action.link) for action in actions)


def _texts(send: _Send) -> tuple[str, str, int]:
    """Target and content as stored, and when it expires (ms) or 0."""
    accepted_at, notification = send.accepted_at, send.notification
    expires = 0 if notification.expires_in is None else accepted_at + notification.expires_in * 1000
    content = _encode(
        Content(
            id=send.id,
            category=notification.category,
            title=notification.title,
            body=notification.body,
            data=data_of(notification),
            link=notification.link,
            icon=notification.icon,
            actions=_received(notification.actions) if notification.actions else (),
            priority=notification.priority,
            created_at=timestamp(accepted_at),
            expires_at=timestamp(expires) if expires else None,
        )
    ).decode()
    return _encode(notification.to).decode(), content, expires
