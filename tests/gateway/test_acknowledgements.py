"""Acknowledgements that wait for the store."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.gateway.test_catchups import FullOutlet, tail
from tests.support.valkey import Valkey, running
from tidings_workers.config import Settings
from tidings_workers.gateway.acknowledgements import Acknowledgements
from tidings_workers.gateway.catchups import CatchUps
from tidings_workers.gateway.users import Subscriber, User
from tidings_workers.store import StorageUnavailable, Store
from tidings_workers.tasks import Background


@pytest.fixture
def valkey(short_directory: Path) -> Iterator[Valkey]:
    """A server that the test may stop."""
    with running(Path(tempfile.mkdtemp(dir=short_directory))) as server:
        yield server


@pytest.fixture
async def store(valkey: Valkey) -> AsyncIterator[Store]:
    opened = await Store.open(Settings(redis_url=valkey.url, partitions=4), name="test")
    yield opened
    await opened.close()


async def test_acknowledged_during_a_failure(store: Store, valkey: Valkey) -> None:
    """Acknowledgements of one device for several logs are all stored after the storage was unavailable."""
    own, everyone = tail(store.keys.user("demo", "ana")), tail(store.keys.all("demo"))
    for each in (own, everyone):
        each.position = 9
    subscriber = Subscriber(
        User("demo", "ana", store.keys, own, everyone),
        "c1",
        "phone",
        FullOutlet(CatchUps(store, Background("test").spawn)),
    )
    subscriber.acknowledged = {"user": 0, "all": 0}
    acknowledgements = Acknowledgements(store.feeds)
    acknowledgements.add(subscriber, {"user": 3, "all": 1})
    valkey.kill()
    storing = asyncio.create_task(acknowledgements.flush())
    await asyncio.sleep(0)
    acknowledgements.add(subscriber, {"all": 2})
    with pytest.raises(StorageUnavailable):
        await storing
    valkey.start()
    async with asyncio.timeout(20):
        while acknowledgements.has_pending(subscriber):
            try:
                await acknowledgements.flush()
            except StorageUnavailable:
                await asyncio.sleep(0.05)
    known = (await store.feeds.attach("w1", own.log, "phone")).device
    assert known is not None
    assert known.positions == {"user": 3, "all": 2}
