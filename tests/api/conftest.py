"""A running API on a real store, and tokens for it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import httpx
import pytest
from litestar import Litestar, Router

from tests.support.no_tls import NO_TLS
from tests.support.ports import free_port
from tidings_api import server
from tidings_api.app import create_app, describe
from tidings_api.documents import Documents
from tidings_api.server import run
from tidings_api.services import Services
from tidings_workers import dispatcher
from tidings_workers.config import Settings
from tidings_workers.registry import Registry
from tidings_workers.store import Store
from tidings_workers.tokens import make_token

Bearer = Callable[..., dict[str, str]]

# The applications of servers that have stopped.
_idle: Final[list[Litestar]] = []


@contextmanager
def _prepared_routes() -> Iterator[None]:
    """Servers that start here reuse the applications of stopped ones, with their own services and documents.

    Litestar prepares the routes of an application for longer than most tests take.
    """
    used = []

    def application(services: Services, pages: Sequence[Router] = ()) -> Litestar:
        if pages:
            return create_app(services, pages)
        app = _idle.pop() if _idle else create_app(services)
        app.state.update({"services": services, "documents": Documents(describe)})
        used.append(app)
        return app

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "create_app", application)
        yield
    _idle.extend(used)


@asynccontextmanager
async def serving(
    settings: Settings, serve: Callable[..., Coroutine[Any, Any, None]] = run
) -> AsyncIterator[httpx.AsyncClient]:
    """The API and a dispatcher as in production, and a client with the API's address."""
    stop, ready = asyncio.Event(), asyncio.Event()
    address = f"http://127.0.0.1:{settings.port}"
    with _prepared_routes():
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(dispatcher.run(settings, stop, lambda: None))
            tasks.create_task(serve(settings, stop, ready.set))
            async with asyncio.timeout(10):
                await ready.wait()
            try:
                async with httpx.AsyncClient(base_url=address, timeout=15, verify=NO_TLS) as client:
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
