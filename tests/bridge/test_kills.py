"""Brokers, bridges and the store are killed or paused while messages flow."""

import asyncio
import os
import uuid
from pathlib import Path

import pytest

from tests.bridge.queues import Queues
from tests.bridge.support import (
    bridge_process,
    kafka_source,
    notification,
    rabbitmq_source,
    stomp_source,
    titles,
)
from tests.bridge.topics import Topics
from tests.support.brokers import Kafka, Rabbitmq, Server
from tests.support.parts import Process
from tidings_workers.store import Store

# `make brokers` runs 10,000.
MESSAGES = int(os.environ.get("BRIDGE_MESSAGES", "500"))
# All messages, with two restarts of the broker and two of the bridge.
SECONDS = 120.0
# Of all messages, when the broker or the bridge is killed.
STEPS = (0.15, 0.35, 0.55, 0.75)

pytestmark = pytest.mark.timeout(600)


async def kill_both(store: Store, server: Server, process: Process, users: list[str], count: int) -> None:
    """Kill the broker and the bridge in turns while messages arrive, and start each again."""

    async def stored() -> int:
        keys = [store.keys.user("acme", user) for user in users]
        heads = [store._core.call("HGET", f"{{p{key.partition}}}/{key.base}", "head") for key in keys]
        return sum(int(head or 0) for head in await asyncio.gather(*heads))

    async def reaches(wanted: float) -> None:
        async with asyncio.timeout(SECONDS):
            while await stored() < wanted:  # noqa: ASYNC110 - the event is in another process
                await asyncio.sleep(0.002)

    for number, step in enumerate(STEPS):
        await reaches(count * step)
        victim: Server | Process = process if number % 2 else server
        await asyncio.to_thread(victim.kill)
        assert await stored() < count, "the kill was too late to test anything"
        await asyncio.to_thread(victim.start)
    await reaches(count)


async def test_kills_with_rabbitmq(rabbitmq: Rabbitmq, store: Store, redis_url: str, tmp_path: Path) -> None:
    """Each message is one notification, in order, though RabbitMQ and the bridge are killed twice each.

    One queue is read by AMQP, the other by STOMP.
    """
    name = f"k{uuid.uuid4().hex[:8]}"
    users = {name: "ana", f"{name}.stomp": "bob"}
    async with Queues.of(rabbitmq, *users) as queues:
        for queue, user in users.items():
            for number in range(MESSAGES):
                await queues.publish(queue, notification(number, user), f"{queue}-{number}")
    path = tmp_path / "bridge.toml"
    sources = (
        rabbitmq_source(rabbitmq, name, prefetch=10),
        stomp_source(rabbitmq, f"{name}.stomp", prefetch=10),
    )
    path.write_text("".join(sources))
    with bridge_process(redis_url, path) as process:
        await kill_both(store, rabbitmq, process, list(users.values()), 2 * MESSAGES)
    for user in users.values():
        assert await titles(store, user) == [str(number) for number in range(MESSAGES)]


async def test_kills_with_kafka(kafka: Kafka, store: Store, redis_url: str, tmp_path: Path) -> None:
    """Each record is one notification, in order per partition, though both are killed twice each."""
    name = f"k{uuid.uuid4().hex[:8]}"
    numbers = range(MESSAGES)
    async with Topics.of(kafka, name) as topics:
        await topics.produce_all(name, ((each % 3, notification(each, f"p{each % 3}")) for each in numbers))
    path = tmp_path / "bridge.toml"
    path.write_text(kafka_source(kafka, name, prefetch=10))
    users = [f"p{partition}" for partition in range(3)]
    with bridge_process(redis_url, path) as process:
        await kill_both(store, kafka, process, users, MESSAGES)
    for partition, user in enumerate(users):
        assert await titles(store, user) == [str(each) for each in numbers if each % 3 == partition]
