"""Topics of Kafka as sources."""

import uuid

import pytest

from tests.bridge.support import Bridges, arrive, kafka_source, notification
from tests.bridge.topics import Topics
from tests.support.brokers import Kafka
from tidings_workers.store import Store


@pytest.fixture
def name() -> str:
    """A topic of this test."""
    return f"t{uuid.uuid4().hex[:8]}"


async def test_records_and_dead_letters(kafka: Kafka, bridges: Bridges, store: Store, name: str) -> None:
    """Records are notifications, once each after a restart too; one that is not valid is a dead letter."""
    dead = f"{name}.dead"
    async with Topics.of(kafka, name, dead) as topics:
        await topics.produce(name, notification(1))
        await topics.produce(name, b"no JSON", trace="x")
        await topics.produce(name, notification(2), Idempotency_Key="two")
        await topics.produce(name, notification(2), Idempotency_Key="two")
        await bridges.start(kafka_source(kafka, name, dead_letter=dead))
        await arrive(store, ["1", "2"])
        await bridges.until(name, lambda report: (report.accepted, report.dead) == (3, 1), "the records")
        await bridges.stop()
        await topics.produce(name, notification(3))
        await bridges.start()
        await arrive(store, ["1", "2", "3"])
        report = await bridges.until(name, lambda report: report.accepted == 1, "the last record")
        assert report.dead == 0
        (record,) = await topics.read(dead, 1)
    assert record.value == b"no JSON"
    headers = dict(record.headers)
    assert (headers["trace"], headers["tidings-error"]) == (b"x", b"malformed_json")


async def test_data_with_headers(kafka: Kafka, bridges: Bridges, store: Store, name: str) -> None:
    """With the format `data` the value is the data, and headers have the target and the texts."""
    async with Topics.of(kafka, name) as topics:
        await topics.produce(name, b'{"a": 1}', tidings_to_users="ana", tidings_title="1")
        await bridges.start(kafka_source(kafka, name, format="data"))
        await arrive(store, ["1"])


async def test_a_topic_that_is_deleted_and_made_again(
    kafka: Kafka, bridges: Bridges, store: Store, name: str
) -> None:
    """A deleted topic pauses its source with a reason; the records of the new topic are notifications."""
    async with Topics.of(kafka, name) as topics:
        await topics.produce(name, notification(1))
        await bridges.start(kafka_source(kafka, name), kafka_source(kafka, "missing"))
        await arrive(store, ["1"])
        missing = await bridges.until("missing", lambda report: report.paused == "broker", "the pause")
        assert missing.last_error == "the topic missing does not exist: create it, or correct topics"
        await bridges.until(name, lambda report: report.accepted == 1, "the commit")
        await topics.delete(name)
        report = await bridges.until(name, lambda report: report.paused == "broker", "the pause")
        assert report.last_error == f"the topic {name} does not exist: create it, or correct topics"
        await topics.create(name)
        # The same partition and offset as the first record, and the same body.
        await topics.produce(name, notification(1))
        await topics.produce(name, notification(2))
        await arrive(store, ["1", "1", "2"])


async def test_wrong_credentials(kafka: Kafka, bridges: Bridges, store: Store, name: str) -> None:
    """A wrong password is named without showing it; a right one works."""
    async with Topics.of(kafka, name) as topics:
        await topics.produce(name, notification(1))
        wrong = {"servers": kafka.sasl, "user": "tidings", "password": "secret", "topics": [name]}
        right = {"servers": kafka.sasl, "user": "tidings", "password": "right"}
        await bridges.start(kafka_source(kafka, "wrong", **wrong), kafka_source(kafka, name, **right))
        report = await bridges.until("wrong", lambda report: report.paused == "broker", "the pause")
        assert "refuses the user or the password" in report.last_error
        assert "secret" not in report.last_error
        await arrive(store, ["1"])
