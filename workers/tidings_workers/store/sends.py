"""Sending and recalling: idempotency, and the promises of an accepted send.

A send to one log (one user, group or topic, or all of a tenant) is appended by the script that accepts it:
record, log and feeds change together. A send to several users or topics has its copies when it is answered. A
send to several groups, or to groups and users, is recorded with the clocks of its groups, which decide who is
a member; a dispatcher writes its copies. Every step may be repeated with the same ids, so a lost reply does
no harm. ADR 0007 has the reasons.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

import msgspec
from msgspec import Struct

from tidings.protocol.notifications import CreateNotification, Target
from tidings_workers.store.claims import Claim, Claimed, Idempotency, claim_each
from tidings_workers.store.core import Core
from tidings_workers.store.errors import IdempotencyInProgress, IdempotencyMismatch
from tidings_workers.store.history import newest_archived
from tidings_workers.store.ids import milliseconds, milliseconds_of_id, partition_of_id
from tidings_workers.store.keys import Record
from tidings_workers.store.past_sends import past_notification
from tidings_workers.store.preparing import Preparing
from tidings_workers.store.records import StoredNotification, read_notification
from tidings_workers.store.settling import all_applied
from tidings_workers.store.targets import log_of

# The reply of recall.lua when a dispatcher removes the copies.
_DISPATCHER_RECALLS: Final = 2


class Acceptance(Struct, frozen=True):
    """An accepted send: one id per notification, in order; `accepted_at` in Unix ms.

    `replayed`: an earlier request with the same idempotency key was accepted.
    """

    ids: list[str]
    accepted_at: int
    replayed: bool


Request = tuple[CreateNotification, Idempotency | None]
Unclaimed = IdempotencyMismatch | IdempotencyInProgress


class Sends:
    """Sending and recalling."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._preparing = Preparing(core)
        self._running: set[tuple[str, str]] = set()

    async def send(
        self,
        tenant: str,
        notifications: Sequence[CreateNotification],
        *,
        idempotency: Idempotency | None = None,
    ) -> Acceptance:
        """Accept notifications. On return they are durable.

        A send to users, to one group, to topics or to all is in its logs then. A send to several groups, or
        to groups and users, is recorded: a dispatcher writes a copy for each member at this moment.

        Consecutive sends to the same user, group, topic or all keep their order in its log, also within
        `notifications`, and also when they name several users or topics but no group.

        Raises IdempotencyMismatch, IdempotencyInProgress or StorageUnavailable. After StorageUnavailable some
        may have been accepted; a retry with the same idempotency key completes the rest.
        """
        count, now = len(notifications), milliseconds()
        if idempotency is None:
            ids = await self._preparing.accept(tenant, notifications, now, [None] * count)
            return Acceptance(ids, now, replayed=False)
        running = (tenant, idempotency.key)
        if running in self._running:
            raise IdempotencyInProgress
        self._running.add(running)
        try:
            (claimed,) = await claim_each(self._core, tenant, [idempotency], now)
            if isinstance(claimed, IdempotencyMismatch):
                raise claimed
            claim = claimed.claim
            seeds = [(claim.seed, index) for index in range(count)]
            ids = await self._preparing.accept(tenant, notifications, claim.accepted_at, seeds)
        finally:
            self._running.discard(running)
        return Acceptance(ids, claim.accepted_at, claimed.replayed)

    async def send_each(self, tenant: str, requests: Sequence[Request]) -> list[Acceptance | Unclaimed]:
        """Accept the notifications of several requests, each with its own idempotency key or none.

        The effect is that of a `send` of each in turn. Those without an earlier request are accepted
        together. A request that its key refuses gets the error in its place.
        """
        now = milliseconds()
        outcomes: dict[int, Acceptance | Unclaimed] = {}
        claims: dict[int, Claimed] = {}
        named: dict[int, Idempotency] = {}
        for index, (_, idempotency) in enumerate(requests):
            if idempotency is None:
                claims[index] = Claimed(Claim(b"", now, b""), replayed=False)
            elif (tenant, idempotency.key) in self._running:
                outcomes[index] = IdempotencyInProgress()
            else:
                self._running.add((tenant, idempotency.key))
                named[index] = idempotency
        try:
            found = await claim_each(self._core, tenant, list(named.values()), now) if named else []
            for index, claimed in zip(named, found, strict=True):
                if isinstance(claimed, Claimed):
                    claims[index] = claimed
                else:
                    outcomes[index] = claimed
            in_order = sorted(claims.items())
            for accepted_at, part in groupby(in_order, key=lambda each: each[1].claim.accepted_at):
                own = list(part)
                seeds = [(claimed.claim.seed, 0) if claimed.claim.seed else None for _, claimed in own]
                ids = await self._preparing.accept(
                    tenant, [requests[index][0] for index, _ in own], accepted_at, seeds
                )
                for (index, claimed), notification_id in zip(own, ids, strict=True):
                    outcomes[index] = Acceptance([notification_id], accepted_at, claimed.replayed)
        finally:
            self._running.difference_update((tenant, each.key) for each in named.values())
        return [outcomes[index] for index in range(len(requests))]

    async def notification(self, tenant: str, notification_id: str) -> StoredNotification | None:
        """A notification by its id; None when the tenant has no such notification.

        Raises ArchiveError when only the archive could have it, and does not answer.
        """
        stored = await read_notification(self._core, tenant, notification_id)
        return stored if stored is not None else await past_notification(self._core, tenant, notification_id)

    async def recall(self, tenant: str, notification_id: str) -> bool:
        """Recall a notification; idempotent. Returns False when the tenant has no such notification.

        On return it is in no inbox, and a notification that was not stored yet will not be. Raises
        StorageUnavailable when no dispatcher removes the copies in time; they are removed later. Raises
        ArchiveError when the archive may have copies and does not answer: then the recall is not complete.
        """
        stored = await self.notification(tenant, notification_id)
        if stored is None:
            return False
        if not stored.in_archive:
            await self._recall_live(tenant, notification_id, stored)
        archive = self._core.history_of(tenant)
        if archive is not None and (
            stored.in_archive or await self._may_be_archived(tenant, notification_id)
        ):
            await archive.remove(tenant, [notification_id])
        return True

    async def _may_be_archived(self, tenant: str, notification_id: str) -> bool:
        """Whether the archive has entries of the tenant as new as a notification."""
        newest = await newest_archived(self._core, tenant, range(self._core.partitions))
        return milliseconds_of_id(notification_id) <= newest

    async def _recall_live(self, tenant: str, notification_id: str, stored: StoredNotification) -> None:
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
