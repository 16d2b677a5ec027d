"""Plans: the users whom a compound notification reaches, and how many of them have their copy."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Final

from tidings_workers.store.core import Core
from tidings_workers.store.keys import Record, key_of
from tidings_workers.store.packing import pack, text
from tidings_workers.store.records import StoredNotification, parse_record

PLAN_PART: Final = 5_000
# Parts of a plan that was never finished expire.
PLAN_PART_SECONDS: Final = 60


class Plans:
    """The plans of compound notifications. Each is in the partition of its record."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def record(
        self, partition: int, tenant: str, notification_id: str
    ) -> tuple[str, StoredNotification] | None:
        """A notification's record with its inner status letter (see record_header.lua)."""
        raw = await self._core.call("GET", Record(partition, tenant, notification_id).root)
        return (text(raw[:1]), parse_record(notification_id, raw)) if raw is not None else None

    async def make(self, partition: int, tenant: str, notification_id: str, users: Sequence[str]) -> str:
        """Store the users of a compound notification, if it has no plan yet.

        Returns `new`, or the record's inner status when no plan was made: with `x` there is one already.
        """
        record = Record(partition, tenant, notification_id)
        part = ""
        last = list(users)
        if len(users) > PLAN_PART:
            # Each attempt has a key of its own, because another dispatcher may make the same plan. The script
            # counts, and so finds a push that was repeated after a lost reply.
            part = record.base_of_part(secrets.token_hex(8))
            key = key_of(partition, part)
            call = self._core.call
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

    async def users(
        self, partition: int, tenant: str, notification_id: str, start: int, count: int
    ) -> list[str]:
        """`count` users of a plan, from `start` on."""
        key = Record(partition, tenant, notification_id).key("plan")
        raw = await self._core.call("LRANGE", key, start, start + count - 1)
        return [text(user) for user in raw]

    async def progress(self, partition: int, tenant: str, notification_id: str) -> int:
        """The number of users of a plan that have their copy."""
        key = Record(partition, tenant, notification_id).key("progress")
        return int(await self._core.call("GET", key) or 0)

    async def advance(self, partition: int, tenant: str, notification_id: str, done: int) -> bool:
        """Store the number of users that have their copy. Returns whether the notification was recalled."""
        record, call = Record(partition, tenant, notification_id), self._core.call
        _, status = await asyncio.gather(
            call("SET", record.key("progress"), done, "PX", self._core.retention_ms),
            call("GETRANGE", record.root, 0, 0),
        )
        return text(status) != "x"

    async def stored(self, partition: int, tenant: str, notification_id: str) -> None:
        """Set the status of a notification: every copy is stored."""
        await self._core.run("stored", partition, pack([[tenant, notification_id]]), durable=True)
