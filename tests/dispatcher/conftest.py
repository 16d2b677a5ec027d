"""Fixtures for dispatchers on one node, or on a cluster where a test asks for it."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from tidings_workers.config import Settings
from tidings_workers.store import Store


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    """Settings with an empty store: a node, or a cluster when the parameter says so."""
    url = request.getfixturevalue(
        "cluster_url" if getattr(request, "param", "") == "cluster" else "redis_url"
    )
    return msgspec.structs.replace(Settings.from_environment({}), redis_url=url)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    """An open, empty store."""
    opened = await Store.open(settings, name="test")
    yield opened
    await opened.close()
