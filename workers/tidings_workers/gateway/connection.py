"""One client, whatever its transport: carries out what its session says.

A transport is a subclass. It turns its own bytes into calls of `arrive`, `heard`, `admit_frame`, `receive`,
`end` and `lose`, and what it is given into its own bytes. The wheel is a connection's only clock; no task,
queue or stream belongs to an idle connection.
"""

import time
from abc import ABC, abstractmethod
from typing import ClassVar, Final, Protocol

from websockets.http11 import Request

from tidings.protocol import closing
from tidings.protocol.closing import CloseCode
from tidings.protocol.frames import Connect, Mark, Positions, ServerFrame
from tidings_workers import metrics
from tidings_workers.config import Settings
from tidings_workers.gateway.actions import (
    Abort,
    Acknowledge,
    Action,
    ChangeState,
    Close,
    Open,
    Probe,
    RefreshToken,
    Send,
)
from tidings_workers.gateway.batch import Batch
from tidings_workers.gateway.handshake import Applicant
from tidings_workers.gateway.session import Session
from tidings_workers.gateway.users import Subscriber
from tidings_workers.gateway.wire import Wire
from tidings_workers.tokens import Identity

# After it was sent that its connection closes, the peer has this long to close it on its side.
CLOSING_SECONDS: Final = 5.0

clock: Final = time.monotonic


class Host(Protocol):
    """What a connection asks of its gateway."""

    @property
    def settings(self) -> Settings:
        """The settings of the gateway."""

    @property
    def refusal_headers(self) -> tuple[tuple[str, str], ...]:
        """Headers of every refusal of an HTTP request."""

    def arrived(self, connection: "Connection") -> None:
        """A client has connected; its session is new."""

    def admit(self, applicant: Applicant, request: Request) -> None:
        """Decide on a handshake; `decide` is called with the verdict, now or later."""

    def open(self, connection: "Connection", connect: Connect) -> None:
        """Open the session, or close the connection."""

    def acknowledge(self, subscriber: Subscriber, positions: Positions) -> None:
        """The client received everything up to these positions."""

    def mark(self, subscriber: Subscriber, mark: Mark) -> None:
        """Change the state of the user's notifications."""

    def refresh(self, connection: "Connection", token: str) -> None:
        """Take a new token of the same user."""

    def connection_closing(self, connection: "Connection") -> None:
        """The connection is closing: it is sent nothing more. Once."""

    def connection_lost(self, connection: "Connection") -> None:
        """The transport of the connection is closed. Once, after `connection_closing`."""


class Connection(ABC):
    """One client. The gateway opens its session, and topics send to it: see `users.Outlet`."""

    __slots__ = (
        "_batch",
        "_host",
        "_queue",
        "abort_at",
        "address",
        "close_code",
        "closed",
        "counted",
        "identity",
        "origin",
        "session",
        "subscriber",
    )

    wire: ClassVar[Wire]
    """How the transport writes frames."""

    def __init__(self, host: Host, batch: Batch) -> None:
        self._host = host
        self._batch = batch
        self._queue: list[bytes] = []
        self.session = Session(clock(), host.settings.heartbeat_seconds)
        self.address = ""
        self.identity: Identity | None = None
        self.origin: str | None = None
        # Whether the gateway counts it among those that it admitted.
        self.counted = False
        # Set while it is attached to its user.
        self.subscriber: Subscriber | None = None
        self.closed = False
        self.close_code: int | None = None
        # When a closing connection is dropped; None while it is open.
        self.abort_at: float | None = None

    # What a transport does

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Write bytes, unless it is closed. A consumer that lets too much pile up is closed."""

    @abstractmethod
    async def writable(self) -> None:
        """Wait until it takes bytes, or is closed. One that takes none for long is closed."""

    @abstractmethod
    def probe(self) -> None:
        """Make the peer send something, if it is there."""

    @abstractmethod
    def write_close(self, code: CloseCode, reason: str) -> None:
        """Send the peer why its connection closes, and begin to close it. `end` was called."""

    @abstractmethod
    def drop(self) -> None:
        """Close the transport at once. `end` was called."""

    @property
    def is_connecting(self) -> bool:
        """Whether the transport is not ready for frames yet."""
        return False

    # What a transport reports

    def arrive(self) -> None:
        """A client has connected."""
        self._host.arrived(self)

    def heard(self) -> None:
        """Bytes arrived from the peer: any of them are a sign of life."""
        self.session.heard()

    def admit_frame(self) -> bool:
        """One frame arrived, of any kind; False when it is one too many and the connection was closed."""
        flood = self.session.admit(clock())
        if flood is not None:
            self._perform(flood)
        return flood is None

    def receive(self, data: bytes) -> None:
        """A whole message arrived, in UTF-8."""
        metrics.FRAMES_RECEIVED.inc()
        action = self.session.receive(data)
        if action is not None:
            self._perform(action)

    def end(self, code: int | None) -> None:
        """The connection is closing, for whatever reason: it takes nothing more."""
        if self.closed:
            return
        self.closed = True
        self.close_code = code
        self.abort_at = clock() + CLOSING_SECONDS
        self._queue.clear()
        self.session.end()
        self._host.connection_closing(self)

    def lose(self) -> None:
        """The transport is closed. Once."""
        self.end(None)
        self._host.connection_lost(self)

    # Sending

    @property
    def is_open(self) -> bool:
        """See `users.Outlet`."""
        return self.session.is_open

    def queue(self, data: bytes) -> None:
        """See `users.Outlet`."""
        if not self._queue:
            self._batch.add(self)
        self._queue.append(data)

    def write_queue(self) -> None:
        """See `batch.Queued`."""
        queued, self._queue = self._queue, []
        if queued:
            self.write(queued[0] if len(queued) == 1 else b"".join(queued))

    def send(self, message: ServerFrame) -> None:
        """See `users.Outlet`."""
        data = self.wire.frame(message)
        if self._queue:
            self._queue.append(data)
        else:
            self.write(data)

    # Closing

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Close the connection, once. `Host.connection_closing` has run when this returns."""
        if not self.closed:
            self.end(code.code)
            self.write_close(code, closing.fitting(reason or code.reason))

    def abort(self) -> None:
        """Close the connection without a word to the peer."""
        self.end(None)
        self.drop()

    # The session

    def receive_waiting(self) -> None:
        """Take the frames that arrived before the welcome."""
        for data in self.session.waiting():
            action = self.session.receive(data)
            if action is not None:
                self._perform(action)

    def on_time(self, now: float) -> float | None:
        """See `wheel.Timed`."""
        if self.abort_at is not None:
            # Ending put an entry of its own into the wheel; this may be the earlier one.
            if now >= self.abort_at:
                self.abort()
            return None
        if self.is_connecting and now >= self.session.due():
            self.abort()
            return None
        self.tick(now)
        return None if self.closed else self.session.due()

    def tick(self, now: float) -> None:
        """Do what the session has due by `now`."""
        for action in self.session.tick(now):
            self._perform(action)

    def _perform(self, action: Action) -> None:
        match action:
            case Send(frame):
                self.send(frame)
            case Acknowledge(positions):
                self._host.acknowledge(self._attached, positions)
            case Open(connect):
                self._host.open(self, connect)
            case ChangeState(mark):
                self._host.mark(self._attached, mark)
            case RefreshToken(token):
                self._host.refresh(self, token)
            case Probe():
                self.probe()
            case Close(code, reason):
                self.close(code, reason)
            case Abort():
                self.abort()

    @property
    def _attached(self) -> Subscriber:
        assert self.subscriber is not None  # noqa: S101 - a session is open while it is attached
        return self.subscriber
