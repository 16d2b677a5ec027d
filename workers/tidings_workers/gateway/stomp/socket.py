"""STOMP over a WebSocket, in text or binary messages."""

import asyncio
from typing import ClassVar, Final

from websockets.frames import Frame as WebSocketFrame
from websockets.frames import Opcode

from tidings.protocol.closing import CloseCode
from tidings.protocol.frames import Positions
from tidings_workers.gateway.connection import GatewayCalls
from tidings_workers.gateway.head import Elsewhere, HttpRefusal, handshake_of
from tidings_workers.gateway.pending_writes import PendingWrites
from tidings_workers.gateway.plain_handshake import Handshake
from tidings_workers.gateway.stomp.connection import StompConnection
from tidings_workers.gateway.stomp.frames import VERSIONS
from tidings_workers.gateway.stomp.slow import Refusals
from tidings_workers.gateway.stomp.wire import Wires
from tidings_workers.gateway.websocket import WebSocket, text_frame

# The least time between two pings that confirm messages. Without a device only receipts depend on them: then
# it doubles while messages follow each other, up to the second value.
CONFIRM_SECONDS: Final = 1.0
LONG_CONFIRM_SECONDS: Final = 5.0
# After that time a ping waits this long for messages with which it shares a write.
SHARED_SECONDS: Final = 0.5

_CONFIRM: Final = b"confirm"
_CONFIRM_PING: Final = bytes((0x89, len(_CONFIRM))) + _CONFIRM
_SUBPROTOCOLS: Final = tuple(f"v{version.replace('.', '')}.stomp" for version in VERSIONS)


class StompSocket(StompConnection, WebSocket):
    """One client that speaks STOMP over a WebSocket."""

    __slots__ = ("_awaited", "_confirm", "_in_binary", "_interval", "_is_due", "_unconfirmed")

    wires: ClassVar[Wires] = Wires(text_frame)

    def __init__(self, gateway: GatewayCalls, pending_writes: PendingWrites, refusals: Refusals) -> None:
        super().__init__(gateway, pending_writes)
        self.start_stomp(self.wires, refusals)
        # Whether the current fragments are of a binary message.
        self._in_binary = False
        # Before the next ping. `_is_due`: a ping may be sent, and waits for messages.
        self._confirm: asyncio.TimerHandle | None = None
        self._is_due = False
        self._interval = CONFIRM_SECONDS
        # The positions that the client has when it answers the last ping, and whether bytes followed that.
        self._awaited: Positions | None = None
        self._unconfirmed = False

    # The handshake

    def start(self, found: Elsewhere, rest: bytes) -> None:
        """See `handshake.Successor`."""
        head, request = self._head, found.request
        assert head is not None and request is not None  # noqa: S101, PT018 - it is a new WebSocket
        head.rest = rest
        self._admit(head, handshake_of(request))

    def accept(self, request: Handshake) -> None:
        """See WebSocket."""
        self._stomp.has_token = self.identity is not None
        super().accept(request)

    def response(self, request: Handshake) -> bytes | HttpRefusal:
        """See WebSocket. Chromium needs one of the subprotocols that it offers."""
        answer = super().response(request)
        if isinstance(answer, HttpRefusal) or request.request is None:
            return answer
        offered = (
            ",".join(request.request.headers.get_all("Sec-WebSocket-Protocol")).replace(" ", "").split(",")
        )
        chosen = next((name for name in _SUBPROTOCOLS if name in offered), None)
        if chosen is None:
            return answer
        return answer[: -len(b"\r\n")] + f"Sec-WebSocket-Protocol: {chosen}\r\n\r\n".encode()

    # Received messages

    def _frame(self, frame: WebSocketFrame) -> None:
        if frame.opcode is Opcode.BINARY or (frame.opcode is Opcode.CONT and self._in_binary):
            self._in_binary = not frame.fin
            if not self.closed and self.admit_frame():
                # A STOMP frame may end in another fragment, as in another message.
                self.receive(bytes(frame.data))
            return
        super()._frame(frame)

    def pong_arrived(self, payload: bytes) -> None:
        """See WebSocket."""
        if payload != _CONFIRM or self._awaited is None:
            return
        awaited, self._awaited = self._awaited, None
        if self.closed:
            return
        if self._unconfirmed:
            self._confirm_later()
        if self._confirms:
            # The client has everything that was sent before that ping.
            self.confirm(awaited)

    # Sending

    def write_queue(self) -> None:
        """See `pending_writes.Queued`. A ping is a part of the write: a write of its own costs as much."""
        asks = self._confirms and self._awaited is None and (self._confirm is None or self._is_due)
        if asks and self._queue:
            self._queue.append(_CONFIRM_PING)
            self._ask()
            super().write_queue()
            self._unconfirmed = False
        else:
            super().write_queue()

    def write(self, data: bytes) -> None:
        """See Connection."""
        super().write(data)
        if self._confirms and not self.closed:
            self._unconfirmed = True
            self._confirm_later()
        self.check_unacknowledged()

    def write_unconfirmed(self, data: bytes) -> None:
        """See StompConnection."""
        super().write(data)

    def _confirm_later(self) -> None:
        if self._confirm is None:
            self._start_timer(self._interval)

    def _start_timer(self, seconds: float) -> None:
        self._confirm = asyncio.get_running_loop().call_later(seconds, self._time_passed)

    def _time_passed(self) -> None:
        self._confirm = None
        was_due, self._is_due = self._is_due, False
        if not self._unconfirmed or self._awaited is not None:
            self._interval = CONFIRM_SECONDS
            return
        if was_due:
            self._ask()
            self._unconfirmed = False
            self.write_unconfirmed(_CONFIRM_PING)
        else:
            self._is_due = True
            if self.subscriber is None or self.subscriber.device is None:
                self._interval = min(2 * self._interval, LONG_CONFIRM_SECONDS)
            self._start_timer(SHARED_SECONDS)

    def _ask(self) -> None:
        """A ping is about to be written, behind everything that was sent."""
        self._awaited = self.sent_positions()
        self._is_due = False
        if self._confirm is not None:
            self._confirm.cancel()
        self._start_timer(self._interval)

    # Closing

    def write_last(self, data: bytes) -> None:
        """See StompConnection."""
        self._transport.write(data)

    def write_end(self, code: CloseCode, reason: str) -> None:
        """See StompConnection."""
        WebSocket.write_close(self, code, reason)

    def start_closing(self, code: int | None) -> None:
        """See Connection."""
        super().start_closing(code)
        if self._confirm is not None:
            self._confirm.cancel()
            self._confirm = None
