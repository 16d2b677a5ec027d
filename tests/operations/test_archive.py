"""The archive as an operator runs it: the archiver, `tidings-server archive`, and `doctor`."""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import structs

from tests.archive.conftest import opened
from tests.archive.support import JANUARY, entry, notification, segment
from tests.docs.documents import elsewhere
from tests.operations.support import eventually, tidings_server
from tests.support.no_tls import NO_TLS
from tests.support.ports import free_port
from tests.support.postgresql import Postgresql
from tests.support.stack import Stack, clean_environment, running_stack
from tests.support.tree import ROOT
from tests.support.valkey import wait_until
from tidings_api.cli.archive_diagnosis import archive_findings
from tidings_api.cli.findings import Finding
from tidings_api.cli.store_diagnosis import examine_store
from tidings_workers.archive import Archive
from tidings_workers.config import Settings
from tidings_workers.registry import Registry
from tidings_workers.store import Store
from tidings_workers.store.ids import new_id
from tidings_workers.store.keys import ARCHIVERS, archivable, archived, partition_of

PASSWORD = "s3cret"
HOUR = 3_600_000


@pytest.mark.parametrize(
    ("words", "url", "code", "says"),
    [
        (("archiver",), "", 78, "TIDINGS_ARCHIVE_URL is not set: name a database"),
        (("archiver",), "none", 78, "TIDINGS_ARCHIVE_URL is not set: name a database"),
        (
            ("archiver",),
            f"mysql://ana:{PASSWORD}@host/db",
            78,
            "TIDINGS_ARCHIVE_URL can't be used: the archive",
        ),
        (("api",), f"postgresql://ana:{PASSWORD}/x@host/db", 78, "encode special characters"),
        (("config",), "history.db", 78, "sqlite:///absolute/path"),
        (("archive", "status"), "sqlite://history.db", 78, "by its absolute path"),
        (("archive", "migrate"), "", 78, "TIDINGS_ARCHIVE_URL is not set"),
        (
            ("archive", "migrate"),
            "sqlite:////proc/history.db",
            78,
            "give this user the right to write to /proc",
        ),
        (
            ("archive", "migrate"),
            "sqlite:////nowhere/history.db",
            78,
            "/nowhere of the archive does not exist",
        ),
        (("archive", "copy", "sqlite:////a.db"), "", 78, "TIDINGS_ARCHIVE_URL is not set"),
        (("archive", "copy", "sqlite:////a.db", "none"), "", 2, "name two archives"),
        (("archive", "copy", "sqlite:////a.db", "sqlite:////a.db"), "", 2, "is both archives"),
        (
            ("archive", "copy", "sqlite:////a.db", "sqlite:////b.db", "--after", "x"),
            "",
            2,
            "shop/1764500000000",
        ),
        (("archive", "copy", "sqlite:////nowhere/a.db", "sqlite:////tmp/b.db"), "", 1, "/nowhere"),
        (("archive", "copy", "a", "b", f"postgresql://ana:{PASSWORD}@host/db"), "", 2, "too many arguments"),
    ],
)
def test_a_mistake_is_one_clear_line(
    tmp_path: Path, words: tuple[str, ...], url: str, code: int, says: str
) -> None:
    """Each mistake gives its exit code and one line with the cure, which has no password."""
    environment = {"REDIS_URL": "unix:///nowhere/s", "TIDINGS_ARCHIVE_URL": url}
    ended = tidings_server(*words, cwd=tmp_path, environment=environment)
    assert ended.returncode == code, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert says in line
    assert PASSWORD not in line
    assert ended.stdout == ""


def test_the_extra_is_named_where_it_is_missing(tmp_path: Path) -> None:
    """Without asyncpg every part refuses an archive in PostgreSQL, and names the command that installs it."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['asyncpg'] = None\n")
    environment = {
        "REDIS_URL": "unix:///nowhere/s",
        "TIDINGS_ARCHIVE_URL": f"postgresql://ana:{PASSWORD}@host/db",
        "PYTHONPATH": str(tmp_path),
    }
    for part in ("archiver", "dispatcher"):
        ended = tidings_server(part, cwd=tmp_path, environment=environment)
        assert ended.returncode == 78
        (line,) = ended.stderr.splitlines()
        assert "pip install 'tidings-server[postgres]'" in line
        assert PASSWORD not in line


def newer(path: Path) -> None:
    """Make an archive of a version that this program does not know."""
    assert tidings_server(
        "archive", "migrate", cwd=path.parent, environment={"TIDINGS_ARCHIVE_URL": f"sqlite://{path}"}
    ).stdout.endswith("has version 1\n")
    with sqlite3.connect(path) as connection:
        connection.execute("update tidings_archive set version = 99")
    connection.close()


def noise(path: Path) -> None:
    """Write a file that is no database."""
    path.write_bytes(os.urandom(20_000))


@pytest.mark.parametrize(
    ("spoil", "says"), [(newer, "has version 99 of the archive"), (noise, "is not a SQLite database")]
)
def test_an_archiver_whose_archive_is_broken_exits(
    tmp_path: Path, redis_url: str, spoil: Callable[[Path], None], says: str
) -> None:
    """An archiver that an operator has to help exits with 78 and one line, and doctor says the same."""
    spoil(tmp_path / "history.db")
    environment = {
        "REDIS_URL": redis_url,
        "TIDINGS_ARCHIVE_URL": f"sqlite://{tmp_path}/history.db",
        "TIDINGS_OPERATOR_PORT": str(free_port()),
        "TIDINGS_LOG_LEVEL": "error",
    }
    ended = tidings_server("archiver", cwd=tmp_path, environment=environment)
    assert ended.returncode == 78
    (line,) = ended.stderr.splitlines()
    assert says in line
    examined = tidings_server("doctor", "--no-ports", "--json", cwd=tmp_path, environment=environment)
    found = {each["check"]: each for each in json.loads(examined.stdout)["findings"]}
    assert found["archive"]["level"] == "wrong"
    assert f"{found['archive']['detail']}: {found['archive']['cure']}" in line
    shown = tidings_server("archive", "status", cwd=tmp_path, environment=environment)
    assert shown.returncode == 1
    assert says in shown.stdout


async def test_an_archiver_waits_for_a_server_that_is_away(tmp_path: Path, redis_url: str) -> None:
    """It is ready, logs one line without the password, which its command line has not either, and exits 0."""
    operator = free_port()
    environment = clean_environment(
        REDIS_URL=redis_url,
        TIDINGS_ARCHIVE_URL=f"postgresql://ana:{PASSWORD}@127.0.0.1:{free_port()}/db",
        TIDINGS_OPERATOR_PORT=str(operator),
    )
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tidings_api.cli", "archiver"),
            env=environment,
            cwd=tmp_path,
            stderr=output,
        )
    try:
        await eventually(lambda: "waiting for the archive" in log.read_text(), "the line", 20)
        await eventually(lambda: is_ready(operator), "readiness")
        assert PASSWORD not in command_line(process.pid)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert PASSWORD not in log.read_text()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (waiting,) = (line for line in lines if line["event"].startswith("waiting for the archive"))
    assert "does not answer" in waiting["reason"]


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def is_ready(operator: int) -> bool:
    url = f"http://127.0.0.1:{operator}/health/ready"
    try:
        return httpx.get(url, trust_env=False, verify=NO_TLS).is_success
    except httpx.HTTPError:
        return False


def test_no_command_shows_the_password(tmp_path: Path, redis_url: str) -> None:
    """`config`, `doctor` and `archive status` hide the password of an archive that is away."""
    environment = {
        "REDIS_URL": redis_url,
        "TIDINGS_ARCHIVE_URL": f"postgresql://ana:{PASSWORD}@127.0.0.1:{free_port()}/db?password={PASSWORD}",
    }
    for words in (("config",), ("doctor", "--no-ports"), ("archive", "status"), ("archive", "migrate")):
        ended = tidings_server(*words, cwd=tmp_path, environment=environment)
        assert PASSWORD not in ended.stdout + ended.stderr
        assert "127.0.0.1" in ended.stdout + ended.stderr


async def test_a_dev_with_a_broken_archive_serves_what_is_live(short_directory: Path, tmp_path: Path) -> None:
    """It starts, names the fault once, lists say `unavailable`, and a file that is moved away heals it."""
    with running_stack(tmp_path) as stack:
        user = next(f"u{n}" for n in range(10_000) if partition_of("demo", f"u{n}", 16) == NEWS)
        update(stack, "--topic-retention", "1")
        send(stack, {"topics": ["news"]})
        wait_until(lambda: "history.db answers" in status(stack) and entries(stack) == 1, "the move", 20)
        stack.terminate()
        (stack.data / "history.db").write_bytes(os.urandom(20_000))
        stack.start()
        send(stack, {"users": [user]})
        send(stack, {"topics": ["news"]})
        page = listed(stack, user)
        assert (len(page["items"]), page["history"]) == (1, "unavailable")
        said = [line for line in stack.log.read_text().splitlines() if "is not a SQLite database" in line]
        assert len([line for line in said if '"archiver"' in line]) == 1
        assert "waiting for the archive: its entries wait in the store" in said[0]
        (stack.data / "history.db").rename(tmp_path / "damaged.db")
        wait_until(lambda: entries(stack) == 1, "the repair", 20)
        page = listed(stack, user)
        assert (len(page["items"]), "history" in page) == (1, False)


NEWS = partition_of("demo", "news", 16)


def update(stack: Stack, *options: str) -> None:
    ended = tidings_server("tenants", "update", "demo", *options, "--data", str(stack.data), cwd=stack.home)
    assert ended.returncode == 0, ended.stderr


def send(stack: Stack, target: dict[str, list[str]]) -> None:
    answer = httpx.post(
        f"{stack.api}/v1/notifications",
        headers={"Authorization": f"Bearer {stack.token('tests', 'send')}"},
        json={"to": target, "title": "Hello"},
        trust_env=False,
        verify=NO_TLS,
    )
    assert answer.status_code == 202, answer.text


def listed(stack: Stack, user: str) -> dict[str, Any]:
    page: dict[str, Any] = httpx.get(
        f"{stack.api}/v1/me/notifications",
        headers={"Authorization": f"Bearer {stack.token(user)}"},
        trust_env=False,
        verify=NO_TLS,
    ).json()
    return page


def status(stack: Stack) -> str:
    return tidings_server("archive", "status", "--data", str(stack.data), cwd=stack.home).stdout


def entries(stack: Stack) -> int:
    ended = tidings_server("archive", "status", "--json", "--data", str(stack.data), cwd=stack.home)
    rows: int = json.loads(ended.stdout)["rows"]
    return rows


async def fill(archive: Archive) -> None:
    """Two tenants with notifications, entries and states."""
    await archive.migrate()
    for tenant in ("acme", "shop"):
        sent = [notification(JANUARY + number * HOUR, tenant=tenant) for number in range(30)]
        await archive.append(
            [entry(each, number + 1, f"u/{tenant}/ana") for number, each in enumerate(sent)], sent
        )
        await archive.save_states([segment(0, 5, tenant=tenant, log=f"a/{tenant}")])


async def exported(archive: Archive) -> list[object]:
    return [item for tenant in await archive.tenants() async for item in archive.export(tenant)]


async def test_a_file_moves_into_postgresql(tmp_path: Path, postgresql_url: str) -> None:
    """`archive copy` makes the tables, copies everything, may be repeated, and goes on after a point."""
    url = f"sqlite://{tmp_path}/history.db"
    source, target = opened(url), opened(postgresql_url)
    await fill(source)

    def copied(*words: str) -> subprocess.CompletedProcess[str]:
        return tidings_server("archive", "copy", url, postgresql_url, *words, cwd=tmp_path)

    first = await asyncio.to_thread(copied, "--json")
    assert first.returncode == 0, first.stderr
    counts = {"notifications": 60, "entries": 60, "segments": 2}
    answer = json.loads(first.stdout)
    assert {name: answer[name] for name in counts} == counts
    assert await exported(target) == await exported(source)
    again = await asyncio.to_thread(copied, "--after", f"shop/{JANUARY + 29 * HOUR}", "--json")
    assert json.loads(again.stdout)["notifications"] == 1
    assert await exported(target) == await exported(source)
    environment = {"REDIS_URL": "unix:///nowhere/s", "TIDINGS_ARCHIVE_URL": url}
    back = await asyncio.to_thread(
        tidings_server, "archive", "copy", postgresql_url, cwd=tmp_path, environment=environment
    )
    assert back.stdout.startswith("copied 60 notifications, 60 entries and 2 states of postgresql://")
    await source.close()
    await target.close()


@asynccontextmanager
async def waiting_copy(here: Path, server: Postgresql, url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A copy from a file, which waits for a lock of the target after the entries of the first tenant."""
    source, target = opened(f"sqlite://{here}/history.db"), opened(url)
    await fill(source)
    await target.migrate()
    await source.close()
    await target.close()
    database = url.rpartition("/")[2]
    lock = await asyncio.create_subprocess_exec(
        *("psql", "-XAtq", url), stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert lock.stdin is not None
    lock.stdin.write(b"begin; lock table tidings_segments in exclusive mode;\n")
    await eventually(lambda: held(server, database), "the lock")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tidings_api.cli", "archive", "copy", f"sqlite://{here}/history.db", url),
        env=clean_environment(),
        cwd=here,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await eventually(lambda: waits(server, database), "the copy", 20)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        lock.stdin.close()
        await lock.wait()


async def test_a_copy_says_how_to_go_on(tmp_path: Path, postgresql: Postgresql, postgresql_url: str) -> None:
    """An interrupted copy exits with 130, and its last line has the option that continues it."""
    async with waiting_copy(tmp_path, postgresql, postgresql_url) as process:
        process.send_signal(signal.SIGINT)
        _, said = await process.communicate()
        assert process.returncode == 130
    assert f"--after acme/{JANUARY + 29 * HOUR}" in said.decode().splitlines()[-1]


async def test_a_copy_goes_on_after_a_restart_of_the_target(
    tmp_path: Path, own_postgresql: Postgresql
) -> None:
    """A target that stops during a copy and starts again has everything at the end."""
    own_postgresql.sql("create database target")
    url = own_postgresql.url("target")
    async with waiting_copy(tmp_path, own_postgresql, url) as process:
        await asyncio.to_thread(own_postgresql.stop)
        await asyncio.to_thread(own_postgresql.start)
        async with asyncio.timeout(30):
            _, said = await process.communicate()
        assert process.returncode == 0, said.decode()
    source, target = opened(f"sqlite://{tmp_path}/history.db"), opened(url)
    assert await exported(target) == await exported(source)
    assert len([each async for each in target.segments("acme")]) == 1
    await source.close()
    await target.close()


def held(server: Postgresql, database: str) -> bool:
    return (
        server.sql(
            "select count(*) from pg_locks where mode = 'ExclusiveLock' and relation = "
            "'tidings_segments'::regclass",
            database,
        )
        == "1"
    )


def waits(server: Postgresql, database: str) -> bool:
    return server.sql("select count(*) from pg_locks where not granted", database) == "1"


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="sqlite3 is not installed")
async def test_backups_can_be_restored(tmp_path: Path, postgresql_url: str) -> None:
    """The documented commands back up both archives while they are open, and restore what they had."""
    (tmp_path / "backup").mkdir()
    back_up, restore = elsewhere(ROOT / "docs" / "operations.md", "tests/operations/test_archive.py")
    urls = f"sqlite://{tmp_path}/history.db", postgresql_url
    archives = [opened(url) for url in urls]
    for archive in archives:
        await fill(archive)
    before = [await exported(archive) for archive in archives]
    await typed(tmp_path, back_up, postgresql_url)
    for archive in archives:
        while not await archive.erase_tenant("acme"):
            pass
        assert len(await exported(archive)) == 30
        await archive.close()
    await typed(tmp_path, restore, postgresql_url)
    archives = [opened(url) for url in urls]
    for archive in archives:
        await archive.migrate()
    assert [await exported(archive) for archive in archives] == before
    # They take new rows, too.
    for archive in archives:
        more = notification(JANUARY + 100 * HOUR)
        await archive.append([entry(more, 31)], [more])
        assert len(await exported(archive)) == 61
        await archive.close()


async def typed(here: Path, lines: str, postgresql_url: str) -> None:
    """Run documented commands with the places of a test."""
    for there, place in {
        "/var/lib/tidings": str(here),
        "/backup": str(here / "backup"),
        "postgresql://tidings@host/tidings": postgresql_url,
        "$(date +%F)": "today",
        "2026-11-30": "today",
    }.items():
        lines = lines.replace(there, place)
    process = await asyncio.create_subprocess_exec("bash", "-euc", lines, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()


@asynccontextmanager
async def a_store(redis_url: str, archive_url: str | None) -> AsyncIterator[tuple[Store, Settings]]:
    """A store with the tenant `demo`, and settings that name an archive."""
    settings = structs.replace(Settings.from_environment({}), redis_url=redis_url, archive_url=archive_url)
    store = await Store.open(settings, name="test")
    try:
        await Registry(store.redis).create_tenant("demo", retention_days=7)
        yield store, settings
    finally:
        await store.close()


async def plant(store: Store, size: int, age: int) -> None:
    """A log of `ana` that waits with so many bytes, whose first entry was accepted `age` ms ago."""
    log = store.keys.user("demo", "ana")
    accepted = int(time.time() * 1000) - age
    content = json.dumps({"id": new_id(accepted, log.partition)}, separators=(",", ":"))
    await store.redis.xadd(log.key("log"), {"n": content}, id="1-0")
    await store.redis.zadd(archivable(log.partition), {log.base: size})


async def findings(settings: Settings) -> dict[str, Finding]:
    """The findings of doctor about the archive; each finding that is not ok has a cure."""
    report = await examine_store(settings, embedded=False)
    found = [*report.findings, *await archive_findings(settings)]
    assert all(each.cure for each in found if each.level != "ok")
    return {each.check: each for each in found if each.check.startswith("archive")}


async def test_doctor_names_what_waits(redis_url: str, tmp_path: Path) -> None:
    """It says how much waits, how long the oldest entry has been too old, and that no archiver works."""
    async with a_store(redis_url, f"sqlite://{tmp_path}/history.db") as (store, settings):
        found = await findings(settings)
        assert {check: each.level for check, each in found.items()} == {
            "archiver": "wrong",
            "archive backlog": "ok",
            "archive": "warning",
        }
        assert "does not exist yet" in found["archive"].detail
        archive = opened(settings.archive_url or "")
        await archive.migrate()
        await archive.close()
        await store.redis.zadd(ARCHIVERS, {"a1": time.time() * 1000})
        await plant(store, 1_000, 7 * 24 * HOUR + HOUR)
        found = await findings(settings)
        assert {each.level for each in found.values()} == {"ok"}
        assert found["archiver"].detail == "1 at work"
        assert "1 logs wait for the archive, with about 1.0 KB" in found["archive backlog"].detail
        assert "the oldest entry for 60 min" in found["archive backlog"].detail
        # An entry of another age, another amount, and an archiver that has stopped.
        await store.redis.delete(store.keys.user("demo", "ana").key("log"))
        await plant(store, 1_000, 7 * 24 * HOUR + 3 * HOUR)
        found = await findings(settings)
        assert found["archive backlog"].level == "warning"
        assert "the oldest entry for 3 h" in found["archive backlog"].detail
        await plant_size(store, settings.archive_backlog_bytes)
        found = await findings(settings)
        assert found["archive backlog"].level == "wrong"
        assert "removed without a copy" in found["archive backlog"].detail
        await store.redis.zadd(ARCHIVERS, {"a1": time.time() * 1000 - 60_000})
        assert (await findings(settings))["archiver"].level == "wrong"
        await store.redis.hset(archived(3, "demo"), "uncopied", str(JANUARY))
        found = await findings(settings)
        assert found["archive copies"].level == "warning"
        assert (
            "entries of demo were removed without a copy, last on 2026-01-01"
            in found["archive copies"].detail
        )


async def plant_size(store: Store, size: int) -> None:
    log = store.keys.user("demo", "ana")
    await store.redis.zadd(archivable(log.partition), {log.base: size})


async def test_doctor_names_a_part_without_the_archive_of_the_others(redis_url: str) -> None:
    """Where archivers work, settings without an archive are a warning; elsewhere they are no finding."""
    async with a_store(redis_url, None) as (store, settings):
        assert await findings(settings) == {}
        await store.redis.zadd(ARCHIVERS, {"a1": time.time() * 1000})
        found = await findings(settings)
        assert found["archive"].level == "warning"
        assert "TIDINGS_ARCHIVE_URL is not set here" in found["archive"].detail


async def test_doctor_names_a_user_who_may_not_write(postgresql: Postgresql, postgresql_url: str) -> None:
    """A user of PostgreSQL who may only read is a finding; the owner of the tables is not."""
    archive = opened(postgresql_url)
    await archive.migrate()
    await archive.close()
    settings = structs.replace(Settings.from_environment({}), archive_url=postgresql_url)
    (found,) = await archive_findings(settings)
    assert found.level == "ok", found
    database = postgresql_url.rpartition("/")[2]
    postgresql.sql(f"create role reader_{database} login", database)
    postgresql.sql(f"grant select on all tables in schema public to reader_{database}", database)
    url = postgresql.url(database, user=f"reader_{database}")
    (found,) = await archive_findings(structs.replace(settings, archive_url=url))
    assert (found.level, "this user may not write" in found.detail) == ("wrong", True), found


async def test_a_deleted_tenant_has_no_history(redis_url: str, tmp_path: Path) -> None:
    """`tenants delete` erases the tenant's history, says when it could not, and may be repeated."""
    url = f"sqlite://{tmp_path}/history.db"
    environment = {"REDIS_URL": redis_url, "TIDINGS_ARCHIVE_URL": url}
    async with a_store(redis_url, url) as (store, _):
        await Registry(store.redis).create_key("demo")
        archive = opened(url)
        await fill(archive)
        tenants = await archive.tenants()
        assert "demo" not in tenants
        await Registry(store.redis).create_tenant(tenants[0])
        await Registry(store.redis).create_key(tenants[0])
        delete = ("tenants", "delete", tenants[0], "--yes", "--json")
        gone = tmp_path / "gone"
        (tmp_path / "history.db").rename(gone)
        (tmp_path / "history.db").mkdir()
        ended = await asyncio.to_thread(tidings_server, *delete, cwd=tmp_path, environment=environment)
        assert (ended.returncode, json.loads(ended.stdout)["pending"]) == (0, ["history"])
        (tmp_path / "history.db").rmdir()
        gone.rename(tmp_path / "history.db")
        ended = await asyncio.to_thread(tidings_server, *delete, cwd=tmp_path, environment=environment)
        assert (ended.returncode, json.loads(ended.stdout)["pending"]) == (0, [])
        assert await archive.tenants() == tenants[1:]
        await archive.close()
