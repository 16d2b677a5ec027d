"""One socket: bytes to events by the sans-I/O WebSocket protocol, actions of the session to bytes.

No task, queue or stream belongs to a connection; the wheel is its only clock. Frames for many are
built elsewhere and arrive here as bytes, which is allowed because no extension is ever negotiated
and nothing is sent in fragments.
"""

import asyncio
import time
from typing import TYPE_CHECKING, Final, cast

from websockets.exceptions import ProtocolError
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Protocol, Side, State

from tidings.protocol import closing, frames, limits
from tidings.protocol.closing import CloseCode
from tidings_workers import metrics
from tidings_workers.gateway import handshake, wire
from tidings_workers.gateway.session import (
    Acknowledge,
    Action,
    Close,
    Open,
    Probe,
    RefreshToken,
    Send,
    Session,
    Vanish,
)
from tidings_workers.tokens import Identity

if TYPE_CHECKING:
    from tidings_workers.gateway.catchup import CatchUp
    from tidings_workers.gateway.gateway import Gateway
    from tidings_workers.gateway.topics import Topic
    from tidings_workers.gateway.users import User

# After a close frame the peer has this long to answer it.
CLOSING_SECONDS: Final = 5.0
# A consumer that takes nothing for this long while it catches up is a slow one.
STALLED_SECONDS: Final = 10.0
WRITE_HIGH_BYTES: Final = 64 * 1024

_clock: Final = time.monotonic


class Connection(asyncio.Protocol):
    """One client. The gateway opens its session and the hub sends to it."""

    __slots__ = (
        "_abort_at",
        "_fragments",
        "_gateway",
        "_paused",
        "_protocol",
        "_queue",
        "_transport",
        "_writable",
        "acknowledged",
        "address",
        "catching_up",
        "close_code",
        "closed",
        "counted",
        "device",
        "id",
        "identity",
        "origin",
        "session",
        "user",
    )

    user: "User"

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._protocol: Protocol = handshake.Handshake(max_size=limits.FRAME_BYTES)
        self._queue: list[bytes] = []
        self._fragments: list[bytes] | None = None
        self._paused = False
        self._writable: asyncio.Future[None] | None = None
        self._abort_at: float | None = None
        self.session = Session(_clock(), gateway.settings.heartbeat_seconds)
        # The logs that the client was told of, and up to where it acknowledged each, or started in it.
        self.acknowledged: dict[str, int] = {}
        self.address = ""
        self.catching_up: CatchUp | None = None
        self.close_code: int | None = None
        self.closed = False
        self.counted = False
        self.device: str | None = None
        self.id = ""
        self.identity: Identity | None = None
        self.origin: str | None = None

    # The transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A socket was accepted."""
        # uvloop's transports have all of asyncio.Transport but its name.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES)
        peer = transport.get_extra_info("peername")
        self.address = peer[0] if isinstance(peer, tuple) else ""
        self._gateway.arrived(self)

    def data_received(self, data: bytes) -> None:
        """Bytes have arrived."""
        self.session.heard()
        protocol = self._protocol
        protocol.receive_data(data)
        request = False
        for event in protocol.events_received():
            if isinstance(event, Request):
                request = True
                self._handshake(event)
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
        self._leave(None)
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._gateway.gone(self)
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

    def queue(self, data: bytes) -> None:
        """Have frames written with this batch."""
        if not self._queue:
            self._gateway.hub.dirty.append(self)
        self._queue.append(data)

    def write_queue(self) -> None:
        """Write what is queued, as one."""
        queued, self._queue = self._queue, []
        if queued:
            self.write(queued[0] if len(queued) == 1 else b"".join(queued))

    def send(self, message: frames.ServerFrame) -> None:
        """Send one frame, after what is queued."""
        data = wire.frame(message)
        if self._queue:
            self._queue.append(data)
        else:
            self.write(data)

    def write(self, data: bytes) -> None:
        """Write frames. A consumer that lets too much pile up is closed, and resumes later."""
        if self.closed:
            return
        self._transport.write(data)
        if self._paused and self._transport.get_write_buffer_size() > self._gateway.settings.outbox_bytes:
            self.close(closing.SLOW_CONSUMER)

    # The end

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Begin the closing handshake, once. The connection has left the hub when this returns."""
        if self.closed:
            return
        self._leave(code.code)
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code.code, reason or code.reason)
            self._pump()
        else:
            self._transport.abort()

    def abort(self) -> None:
        """Drop the socket."""
        self._transport.abort()

    @property
    def heartbeat(self) -> int:
        """Seconds within which the server lets itself be heard."""
        return self._gateway.settings.heartbeat_seconds

    def _leave(self, code: int | None) -> None:
        if self.closed:
            return
        self.closed = True
        self.close_code = code
        self._queue.clear()
        self.session.end()
        self._abort_at = _clock() + CLOSING_SECONDS
        self._gateway.left(self)
        self._gateway.wheel.add(self, self._abort_at)

    def on_time(self, now: float) -> float | None:
        """See `Timed`."""
        if self._abort_at is not None:
            if now >= self._abort_at:
                self._transport.abort()
                return None
            # Leaving put an entry of its own into the wheel.
            return None
        if self._protocol.state is State.CONNECTING and now >= self.session.due():
            self._leave(None)
            self._transport.abort()
            return None
        self.tick(now)
        return None if self.closed else self.session.due()

    def tick(self, now: float) -> None:
        """Do what the session has due by `now`."""
        for action in self.session.tick(now):
            self.perform(action)

    # What the peer sends

    def _handshake(self, request: Request) -> None:
        verdict = handshake.check(request, self._gateway.verifier, self._gateway.view)
        if isinstance(verdict, handshake.Refusal) and verdict.unknown_key:
            self._gateway.background.spawn(self._handshake_again(request))
        else:
            self._answer(request, verdict)

    async def _handshake_again(self, request: Request) -> None:
        """The key may be newer than our view of the registry."""
        await self._gateway.view.refresh()
        if not self.closed:
            self._answer(request, handshake.check(request, self._gateway.verifier, self._gateway.view))
            self._pump()

    def _answer(self, request: Request, verdict: handshake.Verdict) -> None:
        protocol = cast("handshake.Handshake", self._protocol)
        if isinstance(verdict, handshake.Refusal):
            response = protocol.reject(verdict.status, "")
            handshake.describe(response, verdict)
            metrics.REFUSED.labels(status=str(verdict.status)).inc()
        else:
            self.identity, self.origin = verdict
            response = protocol.accept(request)
        protocol.send_response(response)

    def _frame(self, frame: Frame) -> None:
        if self.closed:
            return
        flood = self.session.admit(_clock())
        if flood is not None:
            self.perform(flood)
        elif frame.opcode is Opcode.TEXT:
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
        metrics.FRAMES_RECEIVED.inc()
        if not data.isascii():
            try:
                data.decode()
            except UnicodeDecodeError:
                self.close(closing.NOT_UTF8)
                return
        action = self.session.receive(data)
        if action is not None:
            self.perform(action)

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
            self._leave(protocol.close_code)

    # What the session wants

    def perform(self, action: Action) -> None:
        """Carry out an action of the session."""
        match action:
            case Send(frame):
                self.send(frame)
            case Acknowledge(positions):
                self._gateway.acknowledge(self, positions)
            case Open(connect):
                self._gateway.open(self, connect)
            case RefreshToken(token):
                self._gateway.refresh(self, token)
            case Probe():
                self.write(wire.PING)
            case Close(code, reason):
                self.close(code, reason)
            case Vanish():
                self._leave(None)
                self._transport.abort()

    # What the hub tells

    def go_live(self) -> None:
        """The connection stands at the end of every log: from now on it is sent what comes."""
        self.catching_up = None
        self._gateway.hub.catching_up.pop(self, None)
        for topic in self._topics():
            topic.live[self] = None

    def start(self, cursors: dict[str, int], departed: set[str], *, replay: bool) -> None:
        """Begin to catch up from these cursors; they name every log that the client was told of."""
        for topic in self._topics():
            topic.live.pop(self, None)
        for name, position in cursors.items():
            self.acknowledged.setdefault(name, position)
        self._gateway.hub.catching_up[self] = None
        self._gateway.catch_up(self, cursors, departed, replay=replay)

    def leave_topics(self) -> None:
        """Be sent nothing more."""
        self._gateway.hub.catching_up.pop(self, None)
        for topic in self._topics():
            topic.live.pop(self, None)

    def _topics(self) -> "list[Topic]":
        found = map(self.user.followed, self.acknowledged)
        return [topic for topic in found if topic is not None]

    def cursor(self, name: str) -> int:
        """The last position of a log that this connection has been sent, or passed over."""
        if self.catching_up is not None:
            return self.catching_up.cursors.get(name, 0)
        return self.user.end(name) if name in self.acknowledged else 0

    def joined(self, name: str, position: int) -> None:
        """The user became a member of a group: its log starts here after a position."""
        if self.closed or not self.session.is_open:
            return
        self.send(frames.Joined(name, position))
        if self.catching_up is not None:
            # A cursor may be there from an earlier membership; what is left of that still comes.
            self.catching_up.cursors.setdefault(name, position)
            self.catching_up.departed.discard(name)
            self.acknowledged.setdefault(name, position)
        else:
            cursors = {log: self.cursor(log) for log in self.acknowledged}
            self.start(cursors | {name: position}, set(), replay=False)

    def left(self, name: str, position: int) -> None:
        """The user left a group: nothing after a position comes."""
        if self.closed or not self.session.is_open or name not in self.acknowledged:
            return
        if self.catching_up is not None:
            self.catching_up.departed.add(name)
        else:
            self.send(frames.Left(name, position))


def _release(protocol: Protocol) -> None:
    """End the protocol's parser, a generator that keeps it alive until cycles are looked for."""
    protocol.parser.close()
