"""Brokers that are away when the bridge starts, and places that are absent or deleted while it works."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.bridge.queues import Queues
from tests.bridge.support import (
    Bridges,
    arrive,
    happens,
    kafka_source,
    notification,
    rabbitmq_sink,
    rabbitmq_source,
    stomp_source,
    titles,
    works,
)
from tests.bridge.topics import Topics
from tests.support.brokers import Kafka, Rabbitmq
from tests.support.ports import free_port
from tidings_workers.store import Store


@pytest.fixture
def name() -> str:
    """A queue, a topic and an exchange of this test."""
    return f"b{uuid.uuid4().hex[:8]}"


@asynccontextmanager
async def relay(port: int, to: int) -> AsyncIterator[None]:
    """A port that leads to another one until the end of the block."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", to)
        await asyncio.gather(copy(reader, other_writer), copy(other_reader, writer), return_exceptions=True)
        for each in (writer, other_writer):
            each.close()

    async with await asyncio.start_server(serve, "127.0.0.1", port):
        yield


async def test_brokers_that_are_away_at_the_start(
    rabbitmq: Rabbitmq, kafka: Kafka, bridges: Bridges, store: Store, name: str
) -> None:
    """Sources of brokers that start later pause and say so, and work then; the other source works at once."""
    amqp, stomp, servers = free_port(), free_port(), free_port()
    other = f"{name}.stomp"
    async with Queues.of(rabbitmq, name, other) as queues, Topics.of(kafka, name) as topics:
        for queue, number in ((name, 1), (other, 2)):
            await queues.publish(queue, notification(number))
        await topics.produce(name, notification(3))
        await topics.produce(name, notification(0, "bob"))
        await bridges.start(
            rabbitmq_source(rabbitmq, "amqp", queue=name, url=f"amqp://guest:guest@127.0.0.1:{amqp}/"),
            stomp_source(
                rabbitmq, "stomp", destination=f"/amq/queue/{other}", url=f"stomp://127.0.0.1:{stomp}"
            ),
            kafka_source(kafka, "kafka", topics=[name], servers=f"127.0.0.1:{servers}"),
            kafka_source(kafka, "other", topics=[name], group=f"{name}.other", tenant="acme"),
        )
        for source in ("amqp", "stomp", "kafka"):
            report = await bridges.until(source, lambda report: report.paused == "broker", "the pause")
            assert "can't be reached" in report.last_error
            assert ": start it, or correct " in report.last_error
        # By its own source; the one that is away has the same record, and the same key.
        await arrive(store, ["0"], "bob")
        async with AsyncExitStack() as stack:
            for port, to in ((amqp, rabbitmq.port), (stomp, rabbitmq.stomp), (servers, kafka.port)):
                await stack.enter_async_context(relay(port, to))
            for source in ("amqp", "stomp", "kafka"):
                await bridges.until(source, lambda report: report.accepted > 0, "the message")
            assert sorted(await titles(store)) == ["1", "2", "3"]
            assert await titles(store, "bob") == ["0"]
            await bridges.stop()


async def test_dead_letters_that_do_not_exist(
    rabbitmq: Rabbitmq, kafka: Kafka, bridges: Bridges, store: Store, name: str
) -> None:
    """A source without its place for dead letters acknowledges nothing, and names the key to correct."""
    async with Queues.of(rabbitmq, name) as queues, Topics.of(kafka, name):
        await queues.publish(name, b"no JSON")
        await bridges.start(
            rabbitmq_source(rabbitmq, name, dead_letter="nowhere"),
            kafka_source(kafka, f"{name}.k", topics=[name], dead_letter="nowhere"),
        )
        for source, says in (
            (name, "the queue nowhere does not exist: declare it, or correct dead_letter"),
            (f"{name}.k", "the topic nowhere does not exist: create it, or correct dead_letter"),
        ):
            report = await bridges.until(source, lambda report: report.paused == "broker", "the pause")
            assert report.last_error == says
        await bridges.stop()
        assert await queues.waiting(name) == 1


async def test_an_exchange_that_is_deleted(
    rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str
) -> None:
    """A sink whose exchange is deleted says so, and writes all events when it is declared again."""
    async with Queues.of(rabbitmq) as queues:
        await queues.declare_exchange(name, queue=name)
        await bridges.start(rabbitmq_sink(rabbitmq, name, events=["message.received"]))
        await works(bridges, name)
        await happens(store, 1)
        await bridges.until(name, lambda report: report.accepted == 1, "the event")
        await queues.delete_exchange(name)
        await happens(store, 2)
        report = await bridges.until(name, lambda report: report.paused == "broker", "the pause")
        assert report.last_error == f"the exchange {name} does not exist: declare it, or correct exchange"
        await queues.declare_exchange(name, queue=name)
        await bridges.until(name, lambda report: report.accepted == 2, "the other event")
        found = [json.loads(message.body)["data"]["number"] for message in await queues.take_all(name)]
        assert found == [1, 2]
