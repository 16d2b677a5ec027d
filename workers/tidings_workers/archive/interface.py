"""The archive, whatever its database. Each method raises ArchiveUnavailable or ArchiveMisconfigured.

A call answers within the time limit of the archive (5 s unless told otherwise) or raises ArchiveUnavailable;
`migrate` may take twelve times as long, and for `remove`, `remove_entries` and each page of an iterator the
limit is that of a step. After an outage the next call connects again. Every call may be repeated.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from tidings_workers.archive.rows import (
    ArchivedEntry,
    ArchivedItem,
    ArchivedNotification,
    ArchiveHealth,
    ArchiveRules,
    Claim,
    LogPart,
    SentPage,
    SentQuery,
    StateSegment,
)


class Archive(Protocol):
    """The notifications that Redis no longer keeps, in SQL.

    Spans of time are `since` <= at < `until`, in Unix milliseconds.
    """

    async def migrate(self) -> int:
        """Create the tables, or bring them up to this version; returns the version.

        Several processes may do it at once. Until it was done once, the other methods raise
        ArchiveUnavailable. Raises ArchiveMisconfigured when the database has a newer version.
        """
        ...

    async def close(self) -> None:
        """Close the connections. Calls that are running may fail, and later ones raise ArchiveUnavailable."""
        ...

    async def health(self) -> ArchiveHealth:
        """The condition of the archive. Never raises an ArchiveError: a fault is in the answer."""
        ...

    async def claim(self, partition: int) -> Claim:
        """Claim a partition of the store. No write with an earlier claim on it is committed from now on."""
        ...

    async def append(
        self,
        entries: Sequence[ArchivedEntry],
        notifications: Sequence[ArchivedNotification],
        claim: Claim | None = None,
    ) -> None:
        """Store entries and notifications in one transaction.

        With a claim, an entry that is stored already, by log, position and time, gets the new state. Without
        one, as in a copy, it stays as it is. Of a notification that is stored already, the status, the times
        and the receipts are replaced, never content or target. An entry is read only once its notification
        is stored. Append a notification to a single user together with its entry: `erase_user` finds it by
        that. Raises ClaimLost when the claim is not the last one of its partition.
        """
        ...

    async def read(self, tenant: str, parts: Sequence[LogPart], now: int) -> list[list[ArchivedItem]]:
        """The entries of each part in order of position, in its direction, that do not expire by `now`.

        Fewer than the limit means that the part has no more. Entries of excluded users are included.
        """
        ...

    async def sent(self, query: SentQuery) -> SentPage:
        """Notifications of a tenant in the direction of the query, and where the next page begins."""
        ...

    async def notification(self, tenant: str, notification_id: str) -> ArchivedNotification | None:
        """The notification of an id, or None."""
        ...

    async def recipients(
        self, tenant: str, notification_id: str, limit: int, boundary: str = "", *, forward: bool = True
    ) -> list[ArchivedEntry]:
        """The entries that a notification has in users' logs, in the byte order of the users.

        The page begins after the user `boundary`, or, if not `forward`, before it and in reverse order.
        """
        ...

    async def save_states(self, segments: Sequence[StateSegment]) -> None:
        """Store segments. One that is stored already, by tenant, user, log and `after`, stays as it is."""
        ...

    async def states(
        self, tenant: str, user: str, logs: Mapping[str, Sequence[int]]
    ) -> dict[str, list[StateSegment]]:
        """By log, in order, the user's segments that overlap with positions (`Bounds`) of the log."""
        ...

    async def latest_state(self, tenant: str, user: str, logs: Sequence[str]) -> dict[str, int]:
        """By log, the highest `up_to` of the user's segments. A log without a segment is not in it."""
        ...

    async def remove(self, tenant: str, ids: Sequence[str]) -> int:
        """Remove notifications and all their entries, as a recall does; returns the number of entries."""
        ...

    async def remove_states(self, tenant: str, user: str, before: int) -> None:
        """Remove the segments of a user that were saved before a time."""
        ...

    async def remove_entries(
        self,
        tenant: str,
        positions: Mapping[str, Sequence[int]],
        since: int = 0,
        claim: Claim | None = None,
    ) -> int:
        """Remove the entries at positions (`Bounds`) of logs, and notifications without any entry left.

        Entries that were accepted before `since` stay. Returns the number of entries. Raises ClaimLost as
        `append` does.
        """
        ...

    async def erase_user(self, tenant: str, user: str, budget: int = 1_000) -> bool:
        """Remove up to `budget` rows of a user; returns whether nothing is left.

        That is the user's log, the notifications to this user alone, and the user's states. Notifications to
        others as well stay, with their target.
        """
        ...

    async def erase_tenant(self, tenant: str, budget: int = 1_000) -> bool:
        """Remove up to `budget` rows of a tenant; returns whether nothing is left."""
        ...

    async def retire(
        self, tenant: str, rules: ArchiveRules, now: int, cursor: str = "", budget: int = 1_000
    ) -> str | None:
        """Remove the rows that are too old of `budget` rows of a tenant, the oldest ones after the cursor.

        Returns the cursor of the next call, or None at the end.
        """
        ...

    async def drop_months(self, before: int) -> bool:
        """Remove all months (UTC) that ended before a time, and give their space back to the system.

        `before` is now minus the longest retention of all tenants; 0 removes nothing. Returns whether all of
        it is done; otherwise call it again.
        """
        ...

    async def tenants(self) -> list[str]:
        """The tenants that have notifications or states, in order."""
        ...

    def export(
        self, tenant: str, since: int | None = None, until: int | None = None
    ) -> AsyncIterator[ArchivedItem]:
        """The entries of all logs of a tenant in order of their ids, and so of acceptance.

        The entries of one notification follow each other, by log. Expired ones are included. Memory is
        bounded: a page is read when the one before it was taken.
        """
        ...

    def segments(self, tenant: str) -> AsyncIterator[StateSegment]:
        """All states of a tenant, by user, log and position."""
        ...
