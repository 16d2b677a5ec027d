"""Receipts of a notification by user, and the list of a tenant's sends.

A receipt is computed from the user's own state: there is no entry per user and notification.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from tidings.protocol.notifications import Target
from tidings_workers.store.core import Core
from tidings_workers.store.entries import category_matches
from tidings_workers.store.errors import NoUserReceipts
from tidings_workers.store.ids import partition_of_id
from tidings_workers.store.keys import Record, parse_base
from tidings_workers.store.merging import Merge
from tidings_workers.store.packing import pack, text
from tidings_workers.store.paging import Cursor, Page, read_cursor
from tidings_workers.store.records import StoredNotification, parse_record, read_notification
from tidings_workers.store.sent import Edge, SentWalk, refill
from tidings_workers.store.state import Kind, LogState
from tidings_workers.store.targets import is_compound, log_of
from tidings_workers.store.uses import Use, parse_use

# The most entries that one page reads. With a rare category it returns the matches up to there.
_SENT_SCANNED: Final = 20_000

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
        if raw is None:
            return None
        stored = parse_record(notification_id, raw)
        target = _target.decode(stored.to)
        at = read_cursor(cursor)
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
        self, tenant: str, category: str | None, limit: int, cursor: bytes | None
    ) -> Page[StoredNotification]:
        """The sends of a tenant, newest first. `category` is exact, or a prefix that ends in a dot.

        With a rare category a page may be shorter than the limit although another page follows.
        """
        edge = msgspec.msgpack.decode(cursor, type=Edge) if cursor is not None else None
        forward = edge is None or edge.forward
        walks = [SentWalk(self._core, tenant, partition, edge) for partition in range(self._core.partitions)]
        merged = Merge(walks, refill, newest_first=forward)
        walk = await merged.first()
        start = {walk.partition: walk.boundary for walk in walks}
        taken: list[str] = []
        scanned = 0
        while walk is not None:
            matches = category is None or category_matches(category, walk.category)
            if scanned == _SENT_SCANNED or (matches and len(taken) == limit):
                break
            scanned += 1
            notification_id = walk.take()
            if matches:
                taken.append(notification_id)
            walk = await merged.first()
        more = walk is not None
        reached = {walk.partition: walk.boundary for walk in walks}
        items = await self._sent(tenant, taken)
        if forward:
            older = pack(Edge(forward=True, below=reached)) if more else None
            newer = pack(Edge(forward=False, below=start)) if edge is not None and items else None
            return Page(items, older, newer)
        older = pack(Edge(forward=True, below=start)) if items else None
        newer = pack(Edge(forward=False, below=reached)) if more else None
        return Page(items[::-1], older, newer)

    async def _sent(self, tenant: str, ids: Sequence[str]) -> list[StoredNotification]:
        found = await asyncio.gather(
            *(read_notification(self._core, tenant, notification_id) for notification_id in ids)
        )
        # Retention may remove a record before its entry in the list.
        return [stored for stored in found if stored is not None]


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
