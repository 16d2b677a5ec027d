"""One client, whatever its transport: carries out the actions of its session.

A transport is a subclass, which implements the methods of `Transport`. It calls `transport_opened` and
`transport_closed` once each. It turns received bytes into calls of `bytes_arrived`, `admit_frame`, `receive`
and `start_closing`, and frames into bytes. The wheel is the only timer of a connection: an idle connection
has no task, queue or stream.
"""

import time
from typing import Final, Protocol

from tidings.protocol import closing
from tidings.protocol.closing import CloseCode
from tidings.protocol.frames import Act, Connect, Mark, Positions, ServerFrame
from tidings_workers import metrics
from tidings_workers.config import Settings
from tidings_workers.gateway.actions import (
    Abort,
    Acknowledge,
    Action,
    ApplyMark,
    Close,
    Open,
    PostedMessage,
    PostNotification,
    Probe,
    RefreshToken,
    Send,
    TopicFrame,
    UseTopic,
)
from tidings_workers.gateway.handshake import Applicant, Successor
from tidings_workers.gateway.head import Elsewhere
from tidings_workers.gateway.pending_writes import PendingWrites
from tidings_workers.gateway.plain_handshake import Handshake
from tidings_workers.gateway.session import Session
from tidings_workers.gateway.transport import Transport
from tidings_workers.gateway.users import Subscriber
from tidings_workers.tokens import Identity

# How long a peer has to close the transport after we sent the close frame.
CLOSING_SECONDS: Final = 5.0

clock: Final = time.monotonic


class GatewayCalls(Protocol):
    """The calls of a connection to its gateway."""

    @property
    def settings(self) -> Settings:
        """The settings of the gateway."""

    @property
    def refusal_headers(self) -> tuple[tuple[str, str], ...]:
        """Headers of every HTTP response that refuses a request."""

    def connection_made(self, connection: "Connection") -> None:
        """A client has connected; its session is new."""

    def successor(self, found: Elsewhere) -> Successor | None:
        """The protocol for a request that the WebSocket does not serve; None when nothing serves it."""

    def admit(self, applicant: Applicant, request: Handshake) -> None:
        """Decide on a handshake: call `applicant.decide` with the verdict, now or later."""

    def admits_page(self, origin: str) -> bool:
        """Whether any tenant admits pages of this origin."""

    def open(self, connection: "Connection", connect: Connect) -> None:
        """Open the session, or close the connection."""

    def start_inbox(self, subscriber: Subscriber) -> None:
        """The connection's encoding carries the inbox now: send it from the start of the connection."""

    def acknowledge(self, connection: "Connection", positions: Positions) -> None:
        """The client received everything up to these positions."""

    def mark(self, subscriber: Subscriber, mark: Mark | Act) -> None:
        """Change the state of the user's notifications, or use an action of one."""

    def post(self, connection: "Connection", frame: PostNotification | PostedMessage) -> None:
        """Send a notification, or call the upstream with a message, and answer the frame."""

    def use_topic(self, connection: "Connection", frame: TopicFrame) -> None:
        """Subscribe the connection to a topic, end that, or publish to a topic."""

    def refresh(self, connection: "Connection", token: str) -> None:
        """Replace the session's token by a new one for the same user."""

    def connection_closing(self, connection: "Connection") -> None:
        """The connection is closing: send nothing more. Called once."""

    def connection_lost(self, connection: "Connection") -> None:
        """The transport is closed, or a `Successor` has it. Called once, after any `connection_closing`."""


class Connection(Transport):
    """One client. The gateway opens its session, and tails send to it: it is an `outlet.Outlet`."""

    __slots__ = (
        "_gateway",
        "_pending_writes",
        "_queue",
        "abort_at",
        "address",
        "close_code",
        "closed",
        "counted",
        "id",
        "identity",
        "origin",
        "session",
        "subscriber",
    )

    def __init__(self, gateway: GatewayCalls, pending_writes: PendingWrites) -> None:
        self._gateway = gateway
        self._pending_writes = pending_writes
        self._queue: list[bytes] = []
        self.session = Session(clock(), gateway.settings.heartbeat_seconds)
        self.address = ""
        self.id = ""  # of a connection without a `subscriber`
        self.identity: Identity | None = None
        self.origin: str | None = None
        # Whether the gateway has counted it in its limits.
        self.counted = False
        # None while no user is attached.
        self.subscriber: Subscriber | None = None
        self.closed = False
        self.close_code: int | None = None
        # When the closing connection is dropped, in seconds of `clock`; None while it is open.
        self.abort_at: float | None = None

    @property
    def guest_host(self) -> str | None:
        """The header `host` of a client that may be a guest; None where a client needs a token."""
        return None

    # For a transport to call

    def transport_opened(self) -> None:
        """A client has connected."""
        self._gateway.connection_made(self)

    def bytes_arrived(self) -> None:
        """Bytes arrived from the peer: any traffic is a sign of life."""
        self.session.bytes_arrived()

    def admit_frame(self) -> bool:
        """Count a received frame of any kind; False when it was one too many and closed the connection."""
        flood = self.session.admit(clock())
        if flood is not None:
            self._perform(flood)
        return flood is None

    def receive(self, data: bytes) -> None:
        """A complete message arrived, in UTF-8."""
        metrics.FRAMES_RECEIVED.inc()
        action = self.session.receive(data)
        if action is not None:
            self._perform(action)

    def start_closing(self, code: int | None) -> None:
        """Mark the connection as closing, with its close code if there is one. It accepts nothing more."""
        if self.closed:
            return
        self.closed = True
        self.close_code = code
        self.abort_at = clock() + CLOSING_SECONDS
        self._queue.clear()
        self.session.close()
        self._gateway.connection_closing(self)

    def transport_closed(self) -> None:
        """The transport is closed. Called once."""
        self.start_closing(None)
        self._gateway.connection_lost(self)

    # For the gateway to call

    def set_counted(self, identity: Identity) -> None:
        """The gateway has counted the connection in its limits, for this identity."""
        self.identity = identity
        self.counted = True

    def attach(self, subscriber: Subscriber) -> None:
        """A user is attached. From here on, closing the connection releases the user."""
        self.subscriber = subscriber

    def detach(self) -> Subscriber | None:
        """The user is released: returns the subscriber that the connection had."""
        subscriber, self.subscriber = self.subscriber, None
        return subscriber

    def replace_token(self, identity: Identity, expires_at: float) -> None:
        """The session continues with a new token, until a time of the clock of `Session`."""
        self.identity = identity
        self.session.refresh(expires_at, may_send="send" in identity.scopes)

    # Sending

    @property
    def is_open(self) -> bool:
        """See `outlet.Outlet`."""
        return self.session.is_open

    def queue(self, data: bytes) -> None:
        """See `outlet.Outlet`."""
        if not self._queue:
            self._pending_writes.add(self)
        self._queue.append(data)

    def write_queue(self) -> None:
        """See `pending_writes.Queued`."""
        queued, self._queue = self._queue, []
        if queued:
            self.write(queued[0] if len(queued) == 1 else b"".join(queued))

    def send(self, *messages: ServerFrame) -> None:
        """Write frames in one write, after the queued bytes. See `outlet.Outlet`."""
        data = b"".join(map(self.wire.frame, messages))
        if self._queue:
            self._queue.append(data)
        else:
            self.write(data)

    # Closing

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Close the connection, once. `GatewayCalls.connection_closing` has run on return."""
        if not self.closed:
            self.start_closing(code.code)
            self.write_close(code, closing.fitting(reason or code.reason))
            # The peer's answer to the close is behind the frames that were not read.
            self.resume_reading()

    def abort(self) -> None:
        """Drop the connection without a close frame."""
        self.start_closing(None)
        self.drop()

    # The session

    def receive_waiting(self) -> None:
        """Process the frames that arrived before the welcome."""
        for data in self.session.take_waiting():
            action = self.session.receive(data)
            if action is not None:
                self._perform(action)

    def on_time(self, now: float) -> float | None:
        """See `wheel.Timed`."""
        if self.abort_at is not None:
            # `start_closing` added an entry with its own time to the wheel; this may be the older entry.
            if now >= self.abort_at:
                self.abort()
            return None
        if self.is_connecting and now >= self.session.due():
            self.abort()
            return None
        self.tick(now)
        return None if self.closed else self.session.due()

    def tick(self, now: float) -> None:
        """Carry out the actions that the session has due at `now`."""
        for action in self.session.tick(now):
            self._perform(action)

    def _perform(self, action: Action) -> None:
        match action:
            case Send(frame):
                self.send(frame)
            case Acknowledge(positions):
                self._gateway.acknowledge(self, positions)
            case Open(connect):
                self._gateway.open(self, connect)
            case ApplyMark(mark):
                self._gateway.mark(self._attached, mark)
            case PostNotification() | PostedMessage() | UseTopic():
                self._send_on(action)
            case RefreshToken(token):
                self._gateway.refresh(self, token)
            case Probe():
                self.probe()
            case Close(code, reason):
                self.close(code, reason)
            case Abort():
                self.abort()

    def _send_on(self, action: PostNotification | PostedMessage | UseTopic) -> None:
        if isinstance(action, UseTopic):
            self._gateway.use_topic(self, action.frame)
        else:
            self._gateway.post(self, action)

    @property
    def _attached(self) -> Subscriber:
        assert self.subscriber is not None  # noqa: S101 - a session is open while it is attached
        return self.subscriber
