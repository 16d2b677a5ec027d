"""A deliverer on a real store, with a clock that tests set, and receivers on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.support.receivers import Receiver, receiving
from tidings_workers.config import Settings
from tidings_workers.egress.addresses import Networks, networks_of
from tidings_workers.registry import Registry, RegistryView
from tidings_workers.store import Store
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.webhooks import Listed, Status
from tidings_workers.tasks import cancel_all
from tidings_workers.webhook_endpoints import Webhook
from tidings_workers.webhooks.changes import WebhookChanges
from tidings_workers.webhooks.deliverer import Deliverer

TENANT = "demo"
LOOPBACK = networks_of("127.0.0.0/8")


class Clock:
    """Unix ms, ahead of the real time by what a test added."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        """The time."""
        return milliseconds() + self.ahead

    def advance(self, seconds: float) -> None:
        """Move the time."""
        self.ahead += int(seconds * 1000)


class Service:
    """The store of a test with a deliverer for all partitions, which a test may stop and start."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.changes = WebhookChanges(store, TENANT)

    async def create(self, receiver: Receiver | str, *events: str) -> Webhook:
        """An endpoint with these types, or all."""
        url = receiver if isinstance(receiver, str) else receiver.url
        return await self.changes.create(url, events or ("*",), "", enabled=True)

    async def write(self, user: str, number: int = 0) -> None:
        """Write an event about a user."""
        data = json.dumps({"user": user, "event": "test", "data": number}).encode()
        assert await self.store.events.append(TENANT, user, "message.received", data)

    async def listed(self, webhook: Webhook, status: Status | None = None) -> list[Listed]:
        """The deliveries of an endpoint."""
        return (await self.store.webhooks.page(TENANT, webhook.id, status, 200, None)).items

    async def until(
        self, webhook: Webhook, status: Status, holds: Callable[[list[Listed]], bool]
    ) -> list[Listed]:
        """Wait until the deliveries with a status are as they have to be."""
        async with asyncio.timeout(30):
            while True:
                found = await self.listed(webhook, status)
                if holds(found):
                    return found
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def delivering(self, allowed: Networks = LOOPBACK) -> AsyncIterator[Deliverer]:
        """Run a deliverer."""
        view = RegistryView(self.store.redis)
        await view.load()
        deliverer = Deliverer(self.store, view, allowed, self.clock)
        stop = asyncio.Event()
        tasks = [asyncio.create_task(view.run(stop))]
        tasks += [asyncio.create_task(deliverer.run(each)) for each in range(self.store.partitions)]
        try:
            yield deliverer
        finally:
            # redis-py may swallow one cancellation.
            await cancel_all(tasks)
            deliverer.close()
            # A task that failed before is a defect.
            assert [each.exception() for each in tasks if not each.cancelled() and each.exception()] == []


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    opened = await Store.open(Settings(redis_url=redis_url), name="test")
    await Registry(opened.redis).create_tenant(TENANT)
    yield opened
    await opened.close()


@pytest.fixture
def service(store: Store) -> Service:
    return Service(store, Clock())


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running
