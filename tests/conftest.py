"""Fixtures for every test: real stores, each empty at the start of a test."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import uvloop

from tests.support.short_home import short_home
from tests.support.valkey import Valkey, running, running_cluster


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run asynchronous tests on the event loop of the servers."""
    return {"uvloop": uvloop.new_event_loop}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests, which have a time limit of their own.

    At the end of a run one process would work alone.
    """
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)


@pytest.fixture(scope="session")
def short_directory() -> Iterator[Path]:
    """A directory of mode 0700 whose path leaves room for a unix socket's 107 bytes; see `short_home`."""
    directory = short_home()
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def session_valkey(short_directory: Path) -> Iterator[Valkey]:
    """The server behind `redis_url`; only for fixtures, which must leave it running."""
    home = short_directory / "v"
    home.mkdir(mode=0o700)
    with running(home) as server:
        yield server


@pytest.fixture(scope="session")
def session_cluster(short_directory: Path) -> Iterator[list[Valkey]]:
    """The servers behind `cluster_url`; only for fixtures, which must leave them running."""
    home = short_directory / "c"
    home.mkdir(mode=0o700)
    with running_cluster(home) as nodes:
        yield nodes


@pytest.fixture
def redis_url(session_valkey: Valkey) -> str:
    """The URL of a real, empty Valkey, shared by the session: `unix://...`."""
    session_valkey.flush()
    return session_valkey.url


@pytest.fixture
def cluster_url(session_cluster: list[Valkey]) -> str:
    """The URL of a real, empty cluster of three primaries: `redis+cluster://127.0.0.1:port`."""
    for node in session_cluster:
        node.flush()
    return f"redis+cluster://127.0.0.1:{session_cluster[0].port}"


@pytest.fixture
def valkey(short_directory: Path) -> Iterator[Valkey]:
    """A started Valkey for this test alone, which it may pause, kill and start again."""
    home = Path(tempfile.mkdtemp(dir=short_directory))
    with running(home) as server:
        yield server
