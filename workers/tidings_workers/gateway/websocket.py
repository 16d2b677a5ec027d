"""A WebSocket: decodes bytes to messages, encodes frames to bytes, with limits on both sides.

Frames of the plain form are decoded here (`plain_frames`). The sans-I/O protocol of `websockets` does all
others, fragmentation and the rules of closing; it is created for the first frame that needs it. Frames for
many connections are built elsewhere and written here as bytes. Both are allowed because no extension is
negotiated and no sent message is fragmented.

No frame is decoded before the handshake was answered: bytes behind the request wait, and are discarded with a
refusal.
"""

import asyncio
import struct
from typing import Final, cast

from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from tidings.protocol import closing, limits
from tidings.protocol.closing import CloseCode
from tidings_workers import metrics
from tidings_workers.gateway import handshake
from tidings_workers.gateway.connection import GatewayCalls, clock
from tidings_workers.gateway.head import Elsewhere, Head, HttpRefusal, refusal_bytes
from tidings_workers.gateway.pending_writes import PendingWrites
from tidings_workers.gateway.plain_frames import PING, PONG, TEXT, plain_frame
from tidings_workers.gateway.plain_handshake import Handshake
from tidings_workers.gateway.stream import Stream
from tidings_workers.gateway.wire import JsonWire, Wire

# Bytes are decoded in slices, so that a flood of small frames is noticed after this many bytes.
SLICE_BYTES: Final = 4 * 1024
# How many frames a peer may send while its connection is closing: a burst, and sends that were under way.
LATE_FRAMES: Final = 1_000

_PING: Final = b"\x89\x00"
_SHORT: Final = 126
_MEDIUM: Final = 65_536


def text_frame(payload: bytes) -> bytes:
    """An unmasked, unfragmented WebSocket text frame (RFC 6455, section 5.2)."""
    length = len(payload)
    if length < _SHORT:
        return bytes((TEXT, length)) + payload
    if length < _MEDIUM:
        return struct.pack("!BBH", TEXT, 126, length) + payload
    return struct.pack("!BBQ", TEXT, 127, length) + payload


class WebSocket(Stream):
    """One client over a WebSocket."""

    __slots__ = ("_accepts_frames", "_fragments", "_head", "_late", "_protocol")

    wire: Wire = JsonWire(text_frame)

    def __init__(self, gateway: GatewayCalls, pending_writes: PendingWrites) -> None:
        super().__init__(gateway, pending_writes)
        # None after the handshake was answered.
        self._head: Head | None = Head()
        # Whether bytes are decoded: after the handshake was accepted, until the last bytes were accepted.
        self._accepts_frames = False
        # The general parser. Most connections need none until they close.
        self._protocol: Protocol | None = None
        self._late = 0
        self._fragments: list[bytes] | None = None

    # Received bytes

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self.bytes_arrived()
        if self._accepts_frames:
            self._feed(data)
        elif self._head is not None:
            self._read_head(self._head, data)

    def _read_head(self, head: Head, data: bytes) -> None:
        if head.rest is not None:
            head.rest += data
            return
        found = head.feed(data)
        if isinstance(found, HttpRefusal):
            self.refuse(found)
        elif isinstance(found, Elsewhere):
            self._hand_over(head, found)
        elif found is not None:
            self._admit(head, found)

    def _admit(self, head: Head, request: Handshake) -> None:
        self._gateway.admit(self, request)
        if self.is_connecting:
            # Bytes behind the request wait in the kernel.
            head.paused = True
            self._transport.pause_reading()

    def _hand_over(self, head: Head, found: Elsewhere) -> None:
        """Give the transport to the protocol that serves the request, if there is one."""
        successor = self._gateway.successor(found)
        if successor is None:
            self.refuse(found.refusal)
            return
        self._head = None
        self.closed = True
        self.session.close()
        self._gateway.connection_lost(self)
        # It has the methods of asyncio.Protocol, and need not inherit from it.
        self._transport.set_protocol(cast("asyncio.Protocol", successor))
        successor.connection_made(self._transport)
        successor.start(found, head.rest or b"")

    def _feed(self, data: bytes) -> None:
        at = 0
        while self._protocol is None:
            if at == len(data):
                return
            plain = plain_frame(data, at)
            if plain is None:
                break
            first, payload, at = plain
            self._plain_frame(first, payload)
        self._feed_protocol(self._general_parser(), data[at:] if at else data)

    def _plain_frame(self, first: int, payload: bytes) -> None:
        if not self.admit_frame():
            return
        if first == TEXT:
            self._text(payload)
        elif first == PING:
            self._transport.write(bytes((PONG, len(payload))) + payload)
        else:
            self.pong_arrived(payload)

    def _general_parser(self) -> Protocol:
        """The parser, at the start of a frame when it is new."""
        if self._protocol is None:
            self._protocol = Protocol(Side.SERVER, state=State.OPEN, max_size=limits.FRAME_BYTES)
        return self._protocol

    def _feed_protocol(self, protocol: Protocol, data: bytes) -> None:
        for start in range(0, len(data), SLICE_BYTES):
            protocol.receive_data(data[start : start + SLICE_BYTES])
            for event in protocol.events_received():
                if isinstance(event, Frame):
                    self._frame(event)
            self._pump(protocol)
            if self._late > LATE_FRAMES:
                # A flood: discard the rest. The peer has CLOSING_SECONDS to read the close frame.
                self._release()
            if not self._accepts_frames or self._transport.is_closing():
                return

    def eof_received(self) -> None:
        """See asyncio.Protocol."""
        if self._accepts_frames:
            protocol = self._general_parser()
            protocol.receive_eof()
            self._pump(protocol)
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        super().connection_lost(exc)
        self._release()

    # The handshake

    @property
    def is_connecting(self) -> bool:
        """Whether the handshake was not answered yet."""
        return self._head is not None and not self.closed

    def decide(self, request: Handshake, verdict: handshake.Verdict) -> None:
        """See Applicant."""
        if isinstance(verdict, HttpRefusal):
            self.refuse(verdict)
        else:
            self.identity, self.origin = verdict
            self.accept(request)

    def accept(self, request: Handshake) -> None:
        """Open the WebSocket, and decode the bytes behind the request."""
        answer = self.response(request)
        if isinstance(answer, HttpRefusal):
            self.refuse(answer)
            return
        head = self._answered()
        self._transport.write(answer)
        self._accepts_frames = True
        self.session.transport_ready(clock())
        if head.rest:
            self._feed(head.rest)

    def response(self, request: Handshake) -> bytes | HttpRefusal:
        """The response to a handshake that was admitted, or a refusal."""
        return handshake.accept(request)

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
        protocol = self._general_parser() if self._accepts_frames else None
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
        elif frame.opcode is Opcode.PONG:
            self.pong_arrived(bytes(frame.data))

    def pong_arrived(self, payload: bytes) -> None:
        """The peer answered a ping with this payload."""

    def _release(self) -> None:
        self._accepts_frames = False
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
