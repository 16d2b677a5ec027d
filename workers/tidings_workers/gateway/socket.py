"""A WebSocket on a transport: bytes to messages, frames to bytes, bounds on both sides.

The sans-I/O protocol does handshake, masking, fragmentation and the rules of closing. Frames for
many are built elsewhere and written here as bytes, which is allowed because no extension is ever
negotiated and nothing is sent in fragments. No task, queue or stream belongs to a socket.

No frame is taken before the handshake is answered: what is behind the request waits, and is thrown away
with a refusal.
"""

import asyncio
import time
from abc import abstractmethod
from typing import Final, cast

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Protocol, Side, State

from tidings.protocol import closing, limits
from tidings.protocol.closing import CloseCode
from tidings_workers import metrics
from tidings_workers.gateway import handshake
from tidings_workers.gateway.head import Head, Refusal, refusal_bytes

# After a close frame the peer has this long to answer it.
CLOSING_SECONDS: Final = 5.0
# A consumer that takes nothing for this long while it catches up is a slow one.
STALLED_SECONDS: Final = 10.0
WRITE_HIGH_BYTES: Final = 64 * 1024
# Frames are taken in slices, so that a flood of small ones ends after this many bytes of it.
SLICE_BYTES: Final = 4 * 1024
# What a peer may still send of frames once its connection is closing.
LATE_FRAMES: Final = limits.FRAMES_BURST

clock: Final = time.monotonic


class Socket(asyncio.Protocol):
    """One WebSocket of a server. What is abstract says what happened.

    `outbox_bytes`: how much may wait to be written before the peer counts as a slow consumer.
    """

    __slots__ = (
        "_fragments",
        "_head",
        "_late",
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
        # Until the handshake is answered, and None afterwards.
        self._head: Head | None = Head()
        # From the accepted handshake on, until nothing more is taken.
        self._protocol: Protocol | None = None
        self._late = 0
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
        """The peer asks for a WebSocket: `accept` or `refuse` has to follow, now or later."""

    @abstractmethod
    def refusal_headers(self) -> tuple[tuple[str, str], ...]:
        """What every refusal of a request carries besides."""

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
        if self._protocol is not None:
            self._feed(self._protocol, data)
        elif self._head is not None:
            self._read_head(self._head, data)

    def _read_head(self, head: Head, data: bytes) -> None:
        if head.behind is not None:
            head.behind += data
            return
        found = head.take(data)
        if isinstance(found, Refusal):
            self.refuse(found)
        elif found is not None:
            self.on_request(found)
            if self.is_connecting:
                # What is behind the request waits in the kernel.
                head.paused = True
                self._transport.pause_reading()

    def _feed(self, protocol: Protocol, data: bytes) -> None:
        for start in range(0, len(data), SLICE_BYTES):
            protocol.receive_data(data[start : start + SLICE_BYTES])
            for event in protocol.events_received():
                if isinstance(event, Frame):
                    self._frame(event)
            self._pump(protocol)
            if self._late > LATE_FRAMES:
                # A flood: no more of it is looked at, and the peer has CLOSING_SECONDS to read why.
                self._release()
            if self._protocol is None or self._transport.is_closing():
                return

    def eof_received(self) -> None:
        """The peer sends no more."""
        if self._protocol is None:
            self._transport.close()
        else:
            self._protocol.receive_eof()
            self._pump(self._protocol)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        del exc
        self._end(None)
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self.on_lost()
        self._release()

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

    def accept(self, request: Request) -> None:
        """Open the WebSocket, and take what is behind the request."""
        answer = handshake.accepted(request)
        if isinstance(answer, Refusal):
            self.refuse(answer)
            return
        head = self._answered()
        self._transport.write(answer)
        self._protocol = Protocol(Side.SERVER, state=State.OPEN, max_size=limits.FRAME_BYTES)
        if head.behind:
            self._feed(self._protocol, head.behind)

    def refuse(self, refusal: Refusal) -> None:
        """Answer the request with an error. What the peer still sends is read and thrown away.

        Closing at once would reset a peer that is still writing, and it would not see the answer.
        """
        head = self._answered()
        metrics.REFUSED.labels(status=str(refusal.status)).inc()
        self._transport.write(refusal_bytes(refusal, self.refusal_headers(), without_body=head.without_body))
        self._transport.write_eof()
        self._end(None)

    def _answered(self) -> Head:
        head, self._head = self._head, None
        assert head is not None  # noqa: S101 - a request is answered once
        if head.paused:
            self._transport.resume_reading()
        return head

    # The end

    @property
    def is_connecting(self) -> bool:
        """Whether the handshake is not answered yet."""
        return self._head is not None and not self.closed

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Begin the closing handshake, once. `on_end` has run when this returns."""
        if self.closed:
            return
        self._end(code.code)
        protocol = self._protocol
        if protocol is not None and protocol.state is State.OPEN:
            protocol.send_close(code.code, closing.fitting(reason or code.reason))
            self._pump(protocol)
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
        if self.closed:
            self._late += 1
            return
        if not self.on_frame():
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

    def _release(self) -> None:
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            # The parser is a generator that keeps the protocol alive until cycles are looked for.
            protocol.parser.close()

    def _text(self, data: bytes) -> None:
        if not data.isascii():
            try:
                data.decode()
            except UnicodeDecodeError:
                self.close(closing.NOT_UTF8)
                return
        self.on_text(data)

    def _pump(self, protocol: Protocol) -> None:
        """Write what the protocol wants written, and end when it says so."""
        for data in protocol.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()
        if not self.closed and protocol.state in {State.CLOSING, State.CLOSED}:
            # The peer closed, or the protocol failed the connection for what it sent.
            self._end(protocol.close_code)
