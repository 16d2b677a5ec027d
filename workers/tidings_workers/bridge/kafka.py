"""Sources that are topics of Kafka.

A connection is a consumer of a group. The library reconnects to brokers, so a short outage keeps it: a
new one would wait until the group has given up the old one.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError

from tidings_workers.bridge.brokers import BrokerError, answered, reason_of
from tidings_workers.bridge.configuration import AnySource, KafkaSource
from tidings_workers.bridge.kafka_clients import FAULTS, check_topics, explained, options, started, stop
from tidings_workers.bridge.messages import Message, header_text
from tidings_workers.logs import get_logger

POLL_MS: Final = 1_000
# After this time without a heartbeat, others of the group get the partitions of a bridge that was killed.
SESSION_MS: Final = 6_000
# A broker that does not answer for this long ends the connection.
OUTAGE_SECONDS: Final = 60.0
# Bytes of one partition, and of all, that one request may read.
PARTITION_BYTES: Final = 1024 * 1024
FETCH_BYTES: Final = 16 * 1024 * 1024

_log = get_logger(__name__)


class KafkaBroker:
    """The topics of one source."""

    def __init__(self, source: KafkaSource) -> None:
        self._source = source

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["KafkaConnection"]:
        """As `Broker.connection`. The topics must exist."""
        consumer = await started(
            self._source,
            AIOKafkaConsumer(
                group_id=self._source.group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                session_timeout_ms=SESSION_MS,
                heartbeat_interval_ms=SESSION_MS // 3,
                isolation_level="read_committed",
                max_partition_fetch_bytes=PARTITION_BYTES,
                fetch_max_bytes=FETCH_BYTES,
                **options(self._source),
            ),
        )
        try:
            await self._check_topics(consumer)
            consumer.subscribe(list(self._source.topics))
            async with self._producer() as producer:
                yield KafkaConnection(self._source, consumer, producer, self._check_topics)
        finally:
            await stop(consumer)

    async def probe(self) -> str:
        """As `Broker.probe`."""
        consumer = await started(self._source, AIOKafkaConsumer(**options(self._source)))
        try:
            await self._check_topics(consumer)
            counts = [len(consumer.partitions_for_topic(topic) or ()) for topic in self._source.topics]
            topics = ", ".join(self._source.topics)
            return f"the topics {topics} have {sum(counts):,} partitions"
        finally:
            await stop(consumer)

    async def _check_topics(self, consumer: Any) -> None:
        try:
            found = await answered(consumer.topics())
        except FAULTS as error:
            raise BrokerError(explained(error)) from None
        wanted = [("topics", topic) for topic in self._source.topics]
        if self._source.dead_letter is not None:
            wanted.append(("dead_letter", self._source.dead_letter))
        check_topics(found, wanted)

    @asynccontextmanager
    async def _producer(self) -> AsyncIterator[Any]:
        if self._source.dead_letter is None:
            yield None
            return
        producer = await started(
            self._source, AIOKafkaProducer(acks="all", enable_idempotence=True, **options(self._source))
        )
        try:
            yield producer
        finally:
            await stop(producer)


class KafkaConnection:
    """One consumer; see `brokers.BrokerConnection`."""

    def __init__(self, source: KafkaSource, consumer: Any, producer: Any, check: Any) -> None:
        self._source = source
        self._consumer = consumer
        self._producer = producer
        self._check = check
        self._answered = asyncio.get_running_loop().time()

    async def receive(self) -> Sequence[Message]:
        """As `BrokerConnection.receive`: the records of a partition are in order, and follow each other."""
        while True:
            try:
                found = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=self._source.prefetch)
            except FAULTS as error:
                raise BrokerError(explained(error)) from None
            messages = [self._message(record) for records in found.values() for record in records]
            if messages:
                return messages

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """As `BrokerConnection.acknowledge`: it commits the offsets behind the messages."""
        offsets: dict[TopicPartition, int] = {}
        for message in messages:
            record: ConsumerRecord[bytes, bytes] = message.handle
            offsets[TopicPartition(record.topic, record.partition)] = record.offset + 1
        assigned = self._consumer.assignment()
        mine = {partition: offset for partition, offset in offsets.items() if partition in assigned}
        try:
            # A partition that another bridge has now is read there again, by the same keys.
            if mine:
                await answered(self._consumer.commit(mine))
        except CommitFailedError:
            _log.info("commit refused: the group shares its partitions again", source=self._source.name)
        except FAULTS as error:
            raise BrokerError(explained(error)) from None

    async def set_aside(self, message: Message, headers: Mapping[str, str]) -> None:
        """As `BrokerConnection.set_aside`."""
        record: ConsumerRecord[bytes, bytes] = message.handle
        added = [(name, text.encode()) for name, text in headers.items()]
        try:
            await answered(
                self._producer.send_and_wait(
                    self._source.dead_letter,
                    value=record.value,
                    key=record.key,
                    headers=[*record.headers, *added],
                )
            )
        except FAULTS as error:
            raise BrokerError(
                f"the topic {self._source.dead_letter} takes no message ({reason_of(error)}): see dead_letter"
            ) from None

    async def lag(self) -> int | None:
        """As `BrokerConnection.lag`: the records behind this consumer's positions in its partitions."""
        clock = asyncio.get_running_loop().time
        try:
            await self._check(self._consumer)
            assigned = self._consumer.assignment()
            ends = await answered(self._consumer.end_offsets(list(assigned))) if assigned else {}
            positions = {each: await answered(self._consumer.position(each)) for each in assigned}
        except (BrokerError, *FAULTS) as error:
            if isinstance(error, BrokerError) and "does not exist" in str(error):
                raise
            if clock() - self._answered > OUTAGE_SECONDS:
                raise BrokerError(explained(error)) from None
            return None
        self._answered = clock()
        waiting: int = sum(max(0, end - positions[each]) for each, end in ends.items())
        return waiting

    @staticmethod
    def _message(record: "ConsumerRecord[bytes, bytes]") -> Message:
        place = f"kafka:{record.topic}:{record.partition}:{record.offset}"
        return Message(
            body=record.value or b"",
            headers={name.lower(): header_text(value) for name, value in record.headers},
            key=place,
            moment=str(record.timestamp),
            place=place,
            handle=record,
        )


def broker(source: AnySource) -> KafkaBroker:
    """The broker of a source of this type."""
    assert isinstance(source, KafkaSource)  # noqa: S101 - its type is in the table of brokers
    return KafkaBroker(source)
