"""Fixtures: a running gateway on a real store, tokens, and clients."""

import time
from collections.abc import AsyncIterator, Callable

import pytest

from tests.support.ports import free_port
from tests.support.realtime import Realtime, running_dispatcher, running_gateway
from tidings_workers.config import Settings
from tidings_workers.registry import Registry
from tidings_workers.store import Store
from tidings_workers.tokens import make_token

TENANTS = ("demo", "other", "listed")
TokenMaker = Callable[..., str]


@pytest.fixture
def settings(redis_url: str) -> Settings:
    return Settings(redis_url=redis_url, realtime_port=free_port(), partitions=4)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    store = await Store.open(settings, name="test")
    yield store
    await store.close()


@pytest.fixture
async def registry(store: Store) -> Registry:
    """A registry with three tenants, each with a key for every scope; `listed` has a list of origins."""
    registry = Registry(store.redis)
    for tenant in TENANTS:
        await registry.create_tenant(tenant, origins=["https://app.example"] if tenant == "listed" else [])
        await registry.create_key(tenant)
    return registry


@pytest.fixture
async def token(registry: Registry) -> TokenMaker:
    """Makes tokens; `age` is how many seconds ago the token was made."""
    keys = {tenant: await registry.signing_key(tenant) for tenant in TENANTS}

    def token(
        user: str,
        *,
        tenant: str = "demo",
        scope: str = "inbox",
        seconds: int = 3600,
        age: float = 0,
        **patterns: list[str],
    ) -> str:
        key = keys[tenant]
        assert key is not None
        scopes = frozenset(scope.split())
        return make_token(key, tenant, user, scopes, seconds, time.time() - age, patterns)

    return token


@pytest.fixture
async def realtime(settings: Settings, token: TokenMaker) -> AsyncIterator[Realtime]:
    """Clients of a running gateway."""
    async with running_gateway(settings):
        yield Realtime(settings.realtime_port, token)


@pytest.fixture
async def working(settings: Settings, store: Store) -> AsyncIterator[None]:
    """A running dispatcher."""
    async with running_dispatcher(settings):
        yield
