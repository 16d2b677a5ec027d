"""Real archives: a SQLite file, and a database of a real PostgreSQL."""

import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.postgresql import Postgresql, memory, running_postgresql, why_no_postgresql
from tidings_workers.archive import Archive, open_archive

_numbers = itertools.count()


def opened(url: str, **options: float) -> Archive:
    """The archive of a URL that names one."""
    archive = open_archive(url, **options)
    assert archive is not None
    return archive


def _needed() -> None:
    """Skip without a PostgreSQL. Where REQUIRE_POSTGRESQL is set, it is a failure."""
    reason = why_no_postgresql()
    if reason and os.environ.get("REQUIRE_POSTGRESQL"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A PostgreSQL, shared by the session: each test has a database of its own."""
    _needed()
    with running_postgresql() as server:
        yield server


@pytest.fixture
def own_postgresql() -> Iterator[Postgresql]:
    """A PostgreSQL for this test alone, which it may stop and pause."""
    _needed()
    with running_postgresql() as server:
        yield server


def new_database(server: Postgresql) -> str:
    """The URL of a new, empty database."""
    name = f"t{next(_numbers)}"
    server.sql(f"create database {name}")
    return server.url(name)


@pytest.fixture
def postgresql_url(postgresql: Postgresql) -> str:
    """The URL of an empty database of PostgreSQL."""
    return new_database(postgresql)


@pytest.fixture
def sqlite_url() -> Iterator[str]:
    """The URL of a SQLite file that does not exist; in memory where that is possible, for fast commits."""
    with tempfile.TemporaryDirectory(prefix="tidings-archive-", dir=memory()) as home:
        yield f"sqlite://{home}/archive.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty archive, of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def archive(url: str) -> AsyncIterator[Archive]:
    """An archive with its tables, of each kind."""
    archive = opened(url)
    await archive.migrate()
    yield archive
    await archive.close()
