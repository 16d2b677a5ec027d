"""Records of notifications: the request, and its status, times and receipts."""

import asyncio
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from tidings.protocol.notifications import Target
from tidings_workers.store.core import Core
from tidings_workers.store.ids import partition_of_id
from tidings_workers.store.keys import Record
from tidings_workers.store.packing import Packed, pack, text
from tidings_workers.store.targets import log_of

_STATUS: Final = {"a": "accepted", "x": "accepted", "s": "stored", "c": "cancelled", "r": "recalled"}
_HEAD: Final = 53


class StoredNotification(Struct, frozen=True):
    """A notification's record. `to` and `content` are JSON; times are Unix ms.

    `delivered` counts connections where the target is topics. `actions`: how many users used each action.
    `in_archive`: Redis does not have it any more.
    """

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
    actions: dict[str, int] = {}
    in_archive: bool = False


class ReadReceipts(Packed, frozen=True):
    """An item of receipts.lua: a notification, and its place in a log (a compound one has none)."""

    record: str
    base: str
    position: int


async def read_notification(core: Core, tenant: str, notification_id: str) -> StoredNotification | None:
    """A notification with its receipts; None when this tenant has no notification of this id."""
    partition = partition_of_id(notification_id)
    if partition is None or partition >= core.partitions:
        return None
    raw = await core.run("record", partition, tenant, notification_id)
    if raw is None:
        return None
    record = Record(partition, tenant, notification_id)
    stored = parse_record(notification_id, raw)
    target = msgspec.json.decode(stored.to, type=Target)
    log = log_of(core.keys, tenant, target)
    if log is None and target.topics:
        delivered = await _delivered_copies(core, tenant, notification_id, target.topics)
        return msgspec.structs.replace(stored, delivered=delivered)
    item = ReadReceipts(record.base, log.base if log else "", stored.position)
    ((delivered, seen, read, used),) = await core.run("receipts", partition, pack([item]))
    actions = {text(action): int(count) for action, count in sorted(zip(used[::2], used[1::2], strict=True))}
    return msgspec.structs.replace(
        stored, delivered=int(delivered), seen=int(seen), read=int(read), actions=actions
    )


async def _delivered_copies(core: Core, tenant: str, notification_id: str, topics: Iterable[str]) -> int:
    """How many connections acknowledged the copies that topics have of a notification."""
    bases: dict[int, list[str]] = {}
    for topic in dict.fromkeys(topics):
        log = core.keys.topic(tenant, topic)
        bases.setdefault(log.partition, []).append(log.base)
    found = await asyncio.gather(
        *(
            core.run("delivered_copies", partition, pack([notification_id, some]))
            for partition, some in bases.items()
        )
    )
    return sum(map(int, found))


def parse_record(notification_id: str, raw: bytes) -> StoredNotification:
    """A record as stored, with receipts of 0; record_header.lua describes its format."""
    to, content = raw[_HEAD:].split(b"\n", 1)
    stored, position, recipients = int(raw[14:27]), int(raw[27:43]), int(raw[43:53])
    return StoredNotification(
        id=notification_id,
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
