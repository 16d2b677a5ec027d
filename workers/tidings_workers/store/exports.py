"""All that a tenant has sent, oldest first: from the lists in Redis and from the archive.

The lists of the partitions are read ahead until no further id can belong to the page. Then the archive is
read: a notification that left a list before is in the archive. One that both have is on one page, once.
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

from msgspec import structs

from tidings_workers.archive import Archive, ArchiveError, SentQuery
from tidings_workers.archive.ids import LAST_ID, first_id
from tidings_workers.store.core import Core
from tidings_workers.store.ids import milliseconds_of_id
from tidings_workers.store.keys import archived, tenant_sends
from tidings_workers.store.packing import text
from tidings_workers.store.past_sends import past_notification, stored_of
from tidings_workers.store.records import StoredNotification, read_notification

PAGE: Final = 100
"""The most notifications that a page takes from the lists, and from the archive."""
# An entry has up to 250 ids.
_ENTRIES_READ: Final = 10
_ID_LENGTH: Final = 36
# The lists have the order of storage. An id is from the clock of the process that accepted it: it may be
# older than its neighbours by the duration of a request, and by the difference of two clocks.
_LATE_MS: Final = 10_000
# A search begins so much earlier than the first id.
_EARLY_MS: Final = 60_000
_ALWAYS: Final = 1 << 48


class Exports:
    """Reads all sends of a tenant."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def pages(
        self, tenant: str, since: int | None, until: int | None
    ) -> AsyncGenerator[list[StoredNotification]]:
        """The sends that were accepted from `since` until before `until` (Unix ms), in order of their ids.

        A page has at most twice `PAGE` of them, and is read when the one before it was taken. Sends that are
        accepted after the start are included or not. Raises StorageUnavailable, and ArchiveError if the
        archive has some of the tenant.
        """
        core = self._core
        lists = [
            _SentList(core, tenant, partition, since or 0, until or _ALWAYS)
            for partition in range(core.partitions)
        ]
        archive = core.history_of(tenant)
        query = SentQuery(tenant=tenant, limit=PAGE, newest_first=False, since=since, until=until)
        ahead: list[str] = []
        reached, is_last = "", False
        while not is_last:
            await _read_ahead(lists, ahead)
            last = ahead[PAGE - 1] if len(ahead) >= PAGE else LAST_ID
            past: dict[str, StoredNotification] = {}
            if archive is not None:
                past, boundary = await self._past(archive, query, reached)
                last = min(last, boundary or LAST_ID)
            taken = bisect_right(ahead, last)
            live, ahead[:taken] = ahead[:taken], []
            ids = await self._new(tenant, live, reached) | {each for each in past if each <= last}
            yield await self._stored(tenant, sorted(ids), past)
            is_last, reached = last == LAST_ID, max(last, reached)

    async def _past(
        self, archive: Archive, query: SentQuery, reached: str
    ) -> tuple[dict[str, StoredNotification], str]:
        """The next page of the archive after an id, and its last id if more follow. Raises ArchiveError."""
        try:
            found, boundary = await archive.sent(structs.replace(query, boundary=reached))
        except ArchiveError:
            if await self._was_archived(query.tenant):
                raise
            return {}, ""
        return {row.id: stored_of(row) for row in found}, boundary

    async def _was_archived(self, tenant: str) -> bool:
        """Whether anything of the tenant has left Redis for the archive."""
        keys = [archived(partition, tenant) for partition in range(self._core.partitions)]
        return any(await asyncio.gather(*(self._core.call("EXISTS", key) for key in keys)))

    async def _new(self, tenant: str, ids: Sequence[str], reached: str) -> set[str]:
        """These ids, without those up to `reached` that the archive has: earlier pages have them."""
        found = {each for each in ids if each > reached}
        for late in ids[: bisect_right(ids, reached)]:
            if await past_notification(self._core, tenant, late) is None:
                found.add(late)
        return found

    async def _stored(
        self, tenant: str, ids: Sequence[str], past: dict[str, StoredNotification]
    ) -> list[StoredNotification]:
        """The notifications of these ids, without those that were removed since."""
        found = await asyncio.gather(*(read_notification(self._core, tenant, each) for each in ids))
        stored = []
        for notification_id, live in zip(ids, found, strict=True):
            # One that left Redis after its list was read is in the archive.
            known = live or past.get(notification_id)
            known = known or await past_notification(self._core, tenant, notification_id)
            if known is not None:
                stored.append(known)
        return stored


class _SentList:
    """Reads the ids in one partition's list that were accepted from `since` until before `until`."""

    def __init__(self, core: Core, tenant: str, partition: int, since: int, until: int) -> None:
        self.ended = False
        # Ids below it have all been read.
        self.reach = ""
        self._call = core.call
        self._key = tenant_sends(partition, tenant)
        self._next = str(max(0, since - _EARLY_MS))
        self._since = since
        self._until = until

    async def read(self) -> list[str]:
        """The ids of the next entries, in the order of the list."""
        found = await self._call("XRANGE", self._key, self._next, "+", "COUNT", _ENTRIES_READ)
        if found:
            last = text(found[-1][0])
            stored_at = int(last.partition("-")[0])
            self._next, self.reach = f"({last}", first_id(max(0, stored_at - _LATE_MS))
            self.ended = stored_at >= self._until + _LATE_MS
        self.ended = self.ended or len(found) < _ENTRIES_READ
        return [
            each
            for _, fields in found
            for each in _ids_of(fields)
            if self._since <= milliseconds_of_id(each) < self._until
        ]


async def _read_ahead(lists: Sequence[_SentList], ahead: list[str]) -> None:
    """Read lists until `ahead`, in order, begins with the ids of a page, or has all that are left."""
    while True:
        last = ahead[PAGE - 1] if len(ahead) >= PAGE else LAST_ID
        behind = [each for each in lists if not each.ended and each.reach <= last]
        if not behind:
            return
        for ids in await asyncio.gather(*(each.read() for each in behind)):
            ahead.extend(ids)
        ahead.sort()


def _ids_of(fields: Any) -> list[str]:
    """The ids of an entry of a list; see list_sent.lua."""
    values = fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))
    ids = text(values[b"i"])
    return [ids[start : start + _ID_LENGTH] for start in range(0, len(ids), _ID_LENGTH)]
