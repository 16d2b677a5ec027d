"""Sinks that are exchanges of RabbitMQ.

The routing key is the type of the event. Messages are persistent, mandatory and confirmed: one that no queue
takes is returned, and its sink pauses until a queue is bound. Nothing is restored: a channel that closes ends
the connection.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aio_pika
import aiormq
from aio_pika.abc import AbstractConnection, AbstractExchange

from tidings_workers.bridge.brokers import ANSWER_SECONDS, CONNECT_SECONDS, BrokerError, Outgoing, answered
from tidings_workers.bridge.configuration import AnySink, RabbitmqSink
from tidings_workers.bridge.rabbitmq_clients import FAULTS, connected, explained


class RabbitmqSinkBroker:
    """The exchange of one sink."""

    def __init__(self, sink: RabbitmqSink) -> None:
        self._sink = sink

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["RabbitmqSinkConnection"]:
        """As `SinkBroker.connection`. The exchange must exist."""
        async with connected(self._sink) as connection:
            opened = RabbitmqSinkConnection(self._sink, connection)
            await opened.open()
            yield opened

    async def probe(self) -> str:
        """As `SinkBroker.probe`."""
        async with self.connection():
            return f"the exchange {self._sink.exchange} exists"


class RabbitmqSinkConnection:
    """One connection with a channel; see `brokers.SinkConnection`."""

    def __init__(self, sink: RabbitmqSink, connection: AbstractConnection) -> None:
        self._sink = sink
        self._connection = connection
        self._exchange: AbstractExchange | None = None
        self._channel: Any = None

    async def open(self) -> None:
        """Check that the exchange exists. Raises BrokerError."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                channel = await self._connection.channel(on_return_raises=True)
                self._channel = await channel.get_underlay_channel()
                self._exchange = await channel.get_exchange(self._sink.exchange)
        except FAULTS as error:
            raise BrokerError(self._explained(error)) from None

    async def publish(self, event: Outgoing) -> None:
        """As `SinkConnection.publish`: at least one queue has the message, on disk where it is durable."""
        assert self._exchange is not None  # noqa: S101 - it is open
        message = aio_pika.Message(
            event.body,
            headers={"webhook-id": event.id, "type": event.type},
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=event.id,
            timestamp=datetime.fromtimestamp(event.at / 1000, UTC),
            type=event.type,
        )
        try:
            await answered(self._exchange.publish(message, event.type, mandatory=True))
        except aiormq.exceptions.PublishError:
            raise BrokerError(
                f"no queue takes {event.type} from the exchange {self._sink.exchange}: bind a queue with "
                "this routing key, or with #, or remove the type from events"
            ) from None
        except aiormq.exceptions.DeliveryError:
            raise BrokerError(
                f"a queue of the exchange {self._sink.exchange} refuses {event.type}: read from the queue, "
                "or raise its limits"
            ) from None
        except FAULTS as error:
            raise BrokerError(self._explained(error)) from None

    async def check(self) -> None:
        """As `SinkConnection.check`."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._channel.exchange_declare(self._sink.exchange, passive=True)
        except FAULTS as error:
            raise BrokerError(self._explained(error)) from None

    def _explained(self, error: BaseException) -> str:
        return explained(error, f"exchange {self._sink.exchange}", "exchange")


def broker(sink: AnySink) -> RabbitmqSinkBroker:
    """The broker of a sink of this type."""
    assert isinstance(sink, RabbitmqSink)  # noqa: S101 - its type is in the table of brokers
    return RabbitmqSinkBroker(sink)
