"""Endpoints that are slow, dead or hostile delay themselves alone, and not the end of the dispatcher."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.support import answers
from tests.support.receivers import Answer, Receiver, receiving
from tests.webhooks.conftest import TENANT, Service
from tidings_workers import dispatcher
from tidings_workers.config import Settings
from tidings_workers.registry import Registry
from tidings_workers.webhooks.changes import WebhookChanges

OTHER = "other"
TENANTS = (TENANT, OTHER)
USERS = [f"u{number}" for number in range(10)]
ROUNDS = 20
STOP_SECONDS = 5
# The sockets of both sides take some megabytes before the client closes its own.
MOST_BYTES = 32 * 1024 * 1024


@asynccontextmanager
async def dispatching(settings: Settings) -> AsyncIterator[None]:
    """Run a dispatcher, and check that it stops in time."""
    stop, ready = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(dispatcher.run(settings, stop, ready.set))
    try:
        await asyncio.wait_for(ready.wait(), 60)
        yield
    finally:
        stop.set()
        await asyncio.wait_for(running, STOP_SECONDS)


def numbers(receiver: Receiver, user: str) -> list[int]:
    """The numbers of the events of a user that arrived, in order."""
    data = [each.event["data"] for each in receiver.received]
    return [each["data"] for each in data if each["user"] == user]


async def write(service: Service, number: int) -> None:
    """Write an event about each user of both tenants."""
    for user in USERS:
        data = b'{"user":"%b","data":%d}' % (user.encode(), number)
        for tenant in TENANTS:
            await service.store.events.append(tenant, user, "message.received", data)


async def check(receiver: Receiver) -> None:
    """Wait for all events: each arrives once, those of a user in order."""
    await receiver.count(len(USERS) * ROUNDS)
    assert len(set(receiver.ids)) == len(receiver.ids) == len(USERS) * ROUNDS
    assert all(numbers(receiver, user) == list(range(ROUNDS)) for user in USERS)


async def test_all_bad_endpoints_at_once(service: Service, redis_url: str) -> None:
    """Beside them endpoints of the same and of another tenant get all events in order, and it stops."""
    await Registry(service.store.redis).create_tenant(OTHER)
    gigabyte = answers.Gigabyte()
    bad: dict[str, bytes | Answer] = {
        "dead": answers.never,
        "slow": answers.slow,
        "trickling": answers.trickle,
        "gigabyte": gigabyte,
        "redirecting": answers.redirect,
        "garbage": answers.garbage,
        "failing": answers.FAILURE,
    }
    async with AsyncExitStack() as stack:
        good = {tenant: await stack.enter_async_context(receiving()) for tenant in TENANTS}
        receivers = {name: await stack.enter_async_context(receiving()) for name in bad}
        for tenant in TENANTS:
            changes = WebhookChanges(service.store, tenant)
            for receiver in (*receivers.values(), good[tenant]):
                await changes.create(receiver.url, ("*",), "", enabled=True)
        for name, receiver in receivers.items():
            receiver.answer = bad[name]
        async with dispatching(Settings(redis_url=redis_url, egress_networks="127.0.0.0/8")):
            await write(service, 0)
            for receiver in receivers.values():
                # From here on requests to all of them are under way.
                await receiver.count(1)
            for number in range(1, ROUNDS):
                await write(service, number)
            for receiver in good.values():
                await check(receiver)
            # The good ones waited neither for ten seconds without an answer nor for the slow answers.
            assert len(receivers["dead"].received) < len(USERS) * ROUNDS
            assert len(receivers["slow"].received) < len(USERS) * ROUNDS
        assert gigabyte.most < MOST_BYTES
