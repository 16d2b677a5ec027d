"""Brokers and bridges are killed while events flow to sinks."""

import asyncio
import json
import os
import time
import uuid
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.bridge.queues import Queues
from tests.bridge.support import bridge_process, happens, kafka_sink, rabbitmq_sink
from tests.bridge.topics import Topics
from tests.support.brokers import Kafka, Rabbitmq, Server
from tests.support.parts import Process
from tidings_workers.store import Store
from tidings_workers.store.keys import partition_of

# `make brokers` runs 10,000.
EVENTS = int(os.environ.get("BRIDGE_MESSAGES", "300"))
USERS = ("ana", "bob", "eve")
KILLS = 4
SECONDS = 120.0

pytestmark = pytest.mark.timeout(600)


async def written(store: Store, sink: str) -> int:
    """How far the sink's position is: the sum over all partitions, 0 before it has one."""
    partition = partition_of("acme", "", store._core.partitions)
    found = await store._core.call("HGET", f"{{p{partition}}}/sink/acme/{sink}", "positions")
    return sum(json.loads(found).values()) if found else -1


async def reaches(store: Store, sink: str, wanted: int) -> None:
    """Wait until the sink's position is as far."""
    async with asyncio.timeout(SECONDS):
        while await written(store, sink) < wanted:  # noqa: ASYNC110 - the event is in another process
            await asyncio.sleep(0.002)


async def kill_both(store: Store, sink: str, server: Server, process: Process) -> None:
    """Kill the broker and the bridge in turns while events flow, and start each again."""
    await reaches(store, sink, 0)
    share = EVENTS // (KILLS + 1)
    happened = 0

    async def happen(count: int) -> None:
        nonlocal happened
        for _ in range(count):
            await happens(store, happened, USERS[happened % len(USERS)])
            happened += 1

    for number in range(KILLS):
        flowing = asyncio.create_task(happen(share // 2))
        await reaches(store, sink, number * share + share // 4)
        victim: Server | Process = process if number % 2 else server
        await asyncio.to_thread(victim.kill)
        await flowing
        # The others happen while the victim is away.
        await happen(share - share // 2)
        assert await written(store, sink) < happened
        await asyncio.to_thread(victim.start)
    await happen(EVENTS - happened)
    await reaches(store, sink, EVENTS)


def check(found: Iterable[tuple[str, bytes]], began: float) -> None:
    """Each event is there, in order per user without its repetitions, which have the same id and body."""
    seconds, count = time.monotonic() - began, 0
    bodies: dict[str, bytes] = {}
    first: dict[str, list[int]] = {user: [] for user in USERS}
    for identity, body in found:
        count += 1
        if identity not in bodies:
            data = json.loads(body)["data"]
            first[data["user"]].append(data["number"])
        assert bodies.setdefault(identity, body) == body
    for index, user in enumerate(USERS):
        assert first[user] == list(range(index, EVENTS, len(USERS)))
    print(  # noqa: T201 - the figures of the run
        f"{len(bodies):,} events in {seconds:.1f} s, {count - len(bodies)} of them written again"
    )


async def test_kills_with_rabbitmq(rabbitmq: Rabbitmq, store: Store, redis_url: str, tmp_path: Path) -> None:
    """Each event reaches RabbitMQ, in order per user, though it and the bridge are killed twice each."""
    name = f"k{uuid.uuid4().hex[:8]}"
    async with Queues.of(rabbitmq) as queues:
        await queues.declare_exchange(name, queue=name)
    path = tmp_path / "bridge.toml"
    path.write_text(rabbitmq_sink(rabbitmq, name))
    began = time.monotonic()
    with bridge_process(redis_url, path) as process:
        await kill_both(store, name, rabbitmq, process)
    async with Queues.of(rabbitmq) as queues:
        found = await queues.take_all(name)
    check(((str(each.headers["webhook-id"]), each.body) for each in found), began)


async def test_kills_with_kafka(kafka: Kafka, store: Store, redis_url: str, tmp_path: Path) -> None:
    """Each event reaches Kafka, in order per user, though it and the bridge are killed twice each."""
    name = f"k{uuid.uuid4().hex[:8]}"
    async with Topics.of(kafka, name):
        pass
    path = tmp_path / "bridge.toml"
    path.write_text(kafka_sink(kafka, name))
    began = time.monotonic()
    with bridge_process(redis_url, path) as process:
        await kill_both(store, name, kafka, process)
    async with Topics.of(kafka) as topics:
        records = await topics.read_all(name)
    check(((dict(each.headers)["webhook-id"].decode(), each.value) for each in records), began)
