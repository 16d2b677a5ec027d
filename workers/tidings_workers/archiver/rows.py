"""Old entries of the store as rows of the archive."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from tidings.protocol.notifications import Target
from tidings_workers.archive import ArchivedEntry, ArchivedNotification
from tidings_workers.store import StoredNotification
from tidings_workers.store.bases import parse_base
from tidings_workers.store.entries import category_of, id_of
from tidings_workers.store.ids import milliseconds_of_id
from tidings_workers.store.keys import Log
from tidings_workers.store.old_entries import OldEntry, PlainSend
from tidings_workers.store.targets import encode_target

ReadRecord = Callable[[str, str], Awaitable[StoredNotification | None]]
"""Reads the record of a notification by tenant and id."""


async def rows_of(
    old: Sequence[OldEntry], read_record: ReadRecord
) -> tuple[list[ArchivedEntry], list[ArchivedNotification]]:
    """The entries and their notifications; a notification with several entries is there once.

    A recalled notification is left out: a dispatcher has not removed all of its entries yet.
    """
    entries = []
    notifications: dict[tuple[str, str], ArchivedNotification] = {}
    for each in old:
        entry = _entry(each)
        place = (entry.tenant, entry.id)
        if place not in notifications:
            record = None if each.plain is not None else await read_record(*place)
            notifications[place] = _notification(entry, each, record)
        if notifications[place].status != "recalled":
            entries.append(entry)
    return entries, [each for each in notifications.values() if each.status != "recalled"]


def row_of(tenant: str, stored: StoredNotification) -> ArchivedNotification:
    """A notification as its record is now."""
    return ArchivedNotification(
        tenant=tenant,
        id=stored.id,
        at=milliseconds_of_id(stored.id),
        category=category_of(stored.content),
        content=stored.content,
        target=stored.to,
        status=stored.status,
        stored_at=stored.stored_at,
        recipients=stored.recipients,
        position=stored.position,
        delivered=stored.delivered,
        seen=stored.seen,
        read=stored.read,
        actions=stored.actions,
    )


def is_to_one_user(stored: StoredNotification) -> bool:
    """Whether a notification names one user, and no group or topic."""
    target = msgspec.json.decode(stored.to, type=Target)
    return len(target.users) == 1 and not (target.groups or target.all or target.topics)


def _entry(old: OldEntry) -> ArchivedEntry:
    notification_id = id_of(old.entry.content)
    own = old.log.is_own
    return ArchivedEntry(
        tenant=old.log.tenant,
        log=old.log.base,
        position=old.entry.position,
        at=milliseconds_of_id(notification_id),
        id=notification_id,
        category=old.category,
        expires=old.entry.expires,
        exclude=old.entry.exclude,
        delivered=own and (old.delivered or old.receipts[0] > 0),
        seen=own and old.receipts[1] > 0,
        read=own and old.receipts[2] > 0,
        seen_at=old.seen_at,
        read_at=old.read_at,
        archived_at=old.archived_at,
        action=old.used.action if old.used is not None else None,
        action_at=old.used.at if old.used is not None else None,
    )


def _notification(
    entry: ArchivedEntry, old: OldEntry, record: StoredNotification | None
) -> ArchivedNotification:
    """The notification of an entry. One without a record was sent to the log of the entry alone."""
    if record is not None:
        return row_of(entry.tenant, record)
    plain = old.plain or PlainSend(entry.position, 0, -1)
    delivered, seen, read = old.receipts
    return ArchivedNotification(
        tenant=entry.tenant,
        id=entry.id,
        at=entry.at,
        category=entry.category,
        content=old.entry.content,
        target=encode_target(_target(old.log)).encode(),
        status="stored",
        stored_at=entry.at + plain.waited,
        recipients=plain.recipients if plain.recipients >= 0 else None,
        position=plain.position,
        delivered=delivered,
        seen=seen,
        read=read,
        actions=old.actions,
    )


def _target(log: Log) -> Target:
    if log.is_own:
        return Target(users=(parse_base(log.base).id,))
    if log.group is not None:
        return Target(groups=(log.group,))
    return Target(topics=(log.topic,)) if log.topic is not None else Target(all=True)
