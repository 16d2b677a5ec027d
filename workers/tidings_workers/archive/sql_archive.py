"""The archive over a database: everything that does not depend on which one it is."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from tidings_workers.archive import removing, statements
from tidings_workers.archive.database import Change, Database, Row
from tidings_workers.archive.encoding import (
    END,
    LAST_TEXT,
    USER_LOGS,
    categories,
    entry_of,
    entry_values,
    item_of,
    log_of,
    notification_of,
    notification_values,
    segment_of,
    segment_values,
    short_log,
    span,
)
from tidings_workers.archive.errors import ArchiveError
from tidings_workers.archive.ids import LAST_ID, first_id, is_id, milliseconds_of_id
from tidings_workers.archive.months import Month
from tidings_workers.archive.reading import PartReader
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

# The rows of a page of an export.
PAGE: Final = 500
# The most notifications that one call of `sent` looks at.
SENT_SCANNED: Final = 20_000

# In the order of bytes it follows all users' logs.
_AFTER_USER_LOGS: Final = USER_LOGS + LAST_TEXT


class SqlArchive:
    """An archive in a SQL database. See `interface.Archive`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids = database.ids

    async def migrate(self) -> int:
        """See `Archive.migrate`."""
        return await self._database.migrate()

    async def close(self) -> None:
        """See `Archive.close`."""
        await self._database.close()

    async def health(self) -> ArchiveHealth:
        """See `Archive.health`."""
        try:
            facts = await self._database.facts()
            ((oldest, newest),) = await self._database.fetch(statements.ENDS)
        except ArchiveError as error:
            return ArchiveHealth(reachable=False, fault=str(error))
        return ArchiveHealth(
            reachable=True,
            version=facts.version,
            rows=facts.rows,
            size=facts.size,
            writable=facts.writable,
            oldest=oldest,
            newest=newest,
        )

    async def claim(self, partition: int) -> Claim:
        """See `Archive.claim`."""
        ((number,),) = await self._database.fetch(statements.CLAIM, partition)
        return Claim(partition, number)

    async def append(
        self,
        entries: Sequence[ArchivedEntry],
        notifications: Sequence[ArchivedNotification],
        claim: Claim | None = None,
    ) -> None:
        """See `Archive.append`."""
        # The last one of each key: a statement may replace a row only once. All in order of their keys: two
        # transactions with the same rows then wait for each other without a deadlock.
        rows = {row[:4]: row for row in (entry_values(each, self._ids) for each in entries)}
        last = {(one.tenant, one.id): one for one in notifications}
        await self._database.append(
            [rows[key] for key in sorted(rows)],
            [notification_values(last[key], self._ids) for key in sorted(last)],
            claim,
        )

    async def read(self, tenant: str, parts: Sequence[LogPart], now: int) -> list[list[ArchivedItem]]:
        """See `Archive.read`."""
        readers = [PartReader(tenant, part) for part in parts]
        for newest_first in (True, False):
            some = [each for each in readers if each.newest_first == newest_first]
            while some := [each for each in some if not each.is_done]:
                await self._round(tenant, some, now, newest_first=newest_first)
        return [[item_of(row, self._ids) for row in reader.rows] for reader in readers]

    async def _round(
        self, tenant: str, readers: Sequence[PartReader], now: int, *, newest_first: bool
    ) -> None:
        rounds = [reader.next_round() for reader in readers]
        intervals = [each for some in rounds for each in some]
        answers = iter(await self._database.read(tenant, intervals, now, newest_first=newest_first))
        for reader, some in zip(readers, rounds, strict=True):
            for _ in some:
                reader.add(next(answers))

    async def sent(self, query: SentQuery) -> SentPage:
        """See `Archive.sent`."""
        stored = self._ids.stored
        since, until = span(query.since, query.until)
        low, high = first_id(0), LAST_ID
        if query.boundary and query.newest_first:
            high = query.boundary
        elif query.boundary:
            low = query.boundary
        # The search begins at the edge of the span, and no later than at the boundary.
        low, high = max(low, first_id(since)), min(high, first_id(until))
        within = (query.tenant, stored(low), stored(high), since, until)
        first, last = categories(query.category)
        rows = await self._database.fetch(
            statements.SENT[query.newest_first],
            *within,
            SENT_SCANNED,
            first,
            last,
            query.topics,
            query.limit,
        )
        items = [notification_of(row, self._ids) for row in rows]
        if len(items) == query.limit:
            return SentPage(items, items[-1].id if items else "")
        # The page ends here, or the call has looked at as many as it may.
        edge = await self._database.fetch(statements.SENT_EDGE[query.newest_first], *within, SENT_SCANNED - 1)
        return SentPage(items, self._ids.read(edge[0][0]) if edge else "")

    async def notification(self, tenant: str, notification_id: str) -> ArchivedNotification | None:
        """See `Archive.notification`."""
        if not is_id(notification_id):
            return None
        rows = await self._database.fetch(statements.NOTIFICATION, *self._key(tenant, notification_id))
        return notification_of(rows[0], self._ids) if rows else None

    async def recipients(
        self, tenant: str, notification_id: str, limit: int, boundary: str = "", *, forward: bool = True
    ) -> list[ArchivedEntry]:
        """See `Archive.recipients`."""
        if not is_id(notification_id):
            return []
        low, high = USER_LOGS, _AFTER_USER_LOGS
        if boundary and forward:
            low += boundary
        elif boundary:
            high = USER_LOGS + boundary
        rows = await self._database.fetch(
            statements.RECIPIENTS[forward], *self._key(tenant, notification_id), low, high, limit
        )
        return [entry_of(row, self._ids) for row in rows]

    def _key(self, tenant: str, notification_id: str) -> Row:
        return tenant, self._ids.stored(notification_id), milliseconds_of_id(notification_id)

    async def save_states(self, segments: Sequence[StateSegment]) -> None:
        """See `Archive.save_states`."""
        rows = sorted(map(segment_values, segments), key=lambda row: row[:4])
        await self._database.change([Change(statements.SAVE_SEGMENT, rows)])

    async def states(
        self, tenant: str, user: str, logs: Mapping[str, Sequence[int]]
    ) -> dict[str, list[StateSegment]]:
        """See `Archive.states`."""
        spans = [
            (short_log(tenant, base), after, min(up_to, END))
            for base, bounds in logs.items()
            for after, up_to in zip(bounds[::2], bounds[1::2], strict=True)
        ]
        rows = await self._database.segments(tenant, user, spans) if spans else []
        found: dict[str, list[StateSegment]] = {}
        for segment in map(segment_of, rows):
            found.setdefault(segment.log, []).append(segment)
        return found

    async def latest_state(self, tenant: str, user: str, logs: Sequence[str]) -> dict[str, int]:
        """See `Archive.latest_state`."""
        rows = await self._database.fetch(statements.LATEST_STATE, tenant, user)
        wanted = set(logs)
        return {log: up_to for short, up_to in rows if (log := log_of(tenant, short)) in wanted}

    async def remove(self, tenant: str, ids: Sequence[str]) -> int:
        """See `Archive.remove`."""
        return await removing.remove(self._database, tenant, ids)

    async def remove_states(self, tenant: str, user: str, before: int) -> None:
        """See `Archive.remove_states`."""
        await self._database.change([Change(statements.REMOVE_FORMER_SEGMENTS, [(tenant, user, before)])])

    async def remove_entries(
        self,
        tenant: str,
        positions: Mapping[str, Sequence[int]],
        since: int = 0,
        claim: Claim | None = None,
    ) -> int:
        """See `Archive.remove_entries`."""
        return await removing.remove_entries(self._database, tenant, positions, since, claim)

    async def erase_user(self, tenant: str, user: str, budget: int = removing.STEP) -> bool:
        """See `Archive.erase_user`."""
        return await removing.erase_user(self._database, tenant, user, budget)

    async def erase_tenant(self, tenant: str, budget: int = removing.STEP) -> bool:
        """See `Archive.erase_tenant`."""
        return await removing.erase_tenant(self._database, tenant, budget)

    async def retire(
        self, tenant: str, rules: ArchiveRules, now: int, cursor: str = "", budget: int = removing.STEP
    ) -> str | None:
        """See `Archive.retire`."""
        return await removing.retire(self._database, tenant, rules, now, cursor, budget)

    async def drop_months(self, before: int) -> bool:
        """See `Archive.drop_months`."""
        is_done = True
        if not self._database.has_months:
            end = Month.of(before).start
            for tenant in await self.tenants():
                is_done &= await removing.remove_before(self._database, tenant, end, removing.STEP)
        return await self._database.drop_months(before) and is_done

    async def tenants(self) -> list[str]:
        """See `Archive.tenants`."""
        found = [await self._database.fetch(statement) for statement in statements.TENANTS]
        return sorted({row[0] for rows in found for row in rows})

    async def export(
        self, tenant: str, since: int | None = None, until: int | None = None
    ) -> AsyncIterator[ArchivedItem]:
        """See `Archive.export`."""
        low, high = span(since, until)
        edge: tuple[Any, str] = self._ids.stored(first_id(low)), ""
        end = self._ids.stored(first_id(high))
        while True:
            rows = await self._database.fetch(statements.EXPORT, tenant, *edge, end, low, high, PAGE)
            for row in rows:
                if row[-1] is not None:
                    yield item_of(row, self._ids)
            if len(rows) < PAGE:
                return
            edge, low = (rows[-1][4], rows[-1][1]), rows[-1][3]

    async def segments(self, tenant: str) -> AsyncIterator[StateSegment]:
        """See `Archive.segments`."""
        edge: tuple[str, str, int] = "", "", -1
        while True:
            rows = await self._database.fetch(statements.SEGMENTS, tenant, *edge, PAGE)
            for row in rows:
                yield segment_of(row)
            if len(rows) < PAGE:
                return
            edge = rows[-1][1], rows[-1][2], rows[-1][3]
