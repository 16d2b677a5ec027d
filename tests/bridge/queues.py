"""A client of RabbitMQ for tests: it declares queues, publishes with confirms, and reads dead letters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from tests.support.brokers import Rabbitmq


class Queues:
    """One channel."""

    def __init__(self, channel: AbstractChannel) -> None:
        self._channel = channel

    @classmethod
    @asynccontextmanager
    async def of(cls, server: Rabbitmq, *names: str) -> AsyncIterator["Queues"]:
        """A channel, on which these durable queues are declared."""
        connection = await aio_pika.connect(server.url)
        try:
            queues = cls(await connection.channel())
            for name in names:
                await queues.declare(name)
            yield queues
        finally:
            await connection.close()

    async def declare(self, name: str) -> None:
        """Declare a durable queue."""
        await self._channel.declare_queue(name, durable=True)

    async def declare_exchange(self, name: str, *, queue: str = "", key: str = "#") -> None:
        """Declare a durable topic exchange, and bind a queue to it if one is named."""
        exchange = await self._channel.declare_exchange(name, aio_pika.ExchangeType.TOPIC, durable=True)
        if queue:
            found = await self._channel.declare_queue(queue, durable=True)
            await found.bind(exchange, key)

    async def delete_exchange(self, name: str) -> None:
        """Delete an exchange."""
        await self._channel.exchange_delete(name)

    async def take_all(self, name: str) -> list[AbstractIncomingMessage]:
        """The messages of a queue in order, acknowledged, until it is empty."""
        found = []
        while (message := await self.take(name)) is not None:
            found.append(message)
        return found

    async def delete(self, name: str) -> None:
        """Delete a queue."""
        await self._channel.queue_delete(name)

    async def publish(self, name: str, body: bytes, message_id: str | None = None, **headers: Any) -> None:
        """Publish a persistent message, and return when the broker has it. `_` in a header is `-`."""
        message = aio_pika.Message(
            body,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=message_id,
            headers={key.replace("_", "-"): value for key, value in headers.items()},
        )
        await self._channel.default_exchange.publish(message, name)

    async def waiting(self, name: str) -> int:
        """How many messages are in a queue, and in no consumer."""
        queue = await self._channel.declare_queue(name, passive=True)
        return queue.declaration_result.message_count or 0

    async def take(self, name: str) -> AbstractIncomingMessage | None:
        """The next message of a queue, acknowledged; None when it is empty."""
        queue = await self._channel.get_queue(name)
        return await queue.get(no_ack=True, fail=False)
