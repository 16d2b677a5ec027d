"""The months of PostgreSQL: a table per month below `tidings_entries` and `tidings_notifications`.

Several processes make and drop them. An advisory lock orders these; a process that holds an older list makes
a month again when a row needs it.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

import asyncpg

from tidings_workers.archive.months import Month, needed

LOCK: Final = 0x71D1_4963
"""The key of the advisory lock."""

TABLES: Final = ("tidings_entries", "tidings_notifications")

# No reader waits longer than this behind the removal of a month, which waits for readers.
_DROP_WAIT: Final = "1s"
_SUFFIX: Final = re.compile(r"_(\d{4}_\d{2})$")
_PARTITIONS: Final = (
    "select p.relname::text, c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid "
    "join pg_class p on p.oid = i.inhparent "
    "where i.inhparent in ('tidings_entries'::regclass, 'tidings_notifications'::regclass)"
)


class Months:
    """The months that exist, as far as this process has seen."""

    def __init__(self) -> None:
        self._known: set[Month] = set()

    def forget(self) -> None:
        """Look at the database before the next append."""
        self._known.clear()

    async def ensure(self, connection: Any, times: Iterable[int], now: int) -> None:
        """Make the months that these times need, this month and the next two."""
        wanted = needed(times, now)
        if self._known.issuperset(wanted):
            return
        async with connection.transaction():
            await connection.execute("select pg_advisory_xact_lock($1)", LOCK)
            existing = await _existing(connection)
            for month in wanted:
                for table in TABLES:
                    if month not in existing[table]:
                        await _make(connection, table, month)
        self._known.update(wanted)

    async def drop(self, connection: Any, before: int) -> bool:
        """Drop the months that ended before a time. Returns whether none is left."""
        self.forget()
        try:
            # First the entries: without its notification an entry is not shown, so none is left over. Each
            # in a transaction of its own: a lock on both tables could form a deadlock with an append.
            for table in TABLES:
                async with connection.transaction():
                    await connection.execute("select pg_advisory_xact_lock($1)", LOCK)
                    await connection.execute(f"set local lock_timeout = '{_DROP_WAIT}'")
                    for month in (await _existing(connection))[table]:
                        if month.end <= before:
                            await connection.execute(f"drop table {table}_{month.suffix}")
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            return False
        return True


async def _existing(connection: Any) -> dict[str, set[Month]]:
    found: dict[str, set[Month]] = {table: set() for table in TABLES}
    for table, name in await connection.fetch(_PARTITIONS):
        if suffix := _SUFFIX.search(name):
            found[table].add(Month.named(suffix[1]))
    return found


async def _make(connection: Any, table: str, month: Month) -> None:
    """Make a table and attach it: that does not wait for readers and writers of the other months."""
    name = f"{table}_{month.suffix}"
    await connection.execute(f"create table {name} (like {table} including all)")
    await connection.execute(
        f"alter table {table} attach partition {name} for values from ({month.start}) to ({month.end})"
    )
