"""The archive: notifications, entries and states that Redis no longer keeps, in SQLite or PostgreSQL.

`open_archive` opens the one that a URL names. `interface.Archive` is its contract, `rows` has its data.
`copy_archive` copies one archive into another.
"""

from tidings_workers.archive.copying import Copied, copy_archive
from tidings_workers.archive.errors import (
    ArchiveError,
    ArchiveMisconfigured,
    ArchiveUnavailable,
    ClaimLost,
    NoArchiveYet,
)
from tidings_workers.archive.interface import Archive
from tidings_workers.archive.opening import open_archive
from tidings_workers.archive.rows import (
    ArchivedEntry,
    ArchivedItem,
    ArchivedNotification,
    ArchivedState,
    ArchiveHealth,
    ArchiveRules,
    Claim,
    LogPart,
    SentPage,
    SentQuery,
    StateFilter,
    StateSegment,
)

__all__ = [
    "Archive",
    "ArchiveError",
    "ArchiveHealth",
    "ArchiveMisconfigured",
    "ArchiveRules",
    "ArchiveUnavailable",
    "ArchivedEntry",
    "ArchivedItem",
    "ArchivedNotification",
    "ArchivedState",
    "Claim",
    "ClaimLost",
    "Copied",
    "LogPart",
    "NoArchiveYet",
    "SentPage",
    "SentQuery",
    "StateFilter",
    "StateSegment",
    "copy_archive",
    "open_archive",
]
