"""STOMP in a session of SockJS over HTTP: a connection that outlives its responses.

A receiver is the response on which the session sends. Between two receivers, frames wait here; without a
receiver for RECEIVER_SECONDS the session ends. After its close each further receiver gets the last frame.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import ClassVar, Final

from tidings.protocol import closing
from tidings.protocol.closing import CloseCode
from tidings.protocol.frames import Positions
from tidings_workers.gateway import handshake
from tidings_workers.gateway.connection import GatewayCalls
from tidings_workers.gateway.head import HttpRefusal
from tidings_workers.gateway.http import HttpConnection
from tidings_workers.gateway.pending_writes import PendingWrites
from tidings_workers.gateway.plain_handshake import Handshake
from tidings_workers.gateway.sockjs import framing
from tidings_workers.gateway.sockjs.receivers import Receiver, Streaming
from tidings_workers.gateway.stomp.connection import StompConnection
from tidings_workers.gateway.stomp.slow import Refusals
from tidings_workers.gateway.stomp.wire import Wires
from tidings_workers.gateway.stream import STALLED_SECONDS, WRITE_HIGH_BYTES

# How long a session lives without a receiver, and how long its last frame is kept.
RECEIVER_SECONDS: Final = 5.0

# Requests that may wait while the session does not read. A client sends one at a time.
_REQUESTS: Final = 4

Attach = Callable[["SockJsSession"], None]


class SockJsSession(StompConnection):
    """One client of SockJS whose transport is HTTP. `forget` removes the session from its owner."""

    wires: ClassVar[Wires] = Wires(framing.listed)

    def __init__(
        self,
        gateway: GatewayCalls,
        pending_writes: PendingWrites,
        refusals: Refusals,
        forget: Callable[[], None],
    ) -> None:
        super().__init__(gateway, pending_writes)
        self.start_stomp(self.wires, refusals)
        self._forget = forget
        # The first request, until it is decided.
        self._first: tuple[HttpConnection, Attach] | None = None
        self._outbox_bytes = gateway.settings.outbox_bytes
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._is_announced = False
        self._last = b""
        self._receiver: Receiver | None = None
        self._room: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        # The positions that the client has when it reads the last frame.
        self._awaited: Positions | None = None
        self._is_lost = False
        self._is_reading = True
        self._requests: deque[Callable[[], None]] = deque()

    # The handshake, see handshake.Applicant

    def begin(self, connection: HttpConnection, request: Handshake, attach: Attach) -> None:
        """Decide on the first request of a new session, and then attach its receiver."""
        self.address = connection.address
        self._first = connection, attach
        self.transport_opened()
        self._gateway.admit(self, request)

    def decide(self, request: Handshake, verdict: handshake.Verdict) -> None:
        """See `handshake.Applicant`."""
        del request
        if self._first is None:
            return
        (connection, attach), self._first = self._first, None
        if isinstance(verdict, HttpRefusal):
            connection.refuse(verdict)
            self.abort()
            return
        self.identity, self.origin = verdict
        self._stomp.has_token = self.identity is not None
        attach(self)

    # Receivers

    @property
    def has_receiver(self) -> bool:
        """Whether a receiver is attached."""
        return self._receiver is not None

    def attach_receiver(self, receiver: Receiver) -> None:
        """Send on this receiver from now on. The session has none."""
        self.confirm_sent()
        self._receiver = receiver
        if self._timer is not None and not self.closed:
            self._timer.cancel()
            self._timer = None
        if not self._is_announced:
            self._is_announced = True
            if not receiver.send(framing.OPEN):
                self._release_receiver()
        self._flush()

    def receiver_lost(self) -> None:
        """The client has broken off a response: it may have lost frames, so the session ends."""
        self._receiver = None
        if not self.closed:
            self.abort()

    def _release_receiver(self) -> None:
        self._receiver = None
        if not self.closed:
            self._timer = asyncio.get_running_loop().call_later(RECEIVER_SECONDS, self.abort)

    def flush_waiting(self) -> None:
        """Send the frames that wait, because the receiver is ready again."""
        self._flush()

    def confirm_sent(self) -> None:
        """A request of the client arrived: acknowledge what it has read, if the server does that."""
        self.bytes_arrived()
        receiver, awaited = self._receiver, self._awaited
        if awaited is None or self.closed or (isinstance(receiver, Streaming) and not receiver.is_empty):
            return
        self._awaited = None
        if self._confirms:
            # Replayed messages count as sent after their write. Unless others wait, the client has them now.
            is_behind = bool(self._waiting or self._queue)
            self.confirm(awaited if is_behind else self.sent_positions())

    def _flush(self) -> None:
        receiver = self._receiver
        if receiver is None or not receiver.is_ready:
            return
        if self._waiting:
            frame = framing.array(b"".join(self._waiting))
            self._waiting, self._waiting_bytes = [], 0
            if self._confirms:
                self._awaited = self.sent_positions()
            if not receiver.send(frame):
                self._release_receiver()
            self._make_room()
        receiver = self._receiver
        if self._last and receiver is not None:
            self._receiver = None
            if receiver.send(self._last):
                receiver.end()

    def _make_room(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._room = None

    # The transport, see Connection

    def write(self, data: bytes) -> None:
        """See Connection."""
        if self.closed or not data:
            return
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        self._flush()
        if self._waiting_bytes > self._outbox_bytes:
            self.close(closing.SLOW_CONSUMER)
        else:
            self.check_unacknowledged()

    @property
    def has_room(self) -> bool:
        """See Connection."""
        return self._waiting_bytes <= WRITE_HIGH_BYTES

    def pause_reading(self) -> None:
        """See Connection. Requests with messages wait for their answers."""
        self._is_reading = False

    def resume_reading(self) -> None:
        """See Connection."""
        self._is_reading = True
        while self._requests and self._is_reading:
            self._requests.popleft()()

    def when_reading(self, handle: Callable[[], None]) -> bool:
        """Handle a request with messages, now or when the session reads again; False for one too many."""
        if self._is_reading:
            handle()
        elif len(self._requests) >= _REQUESTS:
            return False
        else:
            self._requests.append(handle)
        return True

    async def writable(self) -> None:
        """See Connection."""
        while not (self.has_room or self.closed):
            self._room = self._room or asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(STALLED_SECONDS):
                    await asyncio.shield(self._room)
            except TimeoutError:
                self.close(closing.SLOW_CONSUMER)

    def probe(self) -> None:
        """See Connection. A poll ends with the heartbeat, and the next one is a sign of life."""
        receiver = self._receiver
        if receiver is None or not receiver.is_ready:
            return
        if isinstance(receiver, Streaming) and receiver.is_empty:
            self.bytes_arrived()
        if not receiver.send(framing.HEARTBEAT):
            self._release_receiver()

    def write_last(self, data: bytes) -> None:
        """See StompConnection."""
        self._waiting.append(data)

    def write_end(self, code: CloseCode, reason: str) -> None:
        """See StompConnection."""
        if code == closing.SLOW_CONSUMER:
            self._waiting.clear()
        self._last = framing.close(code.code, reason)
        self._flush()
        asyncio.get_running_loop().call_soon(self._lose)

    def drop(self) -> None:
        """See Connection."""
        self._last = self._last or framing.INTERRUPTED
        self._waiting.clear()
        self._flush()
        asyncio.get_running_loop().call_soon(self._lose)

    def _lose(self) -> None:
        if not self._is_lost:
            self._is_lost = True
            self.transport_closed()

    def start_closing(self, code: int | None) -> None:
        """See Connection."""
        if self.closed:
            return
        super().start_closing(code)
        self._make_room()
        if self._timer is not None:
            self._timer.cancel()
        # Later receivers get the last frame.
        self._timer = asyncio.get_running_loop().call_later(RECEIVER_SECONDS, self._forget)
