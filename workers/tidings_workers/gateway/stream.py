"""A connection over one byte stream, with a limit on the bytes that wait to be sent."""

import asyncio
import socket
from collections.abc import Callable
from typing import Final, NamedTuple, cast

from tidings.protocol import closing
from tidings_workers.gateway.connection import Connection, GatewayCalls
from tidings_workers.gateway.pending_writes import PendingWrites

# During a catch-up, a consumer that reads nothing for this long counts as slow.
STALLED_SECONDS: Final = 10.0
WRITE_HIGH_BYTES: Final = 64 * 1024
# How long the kernel waits for a peer to acknowledge bytes.
UNACKNOWLEDGED_MS: Final = 60_000


def limit_unacknowledged(transport: asyncio.BaseTransport) -> None:
    """Let the kernel close a one-way stream whose peer disappeared: no answers show that."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        kernel = transport.get_extra_info("socket")
        kernel.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)


class Stream(Connection, asyncio.Protocol):
    """One client on a byte stream. A subclass implements `data_received`."""

    __slots__ = ("_outbox_bytes", "_paused", "_transport", "_writable")

    def __init__(self, gateway: GatewayCalls, pending_writes: PendingWrites) -> None:
        super().__init__(gateway, pending_writes)
        # With more bytes than this in the write buffer the peer counts as a slow consumer.
        self._outbox_bytes = gateway.settings.outbox_bytes
        self._paused = False
        self._writable: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self.use(transport)
        peer = transport.get_extra_info("peername")
        self.address = peer[0] if isinstance(peer, tuple) else ""
        self.transport_opened()

    def use(self, transport: asyncio.BaseTransport) -> None:
        """Write to this transport."""
        # uvloop's transports implement asyncio.Transport without inheriting from it.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        del exc
        self.start_closing(None)
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self.transport_closed()

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._paused = True

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._paused = False
        if self._writable is not None:
            if not self._writable.done():
                self._writable.set_result(None)
            self._writable = None

    async def writable(self) -> None:
        """See Connection."""
        while self._paused and not self.closed:
            if self._writable is None:
                self._writable = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(STALLED_SECONDS):
                    await asyncio.shield(self._writable)
            except TimeoutError:
                self.close(closing.SLOW_CONSUMER)

    @property
    def has_room(self) -> bool:
        """See Connection."""
        return not self._paused

    def pause_reading(self) -> None:
        """See Connection."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """See Connection."""
        self._transport.resume_reading()

    def write(self, data: bytes) -> None:
        """See Connection."""
        if self.closed:
            return
        self._transport.write(data)
        if self._paused and self._transport.get_write_buffer_size() > self._outbox_bytes:
            self.close(closing.SLOW_CONSUMER)

    def drop(self) -> None:
        """See Connection."""
        self._transport.abort()


class Endpoint(NamedTuple):
    """An address on which a gateway accepts clients over one transport.

    `make` makes the protocol of one accepted socket: a `Stream`, or a protocol that makes connections itself.
    """

    make: Callable[[GatewayCalls, PendingWrites], asyncio.BaseProtocol]
    host: str
    port: int
