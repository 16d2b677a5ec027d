"""Dispatchers run on one node here; the store's own tests run them on a cluster too."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from tidings_workers.config import Settings
from tidings_workers.store import Store


@pytest.fixture
def settings(redis_url: str) -> Settings:
    """Settings that name an empty store."""
    return msgspec.structs.replace(Settings.from_environment({}), redis_url=redis_url)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    """An open, empty store."""
    opened = await Store.open(settings, name="test")
    yield opened
    await opened.close()
