"""The database away, slow, locked, full, damaged: clear errors within the limit, and work afterwards."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.archive.conftest import new_database, opened
from tests.archive.support import JANUARY, entry, notification
from tests.support.postgresql import Postgresql
from tests.support.tree import ROOT
from tidings_workers.archive import Archive, ArchiveMisconfigured, ArchiveUnavailable, LogPart

LIMIT = 1.0
# The limit, and what a busy machine adds.
SOON = 4.0


@pytest.fixture
async def limited(url: str) -> AsyncIterator[Archive]:
    """An archive of each kind with a limit of one second and one entry."""
    archive = opened(url, limit=LIMIT)
    await archive.migrate()
    await append(archive, 1)
    yield archive
    await archive.close()


async def append(archive: Archive, position: int) -> None:
    """Store one entry."""
    sent = notification(JANUARY + position)
    await archive.append([entry(sent, position)], [sent])


async def positions(archive: Archive) -> list[int]:
    """The positions of the log of `ana`."""
    (items,) = await archive.read("acme", [LogPart(log="u/acme/ana", positions=[0, 99], limit=99)], JANUARY)
    return [item.entry.position for item in items]


@contextlib.contextmanager
def soon() -> Iterator[None]:
    """The block takes no longer than the limit, and what a busy machine adds."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SOON


async def test_a_server_that_restarts(own_postgresql: Postgresql) -> None:
    """Without its server the archive is unavailable at once, and after the restart all connections work."""
    archive = opened(new_database(own_postgresql), limit=LIMIT)
    await archive.migrate()
    await asyncio.gather(*(append(archive, number) for number in range(1, 9)))
    own_postgresql.stop()
    with soon(), pytest.raises(ArchiveUnavailable, match="does not answer"):
        await positions(archive)
    with soon():
        health = await archive.health()
    assert (health.reachable, "does not answer" in health.fault) == (False, True)
    own_postgresql.start()
    found = await asyncio.gather(*(positions(archive) for _ in range(8)))
    assert found == [[8, 7, 6, 5, 4, 3, 2, 1]] * 8
    # The connections are idle when the server goes away and returns.
    own_postgresql.stop()
    own_postgresql.start()
    await append(archive, 9)
    assert len(await positions(archive)) == 9
    await archive.close()


async def test_a_server_that_does_not_answer(own_postgresql: Postgresql) -> None:
    """A stopped server costs a call no more than the limit; after it goes on, the archive works."""
    archive = opened(new_database(own_postgresql), limit=LIMIT)
    await archive.migrate()
    await append(archive, 1)
    own_postgresql.pause()
    try:
        for _ in range(2):
            with soon(), pytest.raises(ArchiveUnavailable, match="does not answer within 1 s"):
                await positions(archive)
    finally:
        own_postgresql.resume()
    assert await positions(archive) == [1]
    await archive.close()


async def test_a_slow_server_ends_the_statement(postgresql_url: str) -> None:
    """A call that waits for a lock fails within the limit, and the server does not keep its statement."""
    archive = opened(postgresql_url, limit=LIMIT)
    await archive.migrate()
    holder = await asyncpg.connect(postgresql_url)
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute("lock table tidings_entries in access exclusive mode")
    with soon(), pytest.raises(ArchiveUnavailable):
        await positions(archive)
    query = (
        "select count(*) from pg_stat_activity where application_name = 'tidings-archive' "
        "and state = 'active' and datname = current_database()"
    )
    async with asyncio.timeout(SOON):
        while await holder.fetchval(query):
            await holder.execute("select pg_sleep(0.02)")
    await transaction.rollback()
    await holder.close()
    assert await positions(archive) == []
    await archive.close()


async def test_the_removal_of_a_month_waits_for_no_reader(postgresql_url: str) -> None:
    """While a reader holds a month, its removal is put off, and appends go on."""
    archive = opened(postgresql_url, limit=5)
    await archive.migrate()
    await append(archive, 1)
    reader = await asyncpg.connect(postgresql_url)
    transaction = reader.transaction()
    await transaction.start()
    await reader.fetch("select * from tidings_entries")
    with soon():
        assert not await archive.drop_months(JANUARY + 100 * 86_400_000)
        await append(archive, 2)
    await transaction.rollback()
    await reader.close()
    assert await archive.drop_months(JANUARY + 100 * 86_400_000)
    assert await positions(archive) == []
    await archive.close()


async def test_two_archives_share_months(postgresql_url: str) -> None:
    """An archive that has seen a month which another one dropped makes it again."""
    first, second = opened(postgresql_url), opened(postgresql_url)
    await first.migrate()
    for number in range(1, 4):
        await append(first, number)
        assert await second.drop_months(JANUARY + 100 * 86_400_000)
    await asyncio.gather(*(append(each, 7 + n) for n, each in enumerate((first, second))))
    assert await positions(first) == [8, 7]
    await first.close()
    await second.close()


async def test_a_cancelled_call_leaves_the_archive_usable(limited: Archive) -> None:
    """A caller that gives up in the middle of a call disturbs no other one."""
    for _ in range(20):
        tasks = [asyncio.create_task(positions(limited)) for _ in range(5)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        for found in await asyncio.gather(*tasks, return_exceptions=True):
            assert found == [1] or isinstance(found, asyncio.CancelledError)
    assert await positions(limited) == [1]


async def test_closing_ends_running_calls(url: str) -> None:
    """After `close` no call waits: each has its result or an error of the archive."""
    archive = opened(url, limit=30)
    await archive.migrate()
    calls = [asyncio.create_task(append(archive, number)) for number in range(1, 6)]
    await asyncio.sleep(0)
    with soon():
        await archive.close()
        for found in await asyncio.gather(*calls, return_exceptions=True):
            assert found is None or isinstance(found, ArchiveUnavailable), found


async def test_a_closed_archive_says_so(limited: Archive) -> None:
    """A call after `close` is an error of the archive, and a second `close` does nothing."""
    await limited.close()
    await limited.close()
    with pytest.raises(ArchiveUnavailable, match="is closed: open it again"):
        await positions(limited)


@contextlib.contextmanager
def locking(path: Path) -> Iterator[None]:
    """Another process holds the lock for writing."""
    program = (
        "import sqlite3, sys; file = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "file.execute('begin immediate'); print(flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield
    finally:
        process.communicate()


async def test_a_locked_file(sqlite_url: str) -> None:
    """A writer waits for another process within the limit, readers do not wait, and then it writes."""
    archive = opened(sqlite_url, limit=LIMIT)
    await archive.migrate()
    await append(archive, 1)
    with locking(Path(sqlite_url.removeprefix("sqlite://"))):
        with soon(), pytest.raises(ArchiveUnavailable, match=r"is locked by another process|does not answer"):
            await append(archive, 2)
        assert await positions(archive) == [1]
        reader = opened(sqlite_url, limit=LIMIT)
        assert await positions(reader) == [1]
        await reader.close()
    await append(archive, 2)
    assert await positions(archive) == [2, 1]
    await archive.close()


async def test_a_slow_statement_is_interrupted(sqlite_url: str) -> None:
    """A statement over the limit is ended, and those behind it run."""
    archive = opened(sqlite_url, limit=LIMIT)
    await archive.migrate()
    endless = "with recursive n (i) as (select 1 union all select i + 1 from n) select count(*) from n"
    with soon(), pytest.raises(ArchiveUnavailable, match="does not answer within 1 s"):
        await archive._database.fetch(endless)  # type: ignore[attr-defined]
    with soon():
        assert await archive.tenants() == []
    await archive.close()


async def test_a_full_disk(sqlite_url: str) -> None:
    """An append without space is refused as a whole, the stored rows can be read, and more space is used."""
    archive = opened(sqlite_url)
    await archive.migrate()
    await append(archive, 1)
    thread = archive._database._thread  # type: ignore[attr-defined]

    def limit(pages: int) -> None:
        """Set the most pages of the connection: the next one that opens has no limit."""
        thread._connection.execute(f"pragma max_page_count = {pages}")

    limit(1)
    big = notification(JANUARY + 2, content=os.urandom(1 << 20))
    with pytest.raises(ArchiveUnavailable, match="can't grow: make space"):
        await archive.append([entry(big, 2)], [big])
    assert await positions(archive) == [1]
    await archive.append([entry(big, 2)], [big])
    assert await positions(archive) == [2, 1]
    await archive.close()


def overwrite(path: Path, content: bytes | None) -> None:
    """Replace the content of a file. None: all pages but the first one are lost."""
    if content is None:
        whole = path.read_bytes()
        content = whole[:4096] + bytes(len(whole) - 4096)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"not a database" * 500, "is not a SQLite database"), (None, "is damaged")],
    ids=["another file", "damaged"],
)
async def test_a_file_that_is_no_archive(sqlite_url: str, content: bytes | None, expected: str) -> None:
    """The error names the file, and a backup or a new archive as the cure."""
    path = Path(sqlite_url.removeprefix("sqlite://"))
    archive = opened(sqlite_url)
    if content is None:
        await archive.migrate()
        for number in range(1, 40):
            await append(archive, number)
        await archive.close()
        archive = opened(sqlite_url)
    overwrite(path, content)

    async def use() -> None:
        await archive.migrate()
        await positions(archive)

    with pytest.raises(ArchiveMisconfigured, match=f"{path} {expected}: restore it from a backup"):
        await use()
    await archive.close()


async def test_a_path_without_a_file(tmp_path: Path) -> None:
    """A missing directory is a fault of the configuration; a directory in place of the file, too."""
    for url, expected in [
        (f"sqlite://{tmp_path}/missing/archive.db", "the directory .* does not exist: create it"),
        (f"sqlite://{tmp_path}", "is a directory: name a file"),
    ]:
        archive = opened(url)
        with pytest.raises(ArchiveMisconfigured, match=expected):
            await archive.migrate()
        await archive.close()


READ_ONLY = """
import asyncio, sys
from tests.archive.batches import batch
from tidings_workers.archive import ArchiveMisconfigured, open_archive

async def run():
    archive = open_archive(sys.argv[1])
    try:
        print(await archive.tenants())
        await archive.append(*batch(0))
    except ArchiveMisconfigured as error:
        print(error)
    await archive.close()

asyncio.run(run())
"""


async def test_a_file_that_may_only_be_read(sqlite_url: str) -> None:
    """A process without the right to write gets an error that names the file and the right."""
    path = Path(sqlite_url.removeprefix("sqlite://"))
    archive = opened(sqlite_url)
    await archive.migrate()
    await append(archive, 1)
    await archive.close()
    await asyncio.to_thread(path.chmod, 0o444)
    command = [sys.executable, "-c", READ_ONLY, sqlite_url]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv is missing: root may write every file")
        # Without this capability the rights of the file count for root, too.
        command = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override", *command]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, cwd=ROOT)
    output = (await process.communicate())[0].decode()
    assert f"{path} can't be written: give this user the right to write" in output


async def test_a_file_is_given_back_in_parts(sqlite_url: str) -> None:
    """After an erasure the file shrinks, a bounded number of pages per call."""
    path = Path(sqlite_url.removeprefix("sqlite://"))
    archive = opened(sqlite_url)
    await archive.migrate()
    sent = [notification(JANUARY + number, content=os.urandom(100_000)) for number in range(200)]
    await archive.append([], sent)
    while not await archive.erase_tenant("acme"):
        pass
    calls = 1
    while not await archive.drop_months(0):
        calls += 1
    assert 1 < calls < 10
    assert (await archive.health()).size < 200_000
    with sqlite3.connect(path) as file:
        assert file.execute("pragma integrity_check").fetchone() == ("ok",)
    file.close()
    await archive.close()


async def test_an_erased_content_is_not_left_in_the_file(sqlite_url: str) -> None:
    """After an erasure and the next clean-up neither the file nor its log of writes has the content."""
    path = Path(sqlite_url.removeprefix("sqlite://"))
    archive = opened(sqlite_url)
    await archive.migrate()
    secrets = [b"secret-%d-%s" % (number, os.urandom(8).hex().encode() * 20) for number in range(50)]
    sent = [notification(JANUARY + number, content=secrets[number]) for number in range(50)]
    await archive.append([entry(each, number + 1) for number, each in enumerate(sent)], sent)
    while not await archive.erase_user("acme", "ana", 7):
        pass
    assert await archive.drop_months(0)
    assert not [each for each in written(path) if b"secret-" in each]
    await archive.close()


def written(path: Path) -> list[bytes]:
    """The files of a database."""
    return [each.read_bytes() for each in path.parent.glob(f"{path.name}*")]
