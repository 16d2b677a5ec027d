"""A WebSocket: decodes bytes to messages, encodes frames to bytes, with limits on both sides.

The sans-I/O protocol does masking, fragmentation and the rules of closing. Frames for many connections are
built elsewhere and written here as bytes. That is allowed because no extension is negotiated and no sent
message is fragmented.

No frame is decoded before the handshake was answered: bytes behind the request wait, and are discarded with a
refusal.
"""

import struct
from typing import Final

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Protocol, Side, State

from tidings.protocol import closing, limits
from tidings.protocol.closing import CloseCode
from tidings_workers import metrics
from tidings_workers.gateway import handshake
from tidings_workers.gateway.connection import GatewayCalls
from tidings_workers.gateway.head import Head, HttpRefusal, refusal_bytes
from tidings_workers.gateway.pending_writes import PendingWrites
from tidings_workers.gateway.stream import Stream
from tidings_workers.gateway.wire import JsonWire

# Bytes are decoded in slices, so that a flood of small frames is noticed after this many bytes.
SLICE_BYTES: Final = 4 * 1024
# How many frames a peer may send while its connection is closing.
LATE_FRAMES: Final = limits.FRAMES_BURST

_PING: Final = b"\x89\x00"
_TEXT: Final = 0x81
_SHORT: Final = 126
_MEDIUM: Final = 65_536


def text_frame(payload: bytes) -> bytes:
    """An unmasked, unfragmented WebSocket text frame (RFC 6455, section 5.2)."""
    length = len(payload)
    if length < _SHORT:
        return bytes((_TEXT, length)) + payload
    if length < _MEDIUM:
        return struct.pack("!BBH", _TEXT, 126, length) + payload
    return struct.pack("!BBQ", _TEXT, 127, length) + payload


class WebSocket(Stream):
    """One client over a WebSocket."""

    __slots__ = ("_fragments", "_head", "_late", "_protocol")

    wire = JsonWire(text_frame)

    def __init__(self, gateway: GatewayCalls, pending_writes: PendingWrites) -> None:
        super().__init__(gateway, pending_writes)
        # None after the handshake was answered.
        self._head: Head | None = Head()
        # None before the handshake was accepted, and after the last bytes were accepted.
        self._protocol: Protocol | None = None
        self._late = 0
        self._fragments: list[bytes] | None = None

    # Received bytes

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self.bytes_arrived()
        if self._protocol is not None:
            self._feed(self._protocol, data)
        elif self._head is not None:
            self._read_head(self._head, data)

    def _read_head(self, head: Head, data: bytes) -> None:
        if head.rest is not None:
            head.rest += data
            return
        found = head.feed(data)
        if isinstance(found, HttpRefusal):
            self.refuse(found)
        elif found is not None:
            self._gateway.admit(self, found)
            if self.is_connecting:
                # Bytes behind the request wait in the kernel.
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
                # A flood: discard the rest. The peer has CLOSING_SECONDS to read the close frame.
                self._release()
            if self._protocol is None or self._transport.is_closing():
                return

    def eof_received(self) -> None:
        """See asyncio.Protocol."""
        if self._protocol is None:
            self._transport.close()
        else:
            self._protocol.receive_eof()
            self._pump(self._protocol)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        super().connection_lost(exc)
        self._release()

    # The handshake

    @property
    def is_connecting(self) -> bool:
        """Whether the handshake was not answered yet."""
        return self._head is not None and not self.closed

    def decide(self, request: Request, verdict: handshake.Verdict) -> None:
        """See Applicant."""
        if isinstance(verdict, HttpRefusal):
            self.refuse(verdict)
        else:
            self.identity, self.origin = verdict
            self.accept(request)

    def accept(self, request: Request) -> None:
        """Open the WebSocket, and decode the bytes behind the request."""
        answer = handshake.accept(request)
        if isinstance(answer, HttpRefusal):
            self.refuse(answer)
            return
        head = self._answered()
        self._transport.write(answer)
        self._protocol = Protocol(Side.SERVER, state=State.OPEN, max_size=limits.FRAME_BYTES)
        if head.rest:
            self._feed(self._protocol, head.rest)

    def refuse(self, refusal: HttpRefusal) -> None:
        """Answer the request with an error; read and discard what the peer still sends.

        Closing at once would reset the connection while the peer writes, and the peer would not see the
        answer.
        """
        head = self._answered()
        metrics.REFUSED.labels(status=str(refusal.status)).inc()
        self._transport.write(
            refusal_bytes(refusal, self._gateway.refusal_headers, without_body=head.without_body)
        )
        self._transport.write_eof()
        self.start_closing(None)

    def _answered(self) -> Head:
        head, self._head = self._head, None
        assert head is not None  # noqa: S101 - a request is answered once
        if head.paused:
            self._transport.resume_reading()
        return head

    # Sending and closing

    def probe(self) -> None:
        """See Connection."""
        self.write(_PING)

    def write_close(self, code: CloseCode, reason: str) -> None:
        """See Connection."""
        protocol = self._protocol
        if protocol is not None and protocol.state is State.OPEN:
            protocol.send_close(code.code, reason)
            self._pump(protocol)
        else:
            self.drop()

    # Received frames

    def _frame(self, frame: Frame) -> None:
        if self.closed:
            self._late += 1
            return
        if not self.admit_frame():
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
            # The parser is a generator, and its error has a traceback. Both refer to the protocol, which
            # otherwise is freed only when the collector of cycles runs.
            protocol.parser.close()
            protocol.parser_exc = None

    def _text(self, data: bytes) -> None:
        if not data.isascii():
            try:
                data.decode()
            except UnicodeDecodeError:
                self.close(closing.NOT_UTF8)
                return
        self.receive(data)

    def _pump(self, protocol: Protocol) -> None:
        """Write the bytes that the protocol has to send, and close when it has closed."""
        for data in protocol.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()
        if not self.closed and protocol.state in {State.CLOSING, State.CLOSED}:
            # The peer closed, or it broke the rules of the protocol.
            self.start_closing(protocol.close_code)
