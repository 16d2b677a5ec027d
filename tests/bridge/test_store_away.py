"""The store is killed and stays away while messages and events flow."""

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from msgspec import structs

from tests.bridge.queues import Queues
from tests.bridge.support import (
    bridge_process,
    happens,
    kafka_source,
    notification,
    rabbitmq_sink,
    rabbitmq_source,
    titles,
)
from tests.bridge.test_sinks import numbers
from tests.bridge.topics import Topics
from tests.operations.support import eventually
from tests.support.brokers import Kafka, Rabbitmq
from tests.support.parts import Process
from tests.support.valkey import Valkey, running
from tidings_workers.config import Settings
from tidings_workers.registry import Registry
from tidings_workers.store import StorageUnavailable, Store

# `make brokers` waits a minute.
OUTAGE_SECONDS = float(os.environ.get("BRIDGE_OUTAGE", "1"))
# Messages per second to each broker.
RATE = 40
PREFETCH = 10
USERS = ("ana", "p0", "p1", "p2")
# Of the processor, while the store is away.
MOST_CPU = 0.25
SECONDS = 60.0

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def settings(valkey: Valkey) -> Settings:
    """Settings with a store of this test's own."""
    return structs.replace(Settings.from_environment({}), redis_url=valkey.url)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    """An open store with the tenant `acme`."""
    opened = await Store.open(settings, name="test")
    await Registry(opened.redis).create_tenant("acme")
    yield opened
    await opened.close()


class Flow:
    """Messages to both brokers, at a steady rate. Every other one to RabbitMQ has a `message_id`."""

    def __init__(self, queues: Queues, topics: Topics, name: str) -> None:
        self._queues, self._topics, self._name = queues, topics, name
        self._still = asyncio.Lock()
        self._ended = False
        self.count = 0
        self._running = asyncio.create_task(self._run())

    async def end(self) -> None:
        """Publish no more."""
        self._ended = True
        await self._running

    async def _run(self) -> None:
        while not self._ended:
            async with self._still:
                await self._publish(self.count)
            await asyncio.sleep(1 / RATE)

    async def _publish(self, number: int) -> None:
        identity = f"{self._name}-{number}" if number % 2 else None
        await self._queues.publish(self._name, notification(number), identity)
        partition = number % 3
        await self._topics.produce(self._name, notification(number, f"p{partition}"), partition)
        self.count += 1

    async def acknowledged(self) -> tuple[int, int]:
        """How many messages the bridge has acknowledged at RabbitMQ and Kafka.

        More than `prefetch` messages wait at RabbitMQ, so as many are in the bridge.
        """
        async with self._still:
            waiting = await self._queues.waiting(self._name)
            return self.count - waiting - PREFETCH, await self._topics.committed(self._name)

    def expected(self) -> dict[str, list[str]]:
        """The titles of each user, in order."""
        every = [str(number) for number in range(self.count)]
        return dict(zip(USERS, (every, every[0::3], every[1::3], every[2::3]), strict=True))


@contextmanager
def copied(valkey: Valkey, directory: Path) -> Iterator[Valkey]:
    """A server on a copy of the files of one that was killed."""
    home = Path(tempfile.mkdtemp(dir=directory))
    files = shutil.ignore_patterns("s", "valkey.log")
    shutil.copytree(valkey.directory, home, ignore=files, dirs_exist_ok=True)
    with running(home) as server:
        yield server


async def stored(store: Store) -> dict[str, list[str]]:
    """The titles of all users; none while the store is away."""
    try:
        return {user: await titles(store, user) for user in USERS}
    except StorageUnavailable:
        return {user: [] for user in USERS}


async def stored_at_the_crash(valkey: Valkey, settings: Settings, directory: Path) -> dict[str, list[str]]:
    """The titles of all users in the files of a store that was killed."""
    with copied(valkey, directory) as copy:
        store = await Store.open(structs.replace(settings, redis_url=copy.url), name="copy")
        try:
            return {user: await titles(store, user) for user in USERS}
        finally:
            await store.close()


async def have(store: Store, true: Callable[[dict[str, list[str]]], bool], what: str) -> None:
    """Wait until the titles of all users fit."""
    deadline = asyncio.get_running_loop().time() + SECONDS
    while not true(await stored(store)):
        assert asyncio.get_running_loop().time() < deadline, what
        await asyncio.sleep(0.02)


class Tables:
    """The two sources and the sink of a bridge process."""

    def __init__(self, process: Process, name: str) -> None:
        self._process = process
        self._tables = (("source", name), ("source", f"{name}.k"), ("sink", name))

    async def are(self, *, paused: bool) -> None:
        """Wait until all are paused, or all work."""
        for kind, name in self._tables:
            metric = f'tidings_bridge_paused{{kind="{kind}",name="{name}"}}'
            await eventually(partial(self._is, metric, paused), f"{kind} {name}", SECONDS)

    def _is(self, metric: str, value: float) -> bool:
        return self._process.metric(metric) == value


async def test_nothing_is_lost_or_doubled(
    rabbitmq: Rabbitmq,
    kafka: Kafka,
    valkey: Valkey,
    settings: Settings,
    store: Store,
    short_directory: Path,
    tmp_path: Path,
) -> None:
    """A store that is killed and restarts later loses no message and repeats none, and the bridge idles."""
    name = f"w{uuid.uuid4().hex[:8]}"
    path = tmp_path / "bridge.toml"
    path.write_text(
        rabbitmq_source(rabbitmq, name, prefetch=PREFETCH)
        + kafka_source(kafka, f"{name}.k", topics=[name], group=name, prefetch=PREFETCH)
        + rabbitmq_sink(rabbitmq, name, events=["message.received"])
    )
    clock = asyncio.get_running_loop().time
    async with Queues.of(rabbitmq, name) as queues, Topics.of(kafka, name) as topics:
        await queues.declare_exchange(name, queue=f"{name}.events")
        with bridge_process(valkey.url, path) as process:
            tables = Tables(process, name)
            await eventually(process.ready, "the start of the bridge", SECONDS)
            await tables.are(paused=False)
            await happens(store, 0)
            flow = Flow(queues, topics, name)
            await have(store, lambda found: all(map(len, found.values())), "the first messages")
            valkey.kill()
            began = clock()
            await tables.are(paused=True)
            used, since = process.cpu_seconds(), clock()
            had = await stored_at_the_crash(valkey, settings, short_directory)
            await eventually(lambda: flow.count > len(had["ana"]) + 2 * PREFETCH, "the flow", SECONDS)
            taken = await flow.acknowledged()
            # The store has each message that was acknowledged.
            assert taken[0] <= len(had["ana"])
            assert taken[1] <= sum(len(had[user]) for user in USERS[1:])
            await asyncio.sleep(max(0.0, began + OUTAGE_SECONDS - clock()))
            assert await flow.acknowledged() == taken
            share = (process.cpu_seconds() - used) / (clock() - since)
            valkey.start()
            back = clock()
            await have(store, lambda found: all(len(found[user]) > len(had[user]) for user in USERS), "more")
            first = clock() - back
            await tables.are(paused=False)
            works = clock() - back
            await happens(store, 1)
            await flow.end()
            await have(store, lambda found: found == flow.expected(), "all messages, each once and in order")
            done = clock() - back
            async with asyncio.timeout(SECONDS):
                while await queues.waiting(f"{name}.events") < 2:  # noqa: ASYNC110 - it is at the broker
                    await asyncio.sleep(0.02)
            event = clock() - back
        assert await queues.waiting(name) == 0
        assert await topics.committed(name) == flow.count
        assert await numbers(queues, f"{name}.events") == [0, 1]
    print(  # noqa: T201 - the figures of the run
        f"{flow.count} messages to each broker; the store was away for {back - began:.1f} s, the bridge used "
        f"{share:.1%} of a processor then; first notification after {first:.2f} s, all work after "
        f"{works:.2f} s, all messages after {done:.2f} s, the "
        f"event of that time within {event:.2f} s"
    )
    assert share < MOST_CPU
