"""A dispatcher that is killed loses no event of a webhook, and repeats some with their id."""

import asyncio
import random

from tests.support.dispatching import dispatcher_process, owners
from tests.support.receivers import Receiver, receiving
from tests.webhooks.conftest import Service
from tidings_workers.config import Settings

EVENTS = 300
KILLS = 5
DISPATCHERS = 2


async def test_a_killed_dispatcher(service: Service, redis_url: str) -> None:
    """Killed at any of its steps, and started again, it delivers every event, each with one id."""
    settings = Settings(redis_url=redis_url, egress_networks="127.0.0.0/8")
    async with receiving() as receiver:
        webhook = await service.create(receiver)
        for number in range(EVENTS):
            await service.write(f"u{number % 20}", number)
        for kill in range(KILLS):
            with dispatcher_process(settings):
                # Leaving the block kills it. The number of requests so far decides at which step.
                await receiver.count(len(receiver.received) + 1 + 17 * kill + random.randrange(10), 60)
        with dispatcher_process(settings):
            await receiver.until(lambda own: len(set(own.ids)) == EVENTS, 60)
            await service.until(webhook, "succeeded", lambda found: len(found) >= 200)
        _check(receiver)


def _check(receiver: Receiver) -> None:
    bodies: dict[str, set[bytes]] = {}
    for each in receiver.received:
        bodies.setdefault(each.id, set()).add(each.body)
    assert all(len(found) == 1 for found in bodies.values())
    numbers = {each.event["data"]["data"] for each in receiver.received}
    assert numbers == set(range(EVENTS))
    assert len(bodies) == EVENTS


async def test_two_dispatchers(service: Service, redis_url: str) -> None:
    """With two dispatchers that share the partitions, one of them delivers: no event arrives twice."""
    settings = Settings(redis_url=redis_url, egress_networks="127.0.0.0/8")
    async with receiving() as receiver:
        webhook = await service.create(receiver)
        with dispatcher_process(settings), dispatcher_process(settings):
            async with asyncio.timeout(30):
                while True:
                    if len({owner for owner in await owners(service.store) if owner}) == DISPATCHERS:
                        break
                    await asyncio.sleep(0.05)
            for number in range(100):
                await service.write("ana", number)
            await service.until(webhook, "succeeded", lambda found: len(found) == 100)
        assert [each.event["data"]["data"] for each in receiver.received] == list(range(100))
