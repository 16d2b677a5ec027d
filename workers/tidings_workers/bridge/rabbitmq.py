"""Sources that are queues of RabbitMQ.

A connection has three channels: to consume, to publish dead letters, and to watch the queue. Nothing is
restored: when one of them closes, or the broker cancels the consumer, the connection ends.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import aiormq
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage

from tidings.protocol.names import is_idempotency_key
from tidings_workers.bridge.brokers import ANSWER_SECONDS, CONNECT_SECONDS, BrokerError
from tidings_workers.bridge.configuration import AnySource, RabbitmqSource
from tidings_workers.bridge.messages import Message, digest_key, header_text
from tidings_workers.bridge.rabbitmq_clients import FAULTS, connected, explained


class RabbitmqBroker:
    """The queue of one source."""

    def __init__(self, source: RabbitmqSource) -> None:
        self._source = source

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["RabbitmqConnection"]:
        """As `Broker.connection`. The queues must exist."""
        async with self._connected() as opened:
            await opened.consume()
            yield opened

    async def probe(self) -> str:
        """As `Broker.probe`."""
        async with self._connected() as opened:
            return f"the queue {self._source.queue} has {await opened.lag():,} messages"

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator["RabbitmqConnection"]:
        async with connected(self._source) as connection:
            opened = RabbitmqConnection(self._source, connection)
            await opened.open()
            yield opened


class RabbitmqConnection:
    """One connection; see `brokers.BrokerConnection`."""

    def __init__(self, source: RabbitmqSource, connection: AbstractConnection) -> None:
        self._source = source
        self._connection = connection
        self._arrived: deque[AbstractIncomingMessage] = deque()
        self._wakes = asyncio.Event()
        self._end = ""
        self._consuming: AbstractChannel | None = None
        self._publishing: AbstractChannel | None = None
        self._watching: Any = None

    async def open(self) -> None:
        """Check that the queues exist. Raises BrokerError."""
        self._connection.close_callbacks.add(self._on_close)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._watch_queue()
        except FAULTS as error:
            raise BrokerError(self._explained(error)) from None

    async def consume(self) -> None:
        """Begin to receive messages. Raises BrokerError."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                self._publishing = await self._connection.channel(on_return_raises=True)
                self._publishing.close_callbacks.add(self._on_close)
                self._consuming = await self._connection.channel(publisher_confirms=False)
                self._consuming.close_callbacks.add(self._on_close)
                await self._consuming.set_qos(prefetch_count=self._source.prefetch)
                underlay = await self._consuming.get_underlay_channel()
                underlay.on_consumer_cancel_callbacks.add(self._on_cancel)
                queue = await self._consuming.get_queue(self._source.queue, ensure=False)
                await queue.consume(self._on_message)
        except FAULTS as error:
            raise BrokerError(self._explained(error)) from None

    async def _watch_queue(self) -> None:
        channel = await self._connection.channel(publisher_confirms=False)
        self._watching = await channel.get_underlay_channel()
        for queue in (self._source.dead_letter, self._source.queue):
            if queue is None:
                continue
            try:
                await self._watching.queue_declare(queue, passive=True)
            except aiormq.exceptions.ChannelNotFoundEntity:
                key = "queue" if queue == self._source.queue else "dead_letter"
                raise BrokerError(f"the queue {queue} does not exist: declare it, or correct {key}") from None

    def _explained(self, error: BaseException) -> str:
        return explained(error, f"queue {self._source.queue}", "queue")

    async def receive(self) -> Sequence[Message]:
        """As `BrokerConnection.receive`."""
        while not self._arrived:
            self._raise_ended()
            self._wakes.clear()
            await self._wakes.wait()
        self._raise_ended()
        messages = []
        while self._arrived:
            messages.append(self._message(self._arrived.popleft()))
        return messages

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """As `BrokerConnection.acknowledge`."""
        self._raise_ended()
        try:
            await messages[-1].handle.ack(multiple=True)
        except FAULTS as error:
            raise BrokerError(self._explained(error)) from None

    async def set_aside(self, message: Message, headers: Mapping[str, str]) -> None:
        """As `BrokerConnection.set_aside`."""
        self._raise_ended()
        assert self._publishing is not None  # noqa: S101 - it consumes
        assert self._source.dead_letter is not None  # noqa: S101 - checked by the caller
        original: AbstractIncomingMessage = message.handle
        copy = aio_pika.Message(
            original.body,
            headers={**original.headers, **headers},
            content_type=original.content_type,
            content_encoding=original.content_encoding,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=original.message_id,
            correlation_id=original.correlation_id,
            timestamp=original.timestamp,
            type=original.type,
            app_id=original.app_id,
        )
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._publishing.default_exchange.publish(copy, self._source.dead_letter)
        except aiormq.exceptions.PublishError:
            raise BrokerError(
                f"the queue {self._source.dead_letter} does not exist: declare it, or correct dead_letter"
            ) from None
        except FAULTS as error:
            raise BrokerError(self._explained(error)) from None

    async def lag(self) -> int:
        """As `BrokerConnection.lag`: the messages of the queue that are in no consumer."""
        self._raise_ended()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                found = await self._watching.queue_declare(self._source.queue, passive=True)
        except FAULTS as error:
            raise BrokerError(self._explained(error)) from None
        count: int = found.message_count
        return count

    async def _on_message(self, message: AbstractIncomingMessage) -> None:
        self._arrived.append(message)
        self._wakes.set()

    def _on_close(self, _: Any, error: BaseException | None = None) -> None:
        self._ends(
            self._explained(error) if error is not None else "the connection ended: see the broker's log"
        )

    def _on_cancel(self, _: Any) -> None:
        self._ends(
            f"RabbitMQ cancelled the consumer of {self._source.queue}: declare the queue if it was deleted"
        )

    def _ends(self, reason: str) -> None:
        self._end = self._end or reason
        self._wakes.set()

    def _raise_ended(self) -> None:
        if self._end:
            raise BrokerError(self._end)

    def _message(self, delivered: AbstractIncomingMessage) -> Message:
        name = delivered.message_id
        key = secrets.token_hex(16) if not name else name if is_idempotency_key(name) else digest_key(name)
        place = f"message {delivered.delivery_tag} of the queue {self._source.queue}"
        return Message(
            body=delivered.body,
            headers={name.lower(): header_text(value) for name, value in delivered.headers.items()},
            key=key,
            place=place if name is None else f"{place} (message_id {name[:100]!r})",
            handle=delivered,
        )


def broker(source: AnySource) -> RabbitmqBroker:
    """The broker of a source of this type."""
    assert isinstance(source, RabbitmqSource)  # noqa: S101 - its type is in the table of brokers
    return RabbitmqBroker(source)
