"""Topics of Kafka as sinks."""

import json
import uuid

import pytest

from tests.bridge.support import Bridges, happens, kafka_sink, works
from tests.bridge.topics import Topics
from tests.support.brokers import Kafka
from tidings_workers.store import Store


@pytest.fixture
def name() -> str:
    """A topic of this test."""
    return f"y{uuid.uuid4().hex[:8]}"


async def test_events_are_records(kafka: Kafka, bridges: Bridges, store: Store, name: str) -> None:
    """Events are records with the user as key, once each after a restart too; a user's are in order."""
    users = ["ana", "bob", "eve", "\N{SNOWMAN}"]
    async with Topics.of(kafka, name) as topics:
        await bridges.start(kafka_sink(kafka, name, events=["message.*"]))
        await works(bridges, name)
        for number in range(20):
            await happens(store, number, users[number % 4])
        await bridges.until(name, lambda report: (report.accepted, report.lag) == (20, 0), "the events")
        await bridges.stop()
        for number in range(20, 40):
            await happens(store, number, users[number % 4])
        await bridges.start()
        await bridges.until(name, lambda report: report.accepted == 20, "the others")
        records = await topics.read_all(name)
    assert len(records) == 40
    assert len({dict(record.headers)["webhook-id"] for record in records}) == 40
    for index, user in enumerate(users):
        mine = [record for record in records if record.key == user.encode()]
        assert len({record.partition for record in mine}) == 1
        bodies = [json.loads(record.value) for record in mine]
        assert [body["data"]["number"] for body in bodies] == list(range(index, 40, 4))
        assert {body["type"] for body in bodies} == {"message.received"}
        assert {dict(record.headers)["type"] for record in mine} == {b"message.received"}


async def test_a_topic_that_does_not_exist(kafka: Kafka, bridges: Bridges, store: Store, name: str) -> None:
    """A sink without its topic says so; what happens before it is created is written afterwards."""
    async with Topics.of(kafka) as topics:
        await bridges.start(kafka_sink(kafka, name))
        report = await bridges.until(name, lambda report: report.paused == "broker", "the pause")
        assert report.last_error == f"the topic {name} does not exist: create it, or correct topic"
        await happens(store, 1)
        await topics.create(name)
        await bridges.until(name, lambda report: report.accepted == 1, "the event")
        (record,) = await topics.read_all(name)
    assert json.loads(record.value)["data"]["number"] == 1


async def test_wrong_credentials(kafka: Kafka, bridges: Bridges, store: Store, name: str) -> None:
    """A wrong password is named without showing it; a right one works."""
    async with Topics.of(kafka, name):
        keys = {"servers": kafka.sasl, "user": "tidings", "topic": name}
        await bridges.start(
            kafka_sink(kafka, "wrong", **keys, password="secret"),
            kafka_sink(kafka, name, **keys, password="right"),
        )
        report = await bridges.until("wrong", lambda report: report.paused == "broker", "the pause")
        assert "refuses the user or the password" in report.last_error
        assert "secret" not in report.last_error
        await works(bridges, name)
        await happens(store, 1)
        await bridges.until(name, lambda report: report.accepted == 1, "the event")
