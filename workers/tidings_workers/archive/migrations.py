"""The versions of the tables: numbered files of plain SQL, `sql/<database>/0001.sql` and so on. Pure."""

from pathlib import Path
from typing import Final, NamedTuple

from tidings_workers.archive.errors import ArchiveMisconfigured, ArchiveUnavailable, NoArchiveYet

_FILES: Final = Path(__file__).parent / "sql"


class Migration(NamedTuple):
    """The statements that make a version of the one before it."""

    version: int
    sql: str


def migrations(database: str) -> list[Migration]:
    """All migrations of a database, in order."""
    return [
        Migration(int(path.stem), path.read_text(encoding="utf-8"))
        for path in sorted((_FILES / database).glob("*.sql"))
    ]


def check(found: int | None, newest: int, place: str) -> None:
    """Return when tables of a version can be used.

    Raises ArchiveMisconfigured for a newer version, and ArchiveUnavailable before the migration.
    """
    refuse_newer(found or 0, newest, place)
    if found is None:
        raise NoArchiveYet(f"{place} has no archive yet: `tidings-server archiver` makes it")
    if found < newest:
        raise ArchiveUnavailable(
            f"{place} has version {found} of the archive, and this program needs {newest}: "
            "`tidings-server archiver` brings it up to date"
        )


def refuse_newer(found: int, newest: int, place: str) -> None:
    """Raise ArchiveMisconfigured when the version is newer than the newest one of this program."""
    if found > newest:
        raise ArchiveMisconfigured(
            f"{place} has version {found} of the archive, and this program knows {newest} at most: "
            "run the newer program, or restore a backup of the older version"
        )
