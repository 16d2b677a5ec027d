"""Sources that are destinations of a broker that speaks STOMP: ActiveMQ, Artemis, RabbitMQ with its plugin.

A connection speaks STOMP 1.1 or 1.2, with heartbeats of 10 s in both directions.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from tidings.protocol.names import is_idempotency_key
from tidings_workers.addresses import masked
from tidings_workers.bridge.brokers import CONNECT_SECONDS, secured, unreachable
from tidings_workers.bridge.configuration import AnySource, StompSource
from tidings_workers.bridge.messages import Message, digest_key
from tidings_workers.bridge.stomp_connection import StompConnection
from tidings_workers.gateway.stomp.frames import (
    Frame,
    is_representable,
)

PORT: Final = 61_613

_SUBSCRIPTION: Final = "tidings"

# Headers of a MESSAGE that its copy in the dead letters does not have: the broker writes its own.
_OWN_HEADERS: Final = frozenset(
    (
        "ack",
        "content-length",
        "destination",
        "message-id",
        "receipt",
        "redelivered",
        "subscription",
        "transaction",
    )
)
# Brokers that write message ids, which stay the same when a message is delivered again: ActiveMQ.
_STABLE_ID: Final = "ID:"


class StompBroker:
    """The destination of one source."""

    def __init__(self, source: StompSource) -> None:
        self._source = source

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["StompSourceConnection"]:
        """As `Broker.connection`. Some brokers create a destination that does not exist."""
        async with self._connected() as opened:
            await opened.subscribe()
            yield opened

    async def probe(self) -> str:
        """As `Broker.probe`: it does not subscribe, so the destination is not checked."""
        async with self._connected() as opened:
            return f"{masked(self._source.url)} accepts the user and speaks STOMP {opened.version}"

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator["StompSourceConnection"]:
        shown, parts = masked(self._source.url), urlsplit(self._source.url)
        secure = secured(self._source)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port or PORT, ssl=secure)
        except (OSError, TimeoutError) as error:
            raise unreachable(self._source, shown, error, "url") from None
        opened = StompSourceConnection(self._source, reader, writer)
        try:
            await opened.connect()
            yield opened
        finally:
            await opened.close()


class StompSourceConnection(StompConnection):
    """One connection; see `brokers.BrokerConnection`."""

    async def subscribe(self) -> None:
        """Begin to receive messages. Raises BrokerError."""
        prefetch = str(self._source.prefetch)
        headers = {
            "id": _SUBSCRIPTION,
            "destination": self._source.destination,
            "ack": "client",
            # RabbitMQ's and ActiveMQ's names of the same limit.
            "prefetch-count": prefetch,
            "activemq.prefetchSize": prefetch,
        }
        await self._confirmed("SUBSCRIBE", headers)

    async def receive(self) -> Sequence[Message]:
        """As `BrokerConnection.receive`."""
        while not self._frames:
            self._raise_ended()
            self._wakes.clear()
            await self._wakes.wait()
        self._raise_ended()
        count = min(len(self._frames), self._source.prefetch)
        messages = [self._message(self._frames.popleft()) for _ in range(count)]
        self._drained.set()
        return messages

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """As `BrokerConnection.acknowledge`: in the mode `client` an ACK is for all messages before, too."""
        self._raise_ended()
        frame: Frame = messages[-1].handle
        if self.version == "1.2":
            headers = {"id": frame.headers.get("ack", "")}
        else:
            headers = {"message-id": frame.headers.get("message-id", ""), "subscription": _SUBSCRIPTION}
        self._write("ACK", headers.items())
        await self._drain()

    async def set_aside(self, message: Message, headers: Mapping[str, str]) -> None:
        """As `BrokerConnection.set_aside`: on return the broker has confirmed it."""
        frame: Frame = message.handle
        kept = {name: text for name, text in frame.headers.items() if name not in _OWN_HEADERS}
        added = {name: text for name, text in headers.items() if is_representable(text, self.version)}
        destination = {"destination": self._source.dead_letter or "", "persistent": "true"}
        await self._confirmed("SEND", {**kept, **added, **destination}, frame.body)

    async def lag(self) -> int | None:
        """As `BrokerConnection.lag`: STOMP does not say."""
        self._raise_ended()
        return None

    def _message(self, frame: Frame) -> Message:
        headers = {name.lower(): text for name, text in frame.headers.items()}
        written = headers.get("message-id", "")
        name = headers.get("amqp-message-id") or (written if written.startswith(_STABLE_ID) else "")
        key = secrets.token_hex(16) if not name else name if is_idempotency_key(name) else digest_key(name)
        place = f"message {written[:100]!r} of {self._source.destination}"
        return Message(body=frame.body, headers=headers, key=key, place=place, handle=frame)


def broker(source: AnySource) -> StompBroker:
    """The broker of a source of this type."""
    assert isinstance(source, StompSource)  # noqa: S101 - its type is in the table of brokers
    return StompBroker(source)
