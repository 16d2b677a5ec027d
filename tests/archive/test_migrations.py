"""Migrations: at the same time, by an older program, and without the rights."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from tests.archive.batches import SIZE, batch
from tests.archive.conftest import new_database, opened
from tests.archive.support import JANUARY, entry, notification
from tests.support.postgresql import Postgresql
from tests.support.tree import ROOT
from tidings_workers.archive import Archive, ArchiveMisconfigured, ArchiveUnavailable, LogPart

MIGRATE = """
import asyncio, sys
from tests.archive.batches import batch
from tidings_workers.archive import open_archive

async def run():
    archive = open_archive(sys.argv[1])
    print(flush=True)
    sys.stdin.readline()
    print(await archive.migrate())
    await archive.append(*batch(0))
    await archive.close()

asyncio.run(run())
"""


def migrated_at_once(url: str) -> list[str]:
    """The outputs of two processes that migrate at the same moment, and append the same rows."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATE, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return [process.communicate(timeout=60)[0].strip() for process in processes]


async def test_several_processes_migrate_at_once(url: str) -> None:
    """Each of two processes that begin together has the tables afterwards, and can append."""
    assert await asyncio.to_thread(migrated_at_once, url) == ["1", "1"]
    archive = opened(url)
    assert await archive.migrate() == 1
    (items,) = await archive.read("acme", [LogPart(log="u/acme/ana", positions=[0, 99], limit=99)], JANUARY)
    assert len(items) == SIZE
    await archive.close()


async def test_many_connections_migrate_at_once(url: str) -> None:
    """Each of ten archives that begin together has the tables afterwards."""
    archives = [opened(url) for _ in range(10)]
    assert await asyncio.gather(*(each.migrate() for each in archives)) == [1] * 10
    assert await asyncio.gather(*(each.tenants() for each in archives)) == [[]] * 10
    for each in archives:
        await each.close()


async def set_version(url: str, version: int) -> None:
    """Set the version of the tables behind the archive's back."""
    statement = f"update tidings_archive set version = {version}"
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite://")) as file:
            file.execute(statement)
        file.close()
    else:
        connection = await asyncpg.connect(url)
        await connection.execute(statement)
        await connection.close()


async def test_a_newer_version_is_refused(archive: Archive, url: str) -> None:
    """A program that is older than the tables touches nothing, and says which versions there are."""
    await set_version(url, 7)
    older = opened(url)
    for call in (older.migrate(), older.tenants(), older.append([], [notification(JANUARY)])):
        with pytest.raises(ArchiveMisconfigured, match=r"has version 7 .* knows 1 at most: run the newer"):
            await call
    await older.close()


async def test_before_the_migration_the_archive_is_unavailable(url: str) -> None:
    """A reader that starts first gets an error that heals, and works after the migration."""
    reader, archiver = opened(url), opened(url)
    with pytest.raises(ArchiveUnavailable, match="tidings-server archiver"):
        await reader.tenants()
    await archiver.migrate()
    assert await reader.tenants() == []
    await set_version(url, 0)
    other = opened(url)
    with pytest.raises(ArchiveUnavailable, match=r"has version 0 .* needs 1"):
        await other.tenants()
    for each in (reader, archiver, other):
        await each.close()


async def test_missing_rights_are_named(postgresql: Postgresql) -> None:
    """A user without rights gets the statement that grants them."""
    url = new_database(postgresql)
    name = url.rpartition("/")[2]
    user = f"reader_{name}"
    postgresql.sql(f"create role {user} login")
    weak = opened(postgresql.url(name, user=user))
    with pytest.raises(ArchiveMisconfigured, match=f"grant usage, create on the schema to {user}"):
        await weak.migrate()
    owner = opened(url)
    await owner.migrate()
    with pytest.raises(ArchiveMisconfigured, match=f"grant select, insert, update, delete .* to {user}"):
        await weak.tenants()
    postgresql.sql(f"grant select on all tables in schema public to {user}", name)
    assert await weak.tenants() == []
    await weak.close()
    await owner.close()


async def test_a_file_keeps_what_others_have_in_it(sqlite_url: str) -> None:
    """The tables of the archive begin with `tidings_`, and leave other tables alone."""
    path = Path(sqlite_url.removeprefix("sqlite://"))
    with sqlite3.connect(path) as file:
        file.execute("create table entries (a)")
    file.close()
    archive = opened(sqlite_url)
    assert await archive.migrate() == 1
    await archive.close()
    with sqlite3.connect(path) as file:
        names = [name for (name,) in file.execute("select name from sqlite_master where type = 'table'")]
    file.close()
    assert all(name.startswith("tidings_") for name in names if name != "entries")


async def test_a_new_file_is_for_its_owner_alone(sqlite_url: str) -> None:
    """No other user of the machine may read the file, or the files that SQLite makes beside it."""
    archive = opened(sqlite_url)
    await archive.migrate()
    await archive.append(*batch(0))
    path = Path(sqlite_url.removeprefix("sqlite://"))
    assert {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == dict.fromkeys(
        ["archive.db", "archive.db-wal", "archive.db-shm"], 0o600
    )
    await archive.close()


async def test_behind_a_pooler_every_call_sets_what_it_needs(postgresql_url: str) -> None:
    """With `statement_cache_size=0` all calls work without settings of the session."""
    archive = opened(f"{postgresql_url}?statement_cache_size=0")
    other = opened(postgresql_url)
    assert await archive.migrate() == 1
    for position in range(1, 4):
        sent = notification(JANUARY)
        await archive.append([entry(sent, position)], [sent])
        assert await other.drop_months(JANUARY + 100 * 86_400_000)
    (items,) = await archive.read("acme", [LogPart(log="u/acme/ana", positions=[0, 9], limit=9)], JANUARY)
    assert items == []
    setting = await archive._database.fetch("show enable_sort")  # type: ignore[attr-defined]
    assert setting[0][0] == "off"
    assert await archive.drop_months(0)
    await archive.close()
    await other.close()
