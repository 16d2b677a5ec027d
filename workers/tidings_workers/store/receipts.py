"""Receipts of a notification by user, and the list of a tenant's sends.

A receipt is computed from the user's own state: there is no entry per user and notification.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from tidings.protocol.notifications import Target
from tidings_workers.archive import ArchivedEntry, SentQuery
from tidings_workers.store.bases import parse_base
from tidings_workers.store.core import Core
from tidings_workers.store.errors import NoUserReceipts
from tidings_workers.store.ids import partition_of_id
from tidings_workers.store.keys import Record
from tidings_workers.store.packing import pack, text
from tidings_workers.store.paging import Cursor, Page, page_of, read_cursor
from tidings_workers.store.past_sends import use_of, user_of
from tidings_workers.store.records import parse_record
from tidings_workers.store.sent_pages import SentNotifications, SentPages
from tidings_workers.store.state import Kind, LogState
from tidings_workers.store.targets import is_compound, log_of
from tidings_workers.store.uses import Use, parse_use

# Begins the edges of pages of the archive.
_PAST: Final = "u:"

_state: Final = msgspec.json.Decoder(LogState)
_target: Final = msgspec.json.Decoder(Target)


class UserProgress(Struct, frozen=True):
    """The receipt of one user. Times are Unix ms, as the inbox has them now. `used`: the action, if any."""

    user: str
    delivered: bool
    seen: bool
    read: bool
    seen_at: int | None
    read_at: int | None
    used: Use | None


class Receipts:
    """Receipts by user, and the list of sends."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def of(
        self, tenant: str, notification_id: str, limit: int, cursor: bytes | None
    ) -> Page[UserProgress] | None:
        """The receipts of a notification, in the order of its plan. None when there is no such notification.

        Raises NoUserReceipts for a target of one group, of topics or all: the store has only counts of them.
        """
        core, partition = self._core, partition_of_id(notification_id)
        if partition is None or partition >= core.partitions:
            return None
        raw = await core.run("record", partition, tenant, notification_id)
        at = read_cursor(cursor)
        if raw is None:
            return await self._past(tenant, notification_id, limit, at)
        stored = parse_record(notification_id, raw)
        target = _target.decode(stored.to)
        if target.topics:
            raise NoUserReceipts
        if not is_compound(target):
            log = log_of(core.keys, tenant, target)
            if log is None:
                return Page([], None, None)
            if not log.is_own:
                raise NoUserReceipts
            users = [] if at is not None else [parse_base(log.base).id]
            items = await self._progress(tenant, notification_id, users, stored.position)
            return Page(items, None, None)
        plan = Record(partition, tenant, notification_id).key("plan")
        total = int(await core.call("LLEN", plan))
        start, end = 0, limit
        if at is not None:
            edge = int(at.edge)
            start, end = (edge, edge + limit) if at.forward else (max(0, edge - limit), edge)
        raw_users = await core.call("LRANGE", plan, start, end - 1) if end > start else []
        items = await self._progress(tenant, notification_id, [text(user) for user in raw_users])
        reached = start + len(items)
        return Page(
            items,
            pack(Cursor(forward=True, edge=str(reached))) if reached < total else None,
            pack(Cursor(forward=False, edge=str(start))) if start > 0 else None,
        )

    async def _past(
        self, tenant: str, notification_id: str, limit: int, at: Cursor | None
    ) -> Page[UserProgress] | None:
        """The receipts of a notification of the archive, by user. Raises ArchiveError."""
        archive = self._core.history_of(tenant)
        row = await archive.notification(tenant, notification_id) if archive is not None else None
        if archive is None or row is None:
            return None
        target = _target.decode(row.target)
        log = log_of(self._core.keys, tenant, target)
        if target.topics or (not is_compound(target) and log is not None and not log.is_own):
            raise NoUserReceipts
        forward = at is None or at.forward
        # The edge of a page of the live list is a number: its users are in another order, so begin again.
        edge = at.edge.removeprefix(_PAST) if at is not None and at.edge.startswith(_PAST) else ""
        rows = await archive.recipients(tenant, notification_id, limit + 1, edge, forward=forward)
        items = [_past_progress(entry) for entry in rows]
        return page_of(items, [_PAST + item.user for item in items], at if edge else None, limit)

    async def _progress(
        self, tenant: str, notification_id: str, users: Sequence[str], position: int = 0
    ) -> list[UserProgress]:
        """The receipt of each user, for a position, or for the user's copy."""
        core = self._core
        parts: dict[int, list[tuple[str, str]]] = {}
        for user in users:
            log = core.keys.user(tenant, user)
            parts.setdefault(log.partition, []).append((user, log.base))
        answers = await asyncio.gather(
            *(
                core.run(
                    "progress", partition, pack([notification_id, [[base, position] for _, base in part]])
                )
                for partition, part in parts.items()
            )
        )
        found = {
            user: _user_progress(user, row)
            for part, rows in zip(parts.values(), answers, strict=True)
            for (user, _), row in zip(part, rows, strict=True)
        }
        return [found[user] for user in users]

    async def sent(
        self,
        tenant: str,
        category: str | None,
        limit: int,
        cursor: bytes | None,
        *,
        since: int | None = None,
        until: int | None = None,
    ) -> SentNotifications:
        """The sends of a tenant, newest first. `category` is exact, or a prefix that ends in a dot.

        They were accepted from `since` until before `until` (Unix ms). With a rare category a page may be
        shorter than the limit although another page follows.
        """
        query = SentQuery(tenant=tenant, category=category or "", limit=limit, since=since, until=until)
        return await SentPages(self._core, query).page(cursor)


def _past_progress(entry: ArchivedEntry) -> UserProgress:
    return UserProgress(
        user_of(entry), entry.delivered, entry.seen, entry.read, entry.seen_at, entry.read_at, use_of(entry)
    )


def _user_progress(user: str, row: Sequence[Any]) -> UserProgress:
    delivered, seen, read, seen_since, read_since, position, packed, used = row
    state = _state.decode(packed) if packed else LogState()

    def since(kind: Kind, kept: bytes) -> int | None:
        return state.time(kind, int(position), int(kept) if kept else None)

    return UserProgress(
        user,
        bool(int(delivered)),
        bool(int(seen)),
        bool(int(read)),
        since("seen", seen_since),
        since("read", read_since),
        parse_use(used) if used else None,
    )
