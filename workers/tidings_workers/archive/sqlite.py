"""The archive in a SQLite file."""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from tidings_workers.archive import statements
from tidings_workers.archive.database import Change, Facts, Interval, Row
from tidings_workers.archive.encoding import ENTRY_COLUMNS, NOTIFICATION_COLUMNS, SEGMENT_COLUMNS
from tidings_workers.archive.errors import ClaimLost
from tidings_workers.archive.ids import AS_BYTES
from tidings_workers.archive.migrations import check, migrations, refuse_newer
from tidings_workers.archive.rows import Claim
from tidings_workers.archive.sqlite_thread import SqliteThread

# A migration may rewrite tables.
_MIGRATION: Final = 12
# The most free pages that one call gives back: 8 MB.
_PAGES: Final = 2_000

_INSERT_ENTRY: Final = statements.insert("tidings_entries", ENTRY_COLUMNS, statements.KEEP_ENTRY)
_REPLACE_ENTRY: Final = statements.insert("tidings_entries", ENTRY_COLUMNS, statements.REPLACE_STATE)
_INSERT_NOTIFICATION: Final = statements.insert(
    "tidings_notifications", NOTIFICATION_COLUMNS, statements.REPLACE_RECEIPTS
)
_READ: Final = (
    # A cross join has the order of its tables.
    f"select {statements.ENTRY}, n.content from tidings_entries e cross join tidings_notifications n "
    "where n.tenant = e.tenant and n.id = e.id and n.at = e.at and e.tenant = $1 and e.log = $2 "
    "and e.position > $3 and e.position <= $4 and e.category between $6 and $7 and e.at >= $8 and e.at < $9 "
    f"and {statements.in_state('$10')} and (e.expires is null or e.expires > $11) "
    "order by e.position {order} limit $5"
)
_READS: Final = {newest: _READ.format(order="desc" if newest else "asc") for newest in (False, True)}
_SEGMENTS: Final = (
    f"select {', '.join(SEGMENT_COLUMNS)} from tidings_segments "
    "where tenant = $1 and username = $2 and log = $3 and after < $5 and up_to > $4 order by after"
)
_HAS_VERSION: Final = "select 1 from sqlite_master where name = 'tidings_archive'"


@lru_cache(maxsize=64)
def _text(sql: str) -> str:
    """A statement in the dialect of SQLite."""
    return sql.replace("$", "?")


class SqliteDatabase:
    """A SQLite file in WAL mode. See `database.Database`. Several processes may use it at the same time."""

    ids = AS_BYTES
    has_months = False

    def __init__(self, path: Path, limit: float) -> None:
        self._thread = SqliteThread(path, limit)
        self._place = str(path)
        self._migrations = migrations("sqlite")
        self._is_checked = False

    def __repr__(self) -> str:
        return f"SqliteDatabase({self._place!r})"

    async def close(self) -> None:
        """See `Database.close`."""
        await self._thread.close()

    async def fetch(self, sql: str, *arguments: Any) -> Sequence[Row]:
        """See `Database.fetch`."""
        return await self._thread.run(lambda connection: self._all(connection, sql, arguments))

    def _all(self, connection: sqlite3.Connection, sql: str, arguments: Row) -> list[Row]:
        self._check(connection)
        return connection.execute(_text(sql), arguments).fetchall()

    async def change(self, changes: Sequence[Change], claim: Claim | None = None) -> None:
        """See `Database.change`."""

        def work(connection: sqlite3.Connection) -> None:
            self._check(connection)
            connection.execute("begin immediate")
            if claim is not None:
                found = connection.execute(_text(statements.CLAIMED), (claim.partition,)).fetchone()
                if found != (claim.number,):
                    raise ClaimLost(claim.partition)
            for sql, rows in changes:
                connection.executemany(_text(sql), rows)
            connection.execute("commit")

        if any(rows for _, rows in changes):
            await self._thread.run(work)

    async def append(self, entries: Sequence[Row], notifications: Sequence[Row], claim: Claim | None) -> None:
        """See `Database.append`."""
        insert = _INSERT_ENTRY if claim is None else _REPLACE_ENTRY
        await self.change([Change(_INSERT_NOTIFICATION, notifications), Change(insert, entries)], claim)

    async def read(
        self, tenant: str, intervals: Sequence[Interval], now: int, *, newest_first: bool
    ) -> Sequence[Sequence[Row]]:
        """See `Database.read`."""
        sql = _text(_READS[newest_first])

        def work(connection: sqlite3.Connection) -> list[list[Row]]:
            self._check(connection)
            return [connection.execute(sql, (tenant, *each, now)).fetchall() for each in intervals]

        return await self._thread.run(work)

    async def segments(self, tenant: str, user: str, spans: Sequence[tuple[str, int, int]]) -> Sequence[Row]:
        """See `Database.segments`."""

        def work(connection: sqlite3.Connection) -> list[Row]:
            # A segment may overlap with several spans.
            found = {
                (row[2], row[3]): row
                for span in spans
                for row in self._all(connection, _SEGMENTS, (tenant, user, *span))
            }
            return [found[key] for key in sorted(found)]

        return await self._thread.run(work)

    async def migrate(self) -> int:
        """See `Database.migrate`."""
        limit = self._thread.limit * _MIGRATION
        version = await self._thread.run(self._migrate, create=True, limit=limit)
        self._is_checked = True
        return version

    def _migrate(self, connection: sqlite3.Connection) -> int:
        newest = self._migrations[-1].version
        if self._version(connection) == newest:
            return newest
        connection.execute("begin immediate")
        found = self._version(connection) or 0
        refuse_newer(found, newest, self._place)
        connection.execute(statements.CREATE_VERSION)
        for version, sql in self._migrations:
            if version > found:
                # `executescript` commits first.
                for statement in _statements(sql):
                    connection.execute(statement)
        connection.execute("delete from tidings_archive")
        connection.execute("insert into tidings_archive values (?)", [newest])
        connection.execute("commit")
        return newest

    @staticmethod
    def _version(connection: sqlite3.Connection) -> int | None:
        if not connection.execute(_HAS_VERSION).fetchone():
            return None
        row = connection.execute(statements.VERSION).fetchone()
        return int(row[0]) if row else None

    def _check(self, connection: sqlite3.Connection) -> None:
        if not self._is_checked:
            check(self._version(connection), self._migrations[-1].version, self._place)
            self._is_checked = True

    async def facts(self) -> Facts:
        """See `Database.facts`."""

        def work(connection: sqlite3.Connection) -> Facts:
            self._check(connection)
            (version,) = connection.execute(statements.VERSION).fetchone()
            (rows,) = connection.execute("select count(*) from tidings_entries").fetchone()
            (pages,) = connection.execute("pragma page_count").fetchone()
            (size,) = connection.execute("pragma page_size").fetchone()
            return Facts(version, rows, pages * size, self._thread.is_writable())

        return await self._thread.run(work)

    async def drop_months(self, before: int) -> bool:
        """See `Database.drop_months`: the file has no months. Gives 8 MB of free pages back."""
        del before

        def work(connection: sqlite3.Connection) -> bool:
            self._check(connection)
            # `execute` would free a single page: it makes one step of a statement without columns.
            connection.executescript(f"pragma incremental_vacuum({_PAGES})")
            (left,) = connection.execute("pragma freelist_count").fetchone()
            connection.execute("pragma wal_checkpoint(truncate)").fetchall()
            return not left

        return await self._thread.run(work)


def _statements(sql: str) -> list[str]:
    """The statements of a script, whose comments are whole lines."""
    code = "\n".join(line for line in sql.splitlines() if not line.startswith("--"))
    return [each for each in code.split(";") if each.strip()]
