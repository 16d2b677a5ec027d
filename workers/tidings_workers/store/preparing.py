"""The preparation of sends: their ids, logs and partitions, and the item of a script for each.

The items are packed and carried out with one script call per partition and tick.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Final
from zlib import crc32

import msgspec
from msgspec import Struct

from tidings.protocol.notifications import CreateNotification, Target
from tidings_workers.store.accepting import (
    AcceptForGroups,
    AcceptItem,
    BeginItem,
    CopyPlan,
    PlainSend,
    Row,
    carry_out,
)
from tidings_workers.store.content import stored_content
from tidings_workers.store.core import Core
from tidings_workers.store.ids import derived_id, new_id
from tidings_workers.store.keys import Log
from tidings_workers.store.rosters import cuts
from tidings_workers.store.targets import encode_target, is_plain, log_named, single_log

# By the kind that `single_log` returns; the members of a group and of all are not known here.
_RECIPIENTS: Final = {"user": 1, "nobody": 0}


class _Send(Struct, frozen=True):
    """A notification with its id, accepted at a time in Unix ms."""

    tenant: str
    id: str
    accepted_at: int
    notification: CreateNotification

    def stored(self) -> tuple[str, int]:
        """The content as stored, and when it expires (ms) or 0."""
        return stored_content(self.id, self.accepted_at, self.notification)


class Preparing:
    """Prepares the sends of one store."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def accept(
        self,
        tenant: str,
        notifications: Sequence[CreateNotification],
        accepted_at: int,
        seeds: Sequence[tuple[bytes, int] | None],
    ) -> list[str]:
        """Accept notifications at one time, in order. Returns their ids, each made of its seed if it has one.

        A seed is that of a claim, with the index of the notification in its request.
        """
        core, ids, sends = self._core, list[str](), list[Row]()
        singles = [single_log(notification.to) for notification in notifications]
        clocks = await self._clocks(tenant, notifications, singles) if None in singles else {}
        for notification, single, seed in zip(notifications, singles, seeds, strict=True):
            log = log_named(core.keys, tenant, *single) if single is not None else None
            if log is not None:
                partition = log.partition
            else:
                # The record may be in any partition. With a seed, a retry must choose the same one.
                # `partition_of` would fill its cache with ids that are used once.
                spread = secrets.randbits(32) if seed is None else crc32(b"%b/%d" % seed)
                partition = spread % core.partitions
            if seed is None:
                notification_id = new_id(accepted_at, partition)
            else:
                notification_id = derived_id(*seed, accepted_at, partition)
            ids.append(notification_id)
            send = _Send(tenant, notification_id, accepted_at, notification)
            if single is None and not notification.to.groups:
                sends.append(self._several(send, partition))
            elif single is not None and log is not None and is_plain(notification.to):
                sends.append(self._plain(send, single[0], log))
            else:
                item = self._item(send, single, log, clocks)
                sends.append(Row(partition, item, 1, len(item.to) + 2 * len(item.content)))
        await carry_out(core, sends)
        return ids

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
        """A send to several users or topics, each of which gets a copy."""
        tenant, notification = send.tenant, send.notification
        to, (content, expires) = encode_target(notification.to), send.stored()
        plan, recipients = _plan(notification.to)
        bases: dict[int, list[str]] = {}
        for name in plan:
            log = self._core.keys.planned(tenant, name)
            bases.setdefault(log.partition, []).append(log.base)
        category = notification.category or ""
        item = BeginItem(
            tenant, send.id, send.accepted_at, to, content, plan, recipients, category, self._life(send)
        )
        copies = CopyPlan(tenant, send.id, bases, content, expires, category)
        return Row(partition, item, len(plan), 2 * (len(to) + len(content)), copies)

    def _life(self, send: _Send) -> int:
        """How long the record is kept, in ms; 0 means without limit."""
        if send.notification.to.topics:
            return self._core.topic_record_life(send.tenant)
        return self._core.record_life(send.tenant, send.notification.category)

    def _plain(self, send: _Send, kind: str, log: Log) -> Row:
        """A send to one user, one group or all, and nothing else."""
        content, expires = send.stored()
        category = send.notification.category
        item = PlainSend(
            send.tenant,
            send.id,
            send.accepted_at,
            send.notification.to,
            content,
            expires,
            log.base,
            _RECIPIENTS.get(kind, -1),
            category or "",
            self._core.record_life(send.tenant, category),
        )
        return Row(log.partition, item, 1, 2 * len(content))

    def _item(
        self, send: _Send, single: tuple[str, str] | None, log: Log | None, clocks: Mapping[str, int]
    ) -> AcceptItem:
        """A send to one log, to no user, or, if `single` is None, to several groups."""
        notification = send.notification
        to, (content, expires) = encode_target(notification.to), send.stored()
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
            life=self._life(send),
        )
        if single is not None:
            return item
        of_groups = [clocks[group] for group in dict.fromkeys(notification.to.groups)]
        return AcceptForGroups(**msgspec.structs.asdict(item), cuts=of_groups)


def _plan(target: Target) -> tuple[list[str], int]:
    """The plan of a target without groups, as `Keys.planned` reads it, and the number of recipients or -1."""
    if target.topics:
        return [f"/{topic}" for topic in dict.fromkeys(target.topics)], -1
    excluded = set(target.exclude)
    users = [user for user in dict.fromkeys(target.users) if user not in excluded]
    return users, len(users)
