"""One client of server-sent events: a connection whose request is the handshake and the connect frame.

Until its welcome the connection has no transport, and a refusal is an HTTP answer. With the welcome it takes
the transport over and answers 200. Nothing follows the last event, `close`.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from tidings.protocol import closing
from tidings.protocol.closing import CloseCode
from tidings.protocol.frames import Connect, ErrorFrame, Resume, ServerFrame, Subscribe, Welcome
from tidings.protocol.names import log_of_topic
from tidings_workers.gateway import handshake
from tidings_workers.gateway.connection import GatewayCalls, clock
from tidings_workers.gateway.head import HttpRefusal
from tidings_workers.gateway.http import HttpConnection, HttpResponse
from tidings_workers.gateway.pending_writes import PendingWrites
from tidings_workers.gateway.plain_handshake import Handshake
from tidings_workers.gateway.requests import HttpRequest
from tidings_workers.gateway.session import Session
from tidings_workers.gateway.sse import refusals
from tidings_workers.gateway.sse.cursor import owner_of
from tidings_workers.gateway.sse.ids import Ids, continued
from tidings_workers.gateway.sse.request import StreamRequest
from tidings_workers.gateway.sse.wire import COMMENT, EVENTS
from tidings_workers.gateway.stream import Stream, limit_unacknowledged
from tidings_workers.gateway.wire import Wire
from tidings_workers.tokens import Identity

COMMENT_SECONDS: Final = 15.0

Headers = tuple[tuple[str, str], ...]

STREAM_HEADERS: Final[Headers] = (
    ("Content-Type", "text/event-stream; charset=utf-8"),
    ("Cache-Control", "no-store, no-transform"),
    ("X-Accel-Buffering", "no"),
    ("X-Content-Type-Options", "nosniff"),
)
_RETRY: Final = b"retry: %d\n\n" % refusals.RETRY_MS
_NO_TOKEN: Final = HttpRefusal(
    401,
    "missing_token",
    "Send the header Authorization: Bearer <token>, or ?ticket= with a ticket of POST /v1/realtime/tickets.",
)
_OTHER_OWNER: Final = HttpRefusal(
    400,
    "invalid_cursor",
    "The Last-Event-ID is of another user. Connect without it to start at the end.",
)


class EventStream(Stream):
    """One client of server-sent events. `headers`: further headers of the answer, for CORS."""

    __slots__ = ("_headers", "_http", "_ids", "_parameters", "_resumed")

    wire: Wire = EVENTS

    def __init__(
        self,
        gateway: GatewayCalls,
        pending_writes: PendingWrites,
        parameters: StreamRequest,
        headers: Headers,
    ) -> None:
        super().__init__(gateway, pending_writes)
        self.session = Session(clock(), min(gateway.settings.heartbeat_seconds, COMMENT_SECONDS))
        self._headers = headers
        # None after the welcome.
        self._parameters: StreamRequest | None = parameters
        # The request, until it was answered.
        self._http: HttpConnection | None = None
        self._ids = Ids()
        # The topics of the cursor that continue; until the welcome.
        self._resumed: frozenset[str] = frozenset()

    # The handshake

    def begin(self, http: HttpConnection, request: HttpRequest) -> None:
        """Decide on a request, and open the session."""
        assert self._parameters is not None  # noqa: S101 - the connection is new
        self._http = http
        self.address = http.address
        http.on_lost = self.transport_closed
        self.transport_opened()
        origin, authorization = (request.headers.get(name) for name in ("origin", "authorization"))
        self._gateway.admit(
            self,
            Handshake(
                request.query,
                () if origin is None else (origin,),
                () if authorization is None else (authorization,),
                ticket=self._parameters.ticket,
            ),
        )

    def decide(self, request: Handshake, verdict: handshake.Verdict) -> None:
        """See `handshake.Applicant`."""
        del request
        if self.closed or self._parameters is None:
            return
        if isinstance(verdict, HttpRefusal):
            if self._parameters.is_patient and refusals.is_temporary(verdict):
                self.close(closing.OVERLOADED, verdict.detail)
            else:
                self._refuse(verdict)
            return
        identity, self.origin = verdict
        if identity is None:
            self._refuse(_NO_TOKEN)
        else:
            self._connect(self._parameters, identity)

    def _connect(self, parameters: StreamRequest, identity: Identity) -> None:
        known, resume = parameters.cursor, None
        if known is not None:
            if known.owner and known.owner != owner_of(identity.tenant, identity.subject):
                self._refuse(_OTHER_OWNER)
                return
            positions, self._resumed = continued(known, parameters.topics)
            resume = Resume(known.epoch, positions, known.state_version)
        self.identity = identity
        # EventSource repeats `rewind` with each reconnect. For what the cursor names, the cursor is newer.
        rewind = parameters.rewind if resume is None else None
        frame = Connect(device=parameters.device, resume=resume, rewind=rewind)
        self.receive(msgspec.json.encode(frame))
        for topic in parameters.topics:
            if not self.closed and topic not in self._resumed:
                subscribe = Subscribe(topic, rewind=parameters.rewind, ref=log_of_topic(topic))
                self.receive(msgspec.json.encode(subscribe))

    def _refuse(self, refused: HttpRefusal) -> None:
        """Answer the request with an error."""
        http, self._http = self._http, None
        assert http is not None and self._parameters is not None  # noqa: S101, PT018 - it is answered once
        http.on_lost = None
        self.start_closing(None)
        # Later: the caller may iterate over the connections of the gateway.
        asyncio.get_running_loop().call_soon(self.transport_closed)
        http.refuse(msgspec.structs.replace(refused, headers=(*refused.headers, *self._headers)))

    def _end_at_once(self, code: CloseCode, reason: str) -> None:
        """Answer the request with a stream that ends: see `StreamRequest`."""
        http, self._http = self._http, None
        assert http is not None  # noqa: S101 - it is answered once
        body = refusals.last_event(code, reason)
        asyncio.get_running_loop().call_soon(self.transport_closed)
        http.respond(HttpResponse(200, body, (*STREAM_HEADERS, *self._headers)))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol. The transport of the request continues as the stream."""
        self.use(transport)
        limit_unacknowledged(transport)
        fields = (*STREAM_HEADERS, *self._headers, ("Connection", "close"))
        head = "".join(["HTTP/1.1 200 OK\r\n", *(f"{name}: {value}\r\n" for name, value in fields), "\r\n"])
        self._transport.write(head.encode("latin-1") + _RETRY)

    def resumed(self, names: Iterable[str]) -> Mapping[str, int]:
        """See `transport.Transport`."""
        known = self._parameters.cursor if self._parameters is not None else None
        return known.packed.of(names) if known is not None and known.packed is not None else {}

    # Received bytes

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol. No request follows on this connection: bytes are counted and discarded."""
        del data
        if not self.closed and self.admit_frame():
            self.bytes_arrived()

    def eof_received(self) -> None:
        """See asyncio.Protocol. The client disconnects."""

    def pause_reading(self) -> None:
        """See Connection. A client sends nothing."""

    def resume_reading(self) -> None:
        """See Connection."""

    # Sending

    def write(self, data: bytes) -> None:
        """See Connection."""
        super().write(self._ids.with_ids(data))

    def write_queue(self) -> None:
        """See `pending_writes.Queued`. The ids are filled in here, for one connection at a time."""
        queued, self._queue = self._queue, []
        if queued:
            super().write(self._with_ids(queued))

    def _with_ids(self, queued: list[bytes]) -> bytes:
        return b"".join([self._ids.with_ids(data) for data in queued])

    def send(self, *messages: ServerFrame) -> None:
        """See Connection."""
        for message in messages:
            if self.closed:
                return
            if isinstance(message, Welcome):
                self._welcome(message)
            elif isinstance(message, ErrorFrame) and message.code == "storage_unavailable":
                # A topic was not subscribed to. The client cannot repeat that on this connection.
                self.close(closing.OVERLOADED, message.detail)
                return
            if self._queue:
                # Its id follows theirs. Bytes with ids stay as they are when they are written.
                before = self._with_ids(self._queue)
                self._queue = [before, self._ids.line(message) + self.wire.frame(message)]
            else:
                super().write(self._ids.line(message) + self.wire.frame(message))

    def _welcome(self, frame: Welcome) -> None:
        http, parameters, identity = self._http, self._parameters, self.identity
        assert http is not None and parameters is not None and identity is not None  # noqa: S101, PT018
        self._http = self._parameters = None
        owner, resumed = owner_of(identity.tenant, identity.subject), self._resumed
        self._ids.start(owner, frame, parameters.cursor, resumed)
        http.take_over(self)
        self._headers, self._resumed = (), frozenset()

    def probe(self) -> None:
        """See Connection. A client that has read everything is alive; the kernel notices one that left."""
        if not self._transport.get_write_buffer_size():
            self.bytes_arrived()
        super().write(COMMENT)

    # Closing

    def write_close(self, code: CloseCode, reason: str) -> None:
        """See Connection."""
        if self._http is None:
            self._transport.write(refusals.last_event(code, reason))
            self._transport.close()
            return
        refused = refusals.refusal(code, reason)
        assert self._parameters is not None  # noqa: S101 - the request was not answered yet
        if self._parameters.is_patient and refusals.is_temporary(refused):
            self._end_at_once(code, reason)
        else:
            self._refuse(refused)

    def drop(self) -> None:
        """See Connection. After a refusal nothing is left to close."""
        if self._parameters is None:
            super().drop()
        elif self._http is not None:
            self._http.close()
