"""Fixtures of the store: each test runs on one node and on a real cluster of three primaries."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec
import pytest

from tidings_workers.config import Settings
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import Store


@pytest.fixture(params=["node", "cluster"])
def settings(request: pytest.FixtureRequest) -> Settings:
    """Settings with an empty store."""
    url = request.getfixturevalue("redis_url" if request.param == "node" else "cluster_url")
    return msgspec.structs.replace(Settings.from_environment({}), redis_url=url)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    """An open, empty store."""
    opened = await Store.open(settings, name="test")
    yield opened
    await opened.close()


@pytest.fixture
async def dispatcher(store: Store) -> AsyncIterator[Dispatcher]:
    """A dispatcher with every partition."""
    running = Dispatcher(store)
    await running.beat()
    with contextlib.suppress(asyncio.CancelledError):
        yield running
    await running.close()
