"""Opening an archive by its URL."""

from importlib.util import find_spec
from typing import Final

from tidings_workers.archive.errors import ArchiveMisconfigured
from tidings_workers.archive.interface import Archive
from tidings_workers.archive.sql_archive import SqlArchive
from tidings_workers.archive.sqlite import SqliteDatabase
from tidings_workers.archive.urls import SqliteUrl, parse

LIMIT_SECONDS: Final = 5.0
"""How long an operation may take."""


def open_archive(url: str, *, limit: float = LIMIT_SECONDS) -> Archive | None:
    """The archive that a URL names; None for ``none``.

    The URL is ``sqlite:///absolute/path`` or ``postgresql://user:password@host/database``. Connections open
    on first use, and again after a fault. `limit`: the seconds that an operation may take.

    Raises ArchiveMisconfigured for another URL, and for PostgreSQL without its extra.
    """
    place = parse(url)
    if place is None:
        return None
    if isinstance(place, SqliteUrl):
        return SqlArchive(SqliteDatabase(place.path, limit))
    if find_spec("asyncpg") is None:
        raise ArchiveMisconfigured(
            "an archive in PostgreSQL needs the package asyncpg: pip install 'tidings-server[postgres]'"
        )
    # The library is an extra, and takes time to import.
    from tidings_workers.archive.postgresql import PostgresqlDatabase  # noqa: PLC0415

    return SqlArchive(PostgresqlDatabase(place, limit))
