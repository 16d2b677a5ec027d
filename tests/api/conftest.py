"""A running API on a real store, and tokens for it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.support.ports import free_port
from tidings_api import server
from tidings_api.server import run
from tidings_workers import dispatcher
from tidings_workers.config import Settings
from tidings_workers.registry import Registry
from tidings_workers.store import Store
from tidings_workers.tokens import make_token

Bearer = Callable[..., dict[str, str]]


@asynccontextmanager
async def serving(
    settings: Settings, serve: Callable[..., Coroutine[Any, Any, None]] = run
) -> AsyncIterator[httpx.AsyncClient]:
    """The API and a dispatcher as in production, and a client with the API's address."""
    stop, ready = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(dispatcher.run(settings, stop, lambda: None))
        tasks.create_task(serve(settings, stop, ready.set))
        async with asyncio.timeout(10):
            await ready.wait()
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.port}", timeout=15) as client:
                yield client
        finally:
            stop.set()


@pytest.fixture
def settings(redis_url: str) -> Settings:
    return Settings(redis_url=redis_url, port=free_port(), drain_seconds=3)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    store = await Store.open(settings, name="test")
    yield store
    await store.close()


async def populated(store: Store) -> Registry:
    """A registry with the tenants demo and other, each with a key that has every scope."""
    registry = Registry(store.redis)
    for tenant in ("demo", "other"):
        await registry.create_tenant(tenant)
        await registry.create_key(tenant)
    return registry


async def bearer_of(registry: Registry) -> Bearer:
    """A function that makes headers with a token: `bearer("send read", tenant="demo", subject="shop")`."""
    keys = {tenant: await registry.signing_key(tenant) for tenant in ("demo", "other")}

    def bearer(
        scope: str,
        *,
        tenant: str = "demo",
        subject: str = "shop",
        now: float | None = None,
        **patterns: list[str],
    ) -> Any:
        key = keys[tenant]
        assert key is not None
        moment = time.time() if now is None else now
        token = make_token(key, tenant, subject, frozenset(scope.split()), 3600, moment, patterns)
        return {"authorization": f"Bearer {token}"}

    return bearer


@pytest.fixture
async def registry(store: Store) -> Registry:
    return await populated(store)


@pytest.fixture
async def bearer(registry: Registry) -> Bearer:
    return await bearer_of(registry)


@pytest.fixture
async def api(
    settings: Settings, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    # No test here has a client that reuses its connection at the stop. This saves half a second per test.
    monkeypatch.setattr(server, "LAST_ANSWERS_SECONDS", 0)
    async with serving(settings) as client:
        yield client
