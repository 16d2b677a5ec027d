"""A WebSocket on a transport: bytes to messages, frames to bytes, bounds on both sides.

The sans-I/O protocol does handshake, masking, fragmentation and the rules of closing. Frames for
many are built elsewhere and written here as bytes, which is allowed because no extension is ever
negotiated and nothing is sent in fragments. No task, queue or stream belongs to a socket.
"""

import asyncio
import time
from abc import abstractmethod
from http import HTTPStatus
from typing import Final, cast

from websockets.exceptions import ProtocolError
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Protocol, Side, State

from tidings.protocol import closing, limits
from tidings.protocol.closing import CloseCode
from tidings_workers import metrics
from tidings_workers.gateway import handshake
from tidings_workers.identity import STORE_HEADER

# After a close frame the peer has this long to answer it.
CLOSING_SECONDS: Final = 5.0
# A consumer that takes nothing for this long while it catches up is a slow one.
STALLED_SECONDS: Final = 10.0
WRITE_HIGH_BYTES: Final = 64 * 1024

clock: Final = time.monotonic


class Socket(asyncio.Protocol):
    """One WebSocket of a server. What is abstract says what happened.

    `outbox_bytes`: how much may wait to be written before the peer counts as a slow consumer.
    """

    __slots__ = (
        "_fragments",
        "_outbox_bytes",
        "_paused",
        "_protocol",
        "_transport",
        "_writable",
        "abort_at",
        "address",
        "close_code",
        "closed",
    )

    def __init__(self, outbox_bytes: int) -> None:
        self._outbox_bytes = outbox_bytes
        self._protocol: Protocol = handshake.Handshake(max_size=limits.FRAME_BYTES)
        self._fragments: list[bytes] | None = None
        self._paused = False
        self._writable: asyncio.Future[None] | None = None
        # When a closing socket is dropped; None while it is open.
        self.abort_at: float | None = None
        self.address = ""
        self.close_code: int | None = None
        self.closed = False

    # What happens

    @abstractmethod
    def on_arrival(self) -> None:
        """The transport is there."""

    @abstractmethod
    def on_bytes(self) -> None:
        """The peer lets itself be heard."""

    @abstractmethod
    def on_request(self, request: Request) -> None:
        """The peer asks for a WebSocket: `answer` has to follow."""

    @abstractmethod
    def on_frame(self) -> bool:
        """A frame came, of any kind; False when it is one too many and the socket was closed."""

    @abstractmethod
    def on_text(self, data: bytes) -> None:
        """A whole message in UTF-8 came."""

    @abstractmethod
    def on_end(self) -> None:
        """The socket is closing, for whatever reason: it takes nothing more. Once."""

    @abstractmethod
    def on_lost(self) -> None:
        """The transport is gone. Once, after `on_end`."""

    # The transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A socket was accepted."""
        # uvloop's transports have all of asyncio.Transport but its name.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES)
        peer = transport.get_extra_info("peername")
        self.address = peer[0] if isinstance(peer, tuple) else ""
        self.on_arrival()

    def data_received(self, data: bytes) -> None:
        """Bytes have arrived."""
        self.on_bytes()
        protocol = self._protocol
        protocol.receive_data(data)
        request = False
        for event in protocol.events_received():
            if isinstance(event, Request):
                request = True
                self.on_request(event)
            elif isinstance(event, Frame):
                self._frame(event)
        self._pump()
        # The protocol would keep the request and its headers alive, 3.5 KB a connection. When nothing
        # has come after them, no byte of a frame is in it, and a fresh one may take its place.
        whole = request and data.endswith(b"\r\n\r\n") and not protocol.reader.buffer
        if whole and protocol.state is State.OPEN and not self.closed:
            _release(protocol)
            self._protocol = Protocol(Side.SERVER, state=State.OPEN, max_size=limits.FRAME_BYTES)

    def eof_received(self) -> None:
        """The peer sends no more."""
        self._protocol.receive_eof()
        self._pump()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        del exc
        self._end(None)
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self.on_lost()
        _release(self._protocol)

    def pause_writing(self) -> None:
        """The socket takes no more for now."""
        self._paused = True

    def resume_writing(self) -> None:
        """The socket takes bytes again."""
        self._paused = False
        if self._writable is not None:
            if not self._writable.done():
                self._writable.set_result(None)
            self._writable = None

    async def writable(self) -> None:
        """Wait until the socket takes bytes, or is gone. One that takes none for long is closed."""
        while self._paused and not self.closed:
            if self._writable is None:
                self._writable = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(STALLED_SECONDS):
                    await asyncio.shield(self._writable)
            except TimeoutError:
                self.close(closing.SLOW_CONSUMER)

    # Sending

    def write(self, data: bytes) -> None:
        """Write frames. A consumer that lets too much pile up is closed, and resumes later."""
        if self.closed:
            return
        self._transport.write(data)
        if self._paused and self._transport.get_write_buffer_size() > self._outbox_bytes:
            self.close(closing.SLOW_CONSUMER)

    def answer(self, request: Request, refusal: handshake.Refusal | None, store: str) -> None:
        """Accept the handshake, or refuse it; a refusal names the store, for `doctor`."""
        protocol = cast("handshake.Handshake", self._protocol)
        if refusal is not None:
            response = protocol.reject(refusal.status, "")
            handshake.describe(response, refusal)
            metrics.REFUSED.labels(status=str(refusal.status)).inc()
        else:
            response = protocol.accept(request)
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            response.headers[STORE_HEADER] = store
        protocol.send_response(response)
        self._pump()

    # The end

    @property
    def is_connecting(self) -> bool:
        """Whether the handshake is not done yet."""
        return self._protocol.state is State.CONNECTING

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Begin the closing handshake, once. `on_end` has run when this returns."""
        if self.closed:
            return
        self._end(code.code)
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code.code, reason or code.reason)
            self._pump()
        else:
            self._transport.abort()

    def abort(self) -> None:
        """Drop the socket."""
        self._end(None)
        self._transport.abort()

    def _end(self, code: int | None) -> None:
        if self.closed:
            return
        self.closed = True
        self.close_code = code
        self.abort_at = clock() + CLOSING_SECONDS
        self.on_end()

    # What the peer sends

    def _frame(self, frame: Frame) -> None:
        if self.closed or not self.on_frame():
            return
        if frame.opcode is Opcode.TEXT:
            if frame.fin:
                self._text(bytes(frame.data))
            else:
                self._fragments = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT and self._fragments is not None:
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                whole, self._fragments = b"".join(self._fragments), None
                self._text(whole)
        elif frame.opcode is Opcode.BINARY:
            self.close(closing.BINARY)

    def _text(self, data: bytes) -> None:
        if not data.isascii():
            try:
                data.decode()
            except UnicodeDecodeError:
                self.close(closing.NOT_UTF8)
                return
        self.on_text(data)

    def _pump(self) -> None:
        """Write what the protocol wants written, and end when it says so."""
        protocol = self._protocol
        for data in protocol.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()
        if not self.closed and (
            protocol.state in {State.CLOSING, State.CLOSED}
            or isinstance(getattr(protocol, "handshake_exc", None), ProtocolError)
        ):
            # The peer closed, or the protocol failed the connection for what it sent.
            self._end(protocol.close_code)


def _release(protocol: Protocol) -> None:
    """End the protocol's parser, a generator that keeps it alive until cycles are looked for."""
    protocol.parser.close()
