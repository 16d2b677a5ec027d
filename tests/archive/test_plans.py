"""The plans of statements: searches of indexes, in order, in the months that matter."""

import re
from typing import Any

import pytest

from tests.archive.conftest import opened
from tests.archive.support import DAY, JANUARY, entry, notification
from tests.support.postgresql import Postgresql
from tidings_workers.archive import Archive, LogPart, sqlite, statements
from tidings_workers.archive.encoding import END
from tidings_workers.archive.ids import LAST_ID, first_id
from tidings_workers.archive.postgresql import READS
from tidings_workers.archive.reading import PartReader

NOW = JANUARY + 300 * DAY
LOGS = ["u/acme/ana", "a/acme", *(f"g/acme/team-{number}" for number in range(20))]

# Every statement of which a user waits for the answer, or that runs for each step of a removal.
TEXTS = {
    name: value
    for name, value in vars(statements).items()
    if isinstance(value, str)
    and value.startswith(("select", "delete"))
    and name[0] != "_"
    and name not in {"VERSION", "CONTENT"}
} | {
    f"{name} {newest}": texts[newest]
    for name in ("SENT", "SENT_EDGE", "RECIPIENTS")
    for texts in [getattr(statements, name)]
    for newest in (True, False)
}


@pytest.mark.parametrize("name", sorted([*TEXTS, "READ"]))
async def test_sqlite_searches_an_index(sqlite_url: str, name: str) -> None:
    """No statement reads a whole table or sorts what it found, except for a few rows."""
    archive = opened(sqlite_url)
    await archive.migrate()
    sql = sqlite._text(sqlite._READS[True] if name == "READ" else TEXTS[name])
    count = max(map(int, re.findall(r"\?(\d+)", sql)))
    rows = await archive._database.fetch(f"explain query plan {sql}", *[1] * count)  # type: ignore[attr-defined]
    steps = [row[3] for row in rows]
    await archive.close()
    assert not [step for step in steps if step.startswith("SCAN") and "SCAN n" not in step], steps
    # SENT sorts nothing, though it selects from a part of a list that is in order.
    assert name.startswith("SENT ") or not [step for step in steps if "TEMP B-TREE" in step], steps


@pytest.fixture(params=["new", "analyzed"])
async def filled(request: pytest.FixtureRequest, postgresql: Postgresql, postgresql_url: str) -> Any:
    """Ten months with all logs of a user and those of eighty others.

    The tables have no statistics, or theirs.
    """
    archive = opened(postgresql_url)
    await archive.migrate()
    rows, entries = [], []
    for number in range(10):
        for index, log in enumerate([*LOGS, *(f"u/acme/user-{user}" for user in range(80))]):
            for position in range(10 if index < len(LOGS) else 1):
                one = notification(JANUARY + number * 30 * DAY + position)
                rows.append(one)
                entries.append(entry(one, number * 10 + position + 1, log))
    await archive.append(entries, rows)
    if request.param == "analyzed":
        database = postgresql_url.rpartition("/")[2]
        postgresql.sql("analyze tidings_entries, tidings_notifications", database)
    yield archive
    await archive.close()


def literal(value: object) -> str:
    """A value in the text of a statement; none has a quote."""
    if isinstance(value, list):
        return f"array[{', '.join(map(literal, value))}]"
    return f"'{value}'" if isinstance(value, str) else str(value).lower()


async def plan(archive: Archive, sql: str, types: str, *arguments: object) -> list[str]:
    """The lines of the plan that all arguments share; the statement is executed as the archive does."""

    async def work(connection: Any) -> list[str]:
        await connection.execute(f"prepare one ({types}) as {sql}")
        values = ", ".join(map(literal, arguments))
        rows = await connection.fetch(f"explain (analyze, timing off, summary off) execute one ({values})")
        await connection.execute("deallocate one")
        return [row[0] for row in rows]

    lines: list[str] = await archive._database._pool.run(work)  # type: ignore[attr-defined]
    return lines


async def page_plan(archive: Archive, **fields: Any) -> list[str]:
    """The plan of a page of all logs of a user."""
    parts = [LogPart(log=log, positions=[0, 100], limit=6, **fields) for log in LOGS]
    intervals = [each for part in parts for each in PartReader("acme", part).next_round()]
    columns = list(map(list, zip(*intervals, strict=True)))
    spans = min(each.since for each in intervals), max(each.until for each in intervals)
    numbers = list(range(len(intervals)))
    columns_types = "int4[], text[], int8[], int8[], int8[], text[], text[], int8[], int8[], text[]"
    types = f"text, int8, {columns_types}, int8, int8"
    return await plan(archive, READS[True], types, "acme", NOW, numbers, *columns, *spans)


async def test_a_page_merges_the_months_in_order(filled: Archive) -> None:
    """A page over all months merges index scans: it sorts none, and reads few more than it returns."""
    lines = await page_plan(filled)
    text = "\n".join(lines)
    assert "Merge Append" in text
    assert not [line for line in lines if re.search(r"-> +(Incremental )?Sort|Seq Scan|Bitmap", line)], text
    # Each scan stops early: at the newest end, one of older months gives its first entry only.
    scanned = [line for line in lines if "Backward" in line and "tidings_entries_2026_0" in line]
    assert len(scanned) >= 8
    assert all("actual rows=1 loops=22" in line for line in scanned[:-1]), text


async def test_a_span_of_time_reads_its_months_only(filled: Archive) -> None:
    """With since and until the other months are not searched at all."""
    lines = await page_plan(filled, since=JANUARY + 59 * DAY, until=JANUARY + 65 * DAY)
    text = "\n".join(lines)
    assert "Subplans Removed" in text
    assert set(re.findall(r"on tidings_entries_(\d+_\d+)", text)) == {"2026_03"}


async def test_lists_and_exports_are_in_the_order_of_an_index(filled: Archive) -> None:
    """Lists, exports and steps of the retention are merges of index scans without a sort."""
    low, last, none = first_id(0), LAST_ID, first_id(0)
    sent = "text, uuid, uuid, int8, int8, int8, text, text, bool, int8"
    span = "uuid, int8, int8, int8"
    texts = [
        await plan(
            filled, statements.SENT[True], sent, "acme", low, last, 0, END, 20_000, "", "zz", True, 50
        ),
        await plan(
            filled, statements.EXPORT, f"text, uuid, text, {span}", "acme", none, "", last, 0, END, 500
        ),
        await plan(
            filled, statements.OLDEST_ENTRIES, f"text, uuid, text, {span}", "acme", low, "", last, 0, END, 500
        ),
        await plan(
            filled, statements.OLDEST_NOTIFICATIONS, f"text, uuid, {span}", "acme", low, last, 0, END, 500
        ),
        await plan(filled, statements.ENTRIES_OF_USER, "text, text, int8", "acme", "u/ana", 500),
    ]
    for lines in texts:
        text = "\n".join(lines)
        assert "Merge Append" in text
        assert not [line for line in lines if re.search(r"-> +(Incremental )?Sort|Seq Scan|Bitmap", line)], (
            text
        )
