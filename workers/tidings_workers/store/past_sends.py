"""The notifications of the archive, as a sender sees them."""

from collections import deque
from typing import Final
from uuid import UUID

from msgspec import structs

from tidings_workers.archive import Archive, ArchivedEntry, ArchivedNotification, SentQuery
from tidings_workers.store.bases import parse_base
from tidings_workers.store.core import Core
from tidings_workers.store.records import StoredNotification
from tidings_workers.store.uses import Use

_READ: Final = 100
# One read looks at up to 20,000 sends. With a rare category a page ends after so many reads without a match.
_READS: Final = 10
_FIRST: Final = 0
_AFTER_ALL: Final = 1 << 128


def stored_of(row: ArchivedNotification) -> StoredNotification:
    """An archived notification as its record was."""
    return StoredNotification(
        id=row.id,
        status=row.status,
        to=row.target,
        content=row.content,
        accepted_at=row.at,
        stored_at=row.stored_at,
        recipients=row.recipients,
        delivered=row.delivered,
        seen=row.seen,
        read=row.read,
        position=row.position,
        actions=row.actions,
        in_archive=True,
    )


async def past_notification(core: Core, tenant: str, notification_id: str) -> StoredNotification | None:
    """A notification from the archive, if it has one of this id. Raises ArchiveError."""
    archive = core.history_of(tenant)
    row = await archive.notification(tenant, notification_id) if archive is not None else None
    return stored_of(row) if row is not None else None


def user_of(entry: ArchivedEntry) -> str:
    """The user in whose own log an entry was."""
    return parse_base(entry.log).id


def use_of(entry: ArchivedEntry) -> Use | None:
    """The action that the user of an entry used."""
    return Use(entry.action, entry.action_at or 0) if entry.action is not None else None


def number_of(notification_id: str) -> int:
    """An id as a number, which rises with the time of acceptance."""
    return int(notification_id.replace("-", ""), 16)


def _id_of(number: int) -> str:
    return str(UUID(int=number))


class PastSends:
    """Walks through the archived sends of a tenant, newest or oldest first, as `SentWalk` does.

    `boundary`: the number of an id. Sends below it are older than those that were taken (newest first), or
    were taken already.
    """

    def __init__(self, archive: Archive, query: SentQuery, boundary: int | None, *, forward: bool) -> None:
        self.boundary = (_AFTER_ALL if forward else _FIRST) if boundary is None else boundary
        self.rows: dict[str, StoredNotification] = {}
        self._archive = archive
        self._query = query
        self._forward = forward
        # The archive leaves out the boundary itself, which belongs to a page that is read oldest first.
        edge = self.boundary if forward else self.boundary - 1
        self._next_boundary = _id_of(edge) if 0 <= edge < _AFTER_ALL else ""
        self._ids: deque[tuple[str, str]] = deque()
        self._ended = False
        self._reads = 0

    @property
    def needs_read(self) -> bool:
        """Whether the next notification is known only after another read."""
        return not self._ids and not self._ended and self._reads < _READS

    @property
    def paused_at(self) -> int | None:
        """The boundary up to which many reads found no match; None while the walk goes on."""
        if self._ids or self._ended or self._reads < _READS:
            return None
        return number_of(self._next_boundary) + (not self._forward)

    def peek(self) -> int | None:
        """The number of the next id; None if no notification is left."""
        return number_of(self._ids[0][0]) if self._ids else None

    @property
    def category(self) -> str:
        """The category of the next notification, or ''."""
        return self._ids[0][1]

    @property
    def next_id(self) -> str:
        """The id of the next notification."""
        return self._ids[0][0]

    def take(self) -> str:
        """Pass the next notification; returns its id."""
        notification_id, _ = self._ids.popleft()
        self.boundary = number_of(notification_id) + (not self._forward)
        return notification_id

    async def read(self) -> None:
        """Read the next notifications. Raises ArchiveError."""
        query = structs.replace(
            self._query, limit=_READ, newest_first=self._forward, boundary=self._next_boundary
        )
        found, boundary = await self._archive.sent(query)
        for row in found:
            self.rows[row.id] = stored_of(row)
            self._ids.append((row.id, row.category))
        self._next_boundary = boundary
        self._ended = not boundary
        self._reads = 0 if found else self._reads + 1
