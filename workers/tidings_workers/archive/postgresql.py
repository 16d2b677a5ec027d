"""The archive in PostgreSQL."""

import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeVar

import asyncpg

from tidings_workers.archive import statements
from tidings_workers.archive.database import Change, Facts, Interval, Row
from tidings_workers.archive.encoding import ENTRY_COLUMNS, NOTIFICATION_COLUMNS, SEGMENT_COLUMNS
from tidings_workers.archive.errors import ClaimLost
from tidings_workers.archive.ids import AS_UUIDS
from tidings_workers.archive.migrations import check, migrations, refuse_newer
from tidings_workers.archive.postgresql_months import LOCK, Months
from tidings_workers.archive.postgresql_pool import PostgresqlPool, Work
from tidings_workers.archive.rows import Claim
from tidings_workers.archive.urls import PostgresqlUrl

T = TypeVar("T")

# A migration may rewrite tables.
_MIGRATION: Final = 12

_READ: Final = (
    "select p.n, r.* from unnest($3::int4[], $4::text[], $5::int8[], $6::int8[], $7::int8[], $8::text[], "
    "$9::text[], $10::int8[], $11::int8[], $12::text[]) "
    "as p (n, log, low, high, most, first_category, last_category, since, until, state) "
    f"cross join lateral (select {statements.ENTRY}, n.content from tidings_entries e "
    f"cross join lateral ({statements.CONTENT}) n where e.tenant = $1 and e.log = p.log "
    "and e.position > p.low and e.position <= p.high "
    "and e.category between p.first_category and p.last_category "
    # The bounds of all intervals exclude months before the first one is read.
    "and e.at >= p.since and e.at < p.until and e.at >= $13 and e.at < $14 "
    f"and {statements.in_state('p.state')} and (e.expires is null or e.expires > $2) "
    "order by e.position {order} limit p.most) r"
)
READS: Final = {newest: _READ.format(order="desc" if newest else "asc") for newest in (False, True)}
_SEGMENTS: Final = (
    f"select distinct {', '.join(f's.{column}' for column in SEGMENT_COLUMNS)} "
    "from unnest($3::text[], $4::int8[], $5::int8[]) as p (log, low, high) join tidings_segments s "
    "on s.tenant = $1 and s.username = $2 and s.log = p.log and s.after < p.high and s.up_to > p.low "
    "order by s.log, s.after"
)
# It reads the catalog as of now. `to_regclass` may answer from a cache of the session that is older than the
# lock of a migration.
_HAS_VERSION: Final = (
    "select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace "
    "where c.relname = 'tidings_archive' and n.nspname = any (current_schemas(false))"
)
_FACTS: Final = (
    # A table that was never analyzed has no estimate: then its size gives one.
    "select coalesce(sum(case when c.relname !~ '^tidings_entries_[0-9]' then 0 "
    "when c.reltuples < 0 then pg_relation_size(c.oid) / 150 else c.reltuples end), 0)::int8, "
    "coalesce(sum(pg_total_relation_size(c.oid)), 0)::int8 from pg_class c "
    "where c.relkind = 'r' and c.relname like 'tidings\\_%' "
    "and c.relnamespace = (select relnamespace from pg_class where oid = 'tidings_segments'::regclass)"
)

# The next claim waits until this transaction has ended.
_CLAIMED: Final = f"{statements.CLAIMED} for update"

_MAY_WRITE: Final = (
    "select bool_and(has_table_privilege(t, p)) and has_schema_privilege(current_schema(), 'create') "
    "and has_database_privilege(current_database(), 'temporary') "
    "from unnest(array['tidings_notifications', 'tidings_entries', 'tidings_segments', 'tidings_claims']) t, "
    "unnest(array['select', 'insert', 'update', 'delete']) p"
)


class PostgresqlDatabase:
    """A PostgreSQL database, or one that speaks its protocol and SQL. See `database.Database`."""

    ids = AS_UUIDS
    has_months = True

    def __init__(self, url: PostgresqlUrl, limit: float) -> None:
        self._pool = PostgresqlPool(url, limit)
        self._place = url.shown
        self._months = Months()
        self._migrations = migrations("postgresql")
        self._is_checked = False

    def __repr__(self) -> str:
        return f"PostgresqlDatabase({self._place!r})"

    async def close(self) -> None:
        """See `Database.close`."""
        await self._pool.close()

    async def _run(self, work: Work[T]) -> T:
        if self._is_checked:
            return await self._pool.run(work)

        async def checked(connection: Any) -> T:
            check(await _version(connection), self._migrations[-1].version, self._place)
            self._is_checked = True
            return await work(connection)

        return await self._pool.run(checked)

    async def fetch(self, sql: str, *arguments: Any) -> Sequence[Row]:
        """See `Database.fetch`."""

        async def work(connection: Any) -> Sequence[Row]:
            rows: Sequence[Row] = await connection.fetch(sql, *arguments)
            return rows

        return await self._run(work)

    async def change(self, changes: Sequence[Change], claim: Claim | None = None) -> None:
        """See `Database.change`."""

        async def work(connection: Any) -> None:
            async with connection.transaction():
                await _check_claim(connection, claim)
                for sql, rows in changes:
                    if rows:
                        await connection.executemany(sql, rows)

        if any(rows for _, rows in changes):
            await self._run(work)

    async def append(self, entries: Sequence[Row], notifications: Sequence[Row], claim: Claim | None) -> None:
        """See `Database.append`."""
        conflict = statements.KEEP_ENTRY if claim is None else statements.REPLACE_STATE
        staged = [
            _Staged(
                "tidings_notifications", NOTIFICATION_COLUMNS, notifications, statements.REPLACE_RECEIPTS
            ),
            _Staged("tidings_entries", ENTRY_COLUMNS, entries, conflict),
        ]
        times = [row[3] for row in entries] + [row[2] for row in notifications]

        async def work(connection: Any) -> None:
            await self._months.ensure(connection, times, time.time_ns() // 1_000_000)
            async with connection.transaction():
                await _check_claim(connection, claim)
                await _insert(connection, [each for each in staged if each.rows])

        async def again(connection: Any) -> None:
            try:
                await work(connection)
            except asyncpg.CheckViolationError:
                # Another process dropped a month after this one saw it.
                self._months.forget()
                await work(connection)

        if times:
            await self._run(again)

    async def read(
        self, tenant: str, intervals: Sequence[Interval], now: int, *, newest_first: bool
    ) -> Sequence[Sequence[Row]]:
        """See `Database.read`."""
        found: list[list[Row]] = [[] for _ in intervals]
        if not intervals:
            return found
        columns = list(map(list, zip(*intervals, strict=True)))
        rows = await self.fetch(
            READS[newest_first],
            tenant,
            now,
            list(range(len(intervals))),
            *columns,
            min(each.since for each in intervals),
            max(each.until for each in intervals),
        )
        for row in rows:
            found[row[0]].append(row[1:])
        for some in found:
            # The join keeps the order of the inner query in practice, but not by the standard.
            some.sort(key=lambda row: row[2], reverse=newest_first)
        return found

    async def segments(self, tenant: str, user: str, spans: Sequence[tuple[str, int, int]]) -> Sequence[Row]:
        """See `Database.segments`."""
        return await self.fetch(_SEGMENTS, tenant, user, *map(list, zip(*spans, strict=True)))

    async def migrate(self) -> int:
        """See `Database.migrate`."""
        limit = self._pool.limit * _MIGRATION
        newest = self._migrations[-1].version

        async def work(connection: Any) -> int:
            if await _version(connection) != newest:
                async with connection.transaction():
                    await connection.execute(f"set local statement_timeout = {int(limit * 1000)}")
                    await connection.execute("select pg_advisory_xact_lock($1)", LOCK)
                    await self._migrate(connection)
            await self._months.ensure(connection, (), time.time_ns() // 1_000_000)
            return newest

        version = await self._pool.run(work, limit=limit)
        self._is_checked = True
        return version

    async def _migrate(self, connection: Any) -> None:
        newest = self._migrations[-1].version
        found = await _version(connection) or 0
        refuse_newer(found, newest, self._place)
        if found == newest:
            return
        await connection.execute(statements.CREATE_VERSION)
        for version, sql in self._migrations:
            if version > found:
                await connection.execute(sql)
        await connection.execute("delete from tidings_archive")
        await connection.execute(f"insert into tidings_archive values ({newest})")

    async def facts(self) -> Facts:
        """See `Database.facts`."""

        async def work(connection: Any) -> Facts:
            version = await connection.fetchval(statements.VERSION)
            rows, size = await connection.fetchrow(_FACTS)
            return Facts(version, rows, size, await connection.fetchval(_MAY_WRITE))

        return await self._run(work)

    async def drop_months(self, before: int) -> bool:
        """See `Database.drop_months`."""
        return await self._run(lambda connection: self._months.drop(connection, before))


async def _version(connection: Any) -> int | None:
    """The version of the tables; None without tables."""
    if await connection.fetchval(_HAS_VERSION) is None:
        return None
    found = await connection.fetchval(statements.VERSION)
    return None if found is None else int(found)


async def _check_claim(connection: Any, claim: Claim | None) -> None:
    if claim is not None and await connection.fetchval(_CLAIMED, claim.partition) != claim.number:
        raise ClaimLost(claim.partition)


class _Staged(NamedTuple):
    """Rows for a table, and what happens to those that it has."""

    table: str
    columns: tuple[str, ...]
    rows: Sequence[Row]
    conflict: str


async def _insert(connection: Any, staged: Sequence[_Staged]) -> None:
    """Insert rows by COPY into temporary tables, and from there: COPY itself fails at the first conflict."""
    await connection.execute(
        ";".join(
            f"create temporary table {table}_staged (like {table}) on commit drop" for table, *_ in staged
        )
    )
    for table, columns, rows, conflict in staged:
        names = ", ".join(columns)
        await connection.copy_records_to_table(f"{table}_staged", records=rows, columns=columns)
        await connection.execute(
            f"insert into {table} ({names}) select {names} from {table}_staged {conflict}"
        )
