"""Dispatchers run on one node here, unless a test asks for `settings` of a cluster too."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from tidings_workers.config import Settings
from tidings_workers.store import Store


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    """Settings that name an empty store: a `node`, or what the test's parameter says."""
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
