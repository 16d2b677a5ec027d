"""A client of Kafka for tests: it creates topics, produces, and reads dead letters."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.support.brokers import Kafka


class Topics:
    """A producer and an administrator."""

    def __init__(self, server: Kafka, producer: Any, admin: Any) -> None:
        self._server, self._producer, self._admin = server, producer, admin

    @classmethod
    @asynccontextmanager
    async def of(cls, server: Kafka, *names: str) -> AsyncIterator["Topics"]:
        """Clients, with these topics of three partitions."""
        producer = AIOKafkaProducer(bootstrap_servers=server.servers, acks="all", enable_idempotence=True)
        admin = AIOKafkaAdminClient(bootstrap_servers=server.servers)
        await producer.start()
        await admin.start()
        try:
            topics = cls(server, producer, admin)
            for name in names:
                await topics.create(name)
            yield topics
        finally:
            await producer.stop()
            await admin.close()

    async def create(self, name: str) -> None:
        """Create a topic of three partitions, and return when all of them have a leader."""
        await self._admin.create_topics([NewTopic(name, num_partitions=3, replication_factor=1)])
        async with asyncio.timeout(20):
            while len(await self._producer.partitions_for(name)) != 3:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.05)

    async def delete(self, name: str) -> None:
        """Delete a topic."""
        await self._admin.delete_topics([name])

    async def produce(self, name: str, body: bytes, partition: int = 0, **headers: str) -> None:
        """Produce a record, and return when the broker has it. `_` in a header is `-`."""
        given = [(key.replace("_", "-"), text.encode()) for key, text in headers.items()]
        await self._producer.send_and_wait(name, body, partition=partition, headers=given)

    async def produce_all(self, name: str, bodies: Iterable[tuple[int, bytes]]) -> None:
        """Produce records, each with its partition, in order."""
        sent = [await self._producer.send(name, body, partition=partition) for partition, body in bodies]
        for each in sent:
            await each

    async def committed(self, group: str) -> int:
        """How many records the group has acknowledged: the sum of its offsets."""
        found = await self._admin.list_consumer_group_offsets(group)
        return sum(max(0, each.offset) for each in found.values())

    async def read_all(self, name: str) -> list[Any]:
        """The records of a topic up to its end, those of one partition in order."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self._server.servers, group_id=None)
        await consumer.start()
        try:
            parts = [TopicPartition(name, number) for number in range(3)]
            consumer.assign(parts)
            await consumer.seek_to_beginning(*parts)
            ends = await consumer.end_offsets(parts)
            found: list[Any] = []
            async with asyncio.timeout(30):
                while len(found) < sum(ends.values()):
                    for records in (await consumer.getmany(timeout_ms=200)).values():
                        found += records
            return found
        finally:
            await consumer.stop()

    async def read(self, name: str, count: int) -> list[Any]:
        """The first `count` records of a topic."""
        consumer = AIOKafkaConsumer(
            name, bootstrap_servers=self._server.servers, auto_offset_reset="earliest", group_id=None
        )
        await consumer.start()
        try:
            async with asyncio.timeout(30):
                return [await anext(consumer) for _ in range(count)]
        finally:
            await consumer.stop()
