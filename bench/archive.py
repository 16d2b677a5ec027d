"""`python -m bench.archive`: the archive with a year of notifications, in PostgreSQL and in SQLite.

It fills an archive of each kind, and measures one page of an inbox: the user's own log, the log of all, and
twenty groups, merged as a reader merges them, at the newest end, in the middle, and at the oldest end. It
also measures appends in batches of 500, an export, and the bytes per notification.
"""

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import asyncpg
import msgspec
from cyclopts import App, Parameter
from msgspec import Struct

from tests.support.postgresql import running_postgresql
from tidings_workers.archive import (
    Archive,
    ArchivedEntry,
    ArchivedItem,
    ArchivedNotification,
    LogPart,
    open_archive,
)
from tidings_workers.archive.encoding import (
    ENTRY_COLUMNS,
    NOTIFICATION_COLUMNS,
    entry_values,
    notification_values,
)
from tidings_workers.archive.ids import AS_BYTES
from tidings_workers.archive.postgresql_months import Months
from tidings_workers.archive.sqlite import _INSERT_ENTRY, _INSERT_NOTIFICATION, _text

_TENANT: Final = "acme"
_READER: Final = "reader"
_GROUPS: Final = 20
_PAGE: Final = 50
_BATCH: Final = 500
_CALLS: Final = 100
_YEAR_MS: Final = 365 * 86_400_000
_CATEGORY: Final = "deploy.finished"
_BODY: Final = "The deployment of the service to production was finished. All checks have passed."

app = App(name="bench.archive", help="Measure the archive.")


class Load(Struct, frozen=True):
    """Of `rows` notifications, `shared` are in each of the reader's 22 logs, the others in `users` logs."""

    rows: int
    shared: int
    users: int

    @property
    def logs(self) -> list[str]:
        """The logs of the reader."""
        groups = [f"g/{_TENANT}/team-{number}" for number in range(_GROUPS)]
        return [f"u/{_TENANT}/{_READER}", f"a/{_TENANT}", *groups]

    def all(self, start: int) -> Iterator[tuple[str, int, int]]:
        """Log, position and time of every entry in order of time, evenly over a year from `start` on."""
        logs, every = self.logs, self.rows // (self.shared * (_GROUPS + 2))
        for number in range(self.rows):
            at = start + _YEAR_MS * number // self.rows
            turn, rest = divmod(number, every)
            if rest == 0 and turn < self.shared * len(logs):
                position, which = divmod(turn, len(logs))
                yield logs[which], position + 1, at
            else:
                position, which = divmod(number, self.users)
                yield f"u/{_TENANT}/user-{which:06}", position + 1, at


def new_id(at: int) -> str:
    """An id of a time."""
    random = os.urandom(10).hex()
    return f"{at >> 16:08x}-{at & 0xFFFF:04x}-7{random[:3]}-9{random[3:6]}-{random[6:18]}"


def content_of(id_: str, position: int) -> str:
    """The JSON that a receiver gets."""
    return (
        f'{{"id":"{id_}","category":"{_CATEGORY}","title":"Deployment {position} finished","body":"{_BODY}",'
        f'"link":"https://example.org/deployments/{position}","created_at":"2026-01-01T00:00:00.000Z"}}'
    )


def row(log: str, position: int, at: int) -> tuple[ArchivedEntry, ArchivedNotification]:
    """An entry that was read, with its notification."""
    id_ = new_id(at)
    entry = ArchivedEntry(
        tenant=_TENANT,
        log=log,
        position=position,
        at=at,
        id=id_,
        category=_CATEGORY,
        delivered=True,
        seen=True,
        read=True,
        seen_at=at + 5_000,
        read_at=at + 9_000,
    )
    target = b'{"users":["%s"]}' % log.rpartition("/")[2].encode()
    return entry, ArchivedNotification(
        tenant=_TENANT,
        id=id_,
        at=at,
        category=_CATEGORY,
        content=content_of(id_, position).encode(),
        target=target,
        stored_at=at + 1,
        recipients=1,
        delivered=1,
        seen=1,
        read=1,
    )


def lines(load: Load, start: int) -> Iterator[tuple[str, str]]:
    """The same rows as `row` in the text format of COPY, which takes a third of the time."""
    for log, position, at in load.all(start):
        id_, target = new_id(at), f'{{"users":["{log.rpartition("/")[2]}"]}}'
        short = log[:1] + log[2 + len(_TENANT) :]
        entry = (
            f"{_TENANT}\t{short}\t{position}\t{at}\t{id_}\t{_CATEGORY}\t\\N\t\\N\tt\tt\tt\t"
            f"{at + 5_000}\t{at + 9_000}\t\\N\t\\N\t\\N\n"
        )
        notification = (
            f"{_TENANT}\t{id_}\t{at}\t{_CATEGORY}\tstored\t{at + 1}\t1\t0\t1\t1\t1\tf\t\\N\t"
            f"\\\\x{target.encode().hex()}\t\\\\x{content_of(id_, position).encode().hex()}\n"
        )
        yield entry, notification


def batches(load: Load, start: int, size: int) -> Iterator[list[Any]]:
    """The lines in parts."""
    rows = lines(load, start)
    while part := list(islice(rows, size)):
        yield part


async def fill_postgresql(url: str, load: Load, start: int) -> None:
    """COPY all rows."""
    connection = await asyncpg.connect(url)
    other = await asyncpg.connect(url)
    try:
        days = range(start, start + _YEAR_MS, 86_400_000)
        await Months().ensure(connection, days, start)
        queues: tuple[asyncio.Queue[bytes], asyncio.Queue[bytes]] = asyncio.Queue(4), asyncio.Queue(4)

        async def source(queue: "asyncio.Queue[bytes]") -> AsyncIterator[bytes]:
            while part := await queue.get():
                yield part

        async with asyncio.TaskGroup() as group:
            for each, table, names, queue in (
                (connection, "tidings_entries", ENTRY_COLUMNS, queues[0]),
                (other, "tidings_notifications", NOTIFICATION_COLUMNS, queues[1]),
            ):
                group.create_task(each.copy_to_table(table, source=source(queue), columns=names))
            for part in batches(load, start, 2_000):
                for queue, texts in zip(queues, zip(*part, strict=True), strict=True):
                    await queue.put("".join(texts).encode())
            for queue in queues:
                await queue.put(b"")
        await connection.execute("vacuum analyze")
    finally:
        await connection.close()
        await other.close()


async def fill_sqlite(archive: Any, load: Load, start: int) -> None:
    """Insert all rows, 5,000 in a transaction."""
    thread = archive._database._thread  # the load is not measured
    rows = (row(*place) for place in load.all(start))
    while part := list(islice(rows, 5_000)):
        entries = [entry_values(entry, AS_BYTES) for entry, _ in part]
        notifications = [notification_values(notification, AS_BYTES) for _, notification in part]

        def work(connection: Any, some: Any = entries, others: Any = notifications) -> None:
            connection.execute("begin immediate")
            connection.executemany(_text(_INSERT_NOTIFICATION), others)
            connection.executemany(_text(_INSERT_ENTRY), some)
            connection.execute("commit")

        await thread.run(work, limit=60)


class Walk:
    """One log of the reader, newest first."""

    def __init__(self, log: str, head: int) -> None:
        self.log = log
        self.head = head
        self.size = 0
        self.buffer: deque[ArchivedItem] = deque()

    def part(self, share: int) -> LogPart:
        """The next part, twice as long as the one before."""
        self.size = max(share, 2 * self.size)
        return LogPart(log=self.log, positions=[0, self.head], limit=self.size, states=None)

    def add(self, items: Sequence[ArchivedItem]) -> None:
        """Add the entries of a read."""
        self.buffer.extend(items)
        self.head = items[-1].entry.position - 1 if len(items) == self.size else 0


async def page(archive: Archive, heads: dict[str, int], now: int) -> list[ArchivedItem]:
    """The newest fifty items of all logs below these heads, merged by time."""
    walks = [Walk(log, head) for log, head in heads.items()]
    share = max(4, 3 * _PAGE // len(walks))
    taken: list[ArchivedItem] = []
    while len(taken) < _PAGE:
        if empty := [walk for walk in walks if not walk.buffer and walk.head > 0]:
            answers = await archive.read(_TENANT, [walk.part(share) for walk in empty], now)
            for walk, items in zip(empty, answers, strict=True):
                walk.add(items)
        full = [walk for walk in walks if walk.buffer]
        if not full:
            break
        taken.append(max(full, key=lambda walk: walk.buffer[0].entry.at).buffer.popleft())
    return taken


async def timed(name: str, calls: int, call: Callable[[], Any]) -> None:
    """Print the median and the 95th percentile of calls, after five that are not counted."""
    times = []
    for number in range(-5, calls):
        began = time.perf_counter()
        await call()
        if number >= 0:
            times.append((time.perf_counter() - began) * 1000)
    print(f"  {name}: p50 {statistics.median(times):.2f} ms, p95 {sorted(times)[int(calls * 0.95)]:.2f} ms")


async def measure(archive: Archive, load: Load, start: int) -> None:
    """Measure a filled archive."""
    now = start + _YEAR_MS
    health = await archive.health()
    print(f"  {health.size / load.rows:.0f} bytes per notification, {health.size / 1e9:.2f} GB in all")
    for name, part in (("newest page", 1.0), ("page in the middle", 0.5), ("page near the end", 0.02)):
        heads = dict.fromkeys(load.logs, max(int(load.shared * part), 10))
        found = await page(archive, heads, now)
        assert len(found) == _PAGE, len(found)
        await timed(name, _CALLS, partial(page, archive, heads, now))
    wide = [LogPart(log=log, positions=[0, load.shared], limit=_PAGE) for log in load.logs]
    await timed("50 of each of 22 logs", _CALLS, partial(archive.read, _TENANT, wide, now))
    since = start + _YEAR_MS // 2
    month = [
        msgspec.structs.replace(each, since=since, until=since + 86_400_000 * 30, limit=6) for each in wide
    ]
    await timed("6 of each of 22 logs in a month", _CALLS, partial(archive.read, _TENANT, month, now))
    await timed("health", 5, archive.health)

    async def export() -> int:
        count = 0
        async for _ in archive.export(_TENANT, now - _YEAR_MS // 12, now):
            count += 1
            if count == 50_000:
                break
        return count

    began = time.perf_counter()
    count = await export()
    print(f"  export: {count / (time.perf_counter() - began):,.0f} per second")
    rows = [
        row(f"u/{_TENANT}/user-{number % load.users:06}", 10**6 + number, now + number)
        for number in range(40 * _BATCH)
    ]
    for name in ("append", "the same again"):
        began = time.perf_counter()
        for first in range(0, len(rows), _BATCH):
            entries, notifications = zip(*rows[first : first + _BATCH], strict=True)
            await archive.append(entries, notifications)
        print(f"  {name}: {len(rows) / (time.perf_counter() - began):,.0f} per second, 500 at a time")


async def postgresql(load: Load, start: int) -> None:
    """Measure PostgreSQL."""
    print(f"PostgreSQL, {load.rows:,} notifications")
    with running_postgresql(in_memory=False, shared_buffers="1GB", max_wal_size="4GB") as server:
        server.sql("create database bench")
        url = server.url("bench")
        archive = open_archive(url, limit=60)
        assert archive is not None
        await archive.migrate()
        began = time.perf_counter()
        await fill_postgresql(url, load, start)
        print(f"  filled in {time.perf_counter() - began:.0f} s by COPY, indexes included")
        await measure(archive, load, start)
        await archive.close()


async def sqlite(load: Load, start: int) -> None:
    """Measure SQLite."""
    print(f"SQLite, {load.rows:,} notifications")
    home = Path(tempfile.mkdtemp(prefix="tidings-bench-"))
    try:
        archive = open_archive(f"sqlite://{home}/archive.db", limit=60)
        assert archive is not None
        await archive.migrate()
        began = time.perf_counter()
        await fill_sqlite(archive, load, start)
        print(f"  filled in {time.perf_counter() - began:.0f} s")
        await measure(archive, load, start)
        await archive.close()
    finally:
        shutil.rmtree(home)


@app.default
def main(
    *,
    postgresql_rows: Annotated[int, Parameter(help="Notifications in PostgreSQL; 0 skips it.")] = 10_000_000,
    sqlite_rows: Annotated[int, Parameter(help="Notifications in SQLite; 0 skips it.")] = 1_000_000,
) -> int:
    """Fill the archives and measure them. 10,000,000 notifications take 8 GB of disk and some minutes."""
    now = time.time_ns() // 1_000_000
    for rows, run in ((sqlite_rows, sqlite), (postgresql_rows, postgresql)):
        if rows:
            users = max(rows // 500, 10)
            asyncio.run(run(Load(rows, max(rows // 2_200, 100), users), now - _YEAR_MS))
    return 0


if __name__ == "__main__":
    sys.exit(app())
