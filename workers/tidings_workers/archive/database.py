"""A database as the archive uses it. `sqlite` and `postgresql` are the two.

Each method raises ArchiveUnavailable or ArchiveMisconfigured, and takes no longer than the limit of time.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from tidings_workers.archive.ids import Ids
from tidings_workers.archive.rows import Claim

Row = Sequence[Any]


class Change(NamedTuple):
    """A statement that is executed for each of the rows of arguments."""

    sql: str
    rows: Sequence[Row]


class Interval(NamedTuple):
    """Positions of one log to read: `low` < position <= `high`, at most `limit` rows.

    `state` as in `statements.in_state`; the categories and times as in `encoding.categories` and
    `encoding.span`.
    """

    log: str
    low: int
    high: int
    limit: int
    first_category: str
    last_category: str
    since: int
    until: int
    state: str


class Facts(NamedTuple):
    """The version, the estimated number of entries, the bytes of all tables, and the right to write."""

    version: int
    rows: int
    size: int
    writable: bool


class Database(Protocol):
    """Where an archive keeps its tables."""

    ids: Ids
    has_months: bool
    """Whether it keeps each month in a table of its own."""

    async def fetch(self, sql: str, *arguments: Any) -> Sequence[Row]:
        """The rows of a statement with arguments ``$1``, ``$2``."""
        ...

    async def change(self, changes: Sequence[Change], claim: Claim | None = None) -> None:
        """Execute statements in one transaction. A claim, if given, stays valid until it is committed.

        Raises ClaimLost, and executes nothing, when it is not the last claim on its partition.
        """
        ...

    async def append(self, entries: Sequence[Row], notifications: Sequence[Row], claim: Claim | None) -> None:
        """Insert rows in one transaction. They are in order of their keys, each once. A claim as in `change`.

        With a claim the states of entries that are stored are replaced.
        """
        ...

    async def read(
        self, tenant: str, intervals: Sequence[Interval], now: int, *, newest_first: bool
    ) -> Sequence[Sequence[Row]]:
        """Of each interval the rows of entries with their contents, in order of position."""
        ...

    async def segments(self, tenant: str, user: str, spans: Sequence[tuple[str, int, int]]) -> Sequence[Row]:
        """The segments of a user that overlap with spans (log, after, up to), by log and position."""
        ...

    async def migrate(self) -> int:
        """As `Archive.migrate`."""
        ...

    async def facts(self) -> Facts:
        """Facts about the tables."""
        ...

    async def drop_months(self, before: int) -> bool:
        """Drop months that ended before a time, if it has months; otherwise give free space back.

        Returns whether all of it is done.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
