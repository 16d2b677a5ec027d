"""URLs of archives, and errors that never show a password."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.archive.conftest import opened
from tests.support.ports import free_port
from tests.support.postgresql import Postgresql
from tidings_workers.archive import ArchiveMisconfigured, ArchiveUnavailable, open_archive
from tidings_workers.archive.urls import PostgresqlUrl, SqliteUrl, parse

SECRET = "s3cr3t-p4ss"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///var/lib/a.db", "/var/lib/a.db"),
        ("sqlite:////var/lib/a.db", "/var/lib/a.db"),
        ("SQLite:///var/a%20b/%C3%A9.db", "/var/a b/é.db"),
    ],
)
def test_the_path_of_a_file(url: str, path: str) -> None:
    """A SQLite URL has an absolute path, whose special characters are encoded."""
    assert parse(url) == SqliteUrl(Path(path))


def test_a_postgresql_url() -> None:
    """The size of the cache of statements is taken out of the URL, and the password is not shown."""
    url = f"postgres://ana:{SECRET}@[::1]:5433/history?sslmode=require&statement_cache_size=0"
    found = parse(url)
    assert isinstance(found, PostgresqlUrl)
    assert found.dsn == f"postgresql://ana:{SECRET}@[::1]:5433/history?sslmode=require"
    assert (found.user, found.statement_cache_size) == ("ana", 0)
    assert SECRET not in repr(found) + found.shown


def test_several_hosts() -> None:
    """A URL may name several servers, as for a database that fails over, or a directory of sockets."""
    found = parse(f"postgresql://ana:{SECRET}@one:5433,two/history?target_session_attrs=primary")
    assert isinstance(found, PostgresqlUrl)
    assert found.shown == "postgresql://one:5433,two/history"
    assert found.dsn == f"postgresql://ana:{SECRET}@one:5433,two/history?target_session_attrs=primary"
    local = parse("postgresql:///history?host=/run/postgresql")
    assert isinstance(local, PostgresqlUrl)
    assert local.shown == "postgresql:///run/postgresql/history"


def test_none_is_no_archive() -> None:
    """`none` turns the archive off."""
    assert open_archive("none") is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "archive.db",
        f"mysql://ana:{SECRET}@db/history",
        "sqlite://archive.db",
        "sqlite:archive.db",
        "sqlite:///",
        "sqlite:///a.db?mode=ro",
        f"postgresql://ana:{SECRET}@:x/history",
        f"postgresql://ana:{SECRET}@db:99999/history",
        f"postgresql://ana:{SECRET}/history",
        f"postgresql:///{SECRET}",
        f"postgresql://ana:{SECRET}@db/history?statement_cache_size=many",
        f"postgresql://ana:{SECRET}#x@db/history",
        f"postgresql://ana:5432/{SECRET}@db/history",
        f"postgresql://ana:5432?a={SECRET}@db/history",
        f"postgresql://ana:5432#{SECRET}@db/history",
        f"postgresql://ana:{SECRET}@db,:5432/history",
        f"postgresql://ana:{SECRET}@db,two:x/history",
    ],
)
def test_an_unusable_url_is_refused_with_a_cure(url: str) -> None:
    """The error names an accepted form, and shows nothing of the URL that may be a password."""
    with pytest.raises(ArchiveMisconfigured, match=r"use (sqlite:///|postgresql://|\?)") as caught:
        open_archive(url)
    assert SECRET not in str(caught.value)


def test_postgresql_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without asyncpg the error names the extra that brings it."""
    monkeypatch.setattr("tidings_workers.archive.opening.find_spec", lambda _: None)
    with pytest.raises(ArchiveMisconfigured, match=r"pip install 'tidings-server\[postgres\]'"):
        open_archive("postgresql://db/history")


def test_sqlite_needs_no_library(tmp_path: Path) -> None:
    """Opening a file imports nothing of PostgreSQL."""
    for name in [each for each in sys.modules if each.startswith("tidings_workers.archive.postgresql")]:
        del sys.modules[name]
    assert open_archive(f"sqlite://{tmp_path}/a.db") is not None
    assert not [each for each in sys.modules if each.startswith("tidings_workers.archive.postgresql")]


async def shown(url: str) -> str:
    """Everything that an archive which can't be used shows: its error, the causes, and its representation."""
    archive = opened(url, limit=2)
    with pytest.raises((ArchiveMisconfigured, ArchiveUnavailable)) as caught:
        await archive.migrate()
    health = await archive.health()
    assert not health.reachable
    await archive.close()
    causes = f"{caught.value.__cause__!r}"
    return f"{caught.value!r} {causes} {health.fault} {archive!r} {vars(archive)!r}"


async def test_the_password_is_in_no_error(postgresql: Postgresql) -> None:
    """Refused connections, users and databases are errors with a cure, and without the password."""
    for url, expected in [
        (f"postgresql://postgres:{SECRET}@127.0.0.1:{free_port()}/history", "does not answer"),
        (postgresql.url("missing", password=SECRET), "create this database"),
        (postgresql.url("postgres", user="mallory", password=SECRET), "refuses the user 'mallory'"),
        (f"{postgresql.url('postgres', password=SECRET)}?sslmode=require", "does not answer|TLS|SSL"),
    ]:
        text = await shown(url)
        assert SECRET not in text
        assert any(part in text for part in expected.split("|")), text


async def test_a_pooler_that_refuses_settings_is_named() -> None:
    """The answer of PgBouncer to the settings of a session leads to the parameter for poolers."""
    fields = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: enable_sort\0\0"

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Decline TLS, then refuse the startup message."""
        size = int.from_bytes(await reader.readexactly(4), "big")
        await reader.readexactly(size - 4)
        if size == 8:
            writer.write(b"N")
            await refuse(reader, writer)
            return
        writer.write(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    archive = opened(f"postgresql://ana@127.0.0.1:{port}/history")
    with pytest.raises(ArchiveMisconfigured, match=r"behind a pooler: add \?statement_cache_size=0"):
        await archive.tenants()
    await archive.close()
    server.close()
    await server.wait_closed()
