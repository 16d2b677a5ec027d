"""Sinks that are topics of Kafka.

The key of a record is the user, so the events of a user are in one partition, in order. The producer is
idempotent: the library sends a record again without a second copy. Nothing outlives a fault: the next
connection is a new producer.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tidings_workers.bridge.brokers import BrokerError, Outgoing, answered
from tidings_workers.bridge.configuration import AnySink, KafkaSink
from tidings_workers.bridge.kafka_clients import FAULTS, check_topics, explained, options, started, stop


class KafkaSinkBroker:
    """The topic of one sink."""

    def __init__(self, sink: KafkaSink) -> None:
        self._sink = sink

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["KafkaSinkConnection"]:
        """As `SinkBroker.connection`. The topic must exist."""
        made = AIOKafkaProducer(acks="all", enable_idempotence=True, **options(self._sink))
        producer = await started(self._sink, made)
        try:
            connection = KafkaSinkConnection(self._sink, producer)
            await connection.check()
            yield connection
        finally:
            await stop(producer)

    async def probe(self) -> str:
        """As `SinkBroker.probe`."""
        consumer = await started(self._sink, AIOKafkaConsumer(**options(self._sink)))
        try:
            try:
                check_topics(await answered(consumer.topics()), [("topic", self._sink.topic)])
            except FAULTS as error:
                raise BrokerError(explained(error)) from None
            count = len(consumer.partitions_for_topic(self._sink.topic) or ())
            return f"the topic {self._sink.topic} has {count:,} partitions"
        finally:
            await stop(consumer)


class KafkaSinkConnection:
    """One producer; see `brokers.SinkConnection`."""

    def __init__(self, sink: KafkaSink, producer: Any) -> None:
        self._sink = sink
        self._producer = producer

    async def publish(self, event: Outgoing) -> None:
        """As `SinkConnection.publish`: all replicas in sync have the record."""
        try:
            await answered(
                self._producer.send_and_wait(
                    self._sink.topic,
                    value=event.body,
                    key=None if event.user is None else event.user.encode(),
                    headers=[("webhook-id", event.id.encode()), ("type", event.type.encode())],
                    timestamp_ms=event.at,
                )
            )
        except FAULTS as error:
            raise BrokerError(explained(error)) from None

    async def check(self) -> None:
        """As `SinkConnection.check`."""
        try:
            cluster = await answered(self._producer.client.fetch_all_metadata())
        except FAULTS as error:
            raise BrokerError(explained(error)) from None
        check_topics(cluster.topics(), [("topic", self._sink.topic)])


def broker(sink: AnySink) -> KafkaSinkBroker:
    """The broker of a sink of this type."""
    assert isinstance(sink, KafkaSink)  # noqa: S101 - its type is in the table of brokers
    return KafkaSinkBroker(sink)
