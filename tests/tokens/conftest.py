"""A real registry with one tenant, and its view."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from tidings_workers.registry import Registry, RegistryView


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def registry(redis: Redis) -> Registry:
    return Registry(redis)


@pytest.fixture
def view(redis: Redis) -> RegistryView:
    return RegistryView(redis)
