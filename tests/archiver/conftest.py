"""A store with an archive, on each database of the archive."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import pytest

from tests.archive.conftest import postgresql, postgresql_url, sqlite_url
from tests.archiver.history import History
from tidings_workers.config import Settings
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import Store
from tidings_workers.tenants import Tenant

__all__ = ["postgresql", "postgresql_url", "sqlite_url"]


@pytest.fixture(params=["sqlite", "postgresql"])
def archive_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty archive, of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def store(redis_url: str, archive_url: str) -> AsyncIterator[Store]:
    """An open, empty store whose tenant `demo` keeps notifications for 7 days, and its archive for a year."""
    settings = msgspec.structs.replace(
        Settings.from_environment({}), redis_url=redis_url, archive_url=archive_url
    )
    opened = await Store.open(settings, name="test")
    assert opened.archive is not None
    await opened.archive.migrate()
    tenant = Tenant(id="demo", created_at=datetime.now(UTC), retention_days=7)
    opened.follow_policies({"demo": tenant}.get)
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


@pytest.fixture
def history(store: Store) -> History:
    """Moves old entries into the archive."""
    return History(store)
