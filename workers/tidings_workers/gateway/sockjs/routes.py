"""The addresses of SockJS below a path, and the headers that browsers need."""

import re
import secrets
import time
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from typing import Final

import msgspec

from tidings_workers.gateway.connection import GatewayCalls
from tidings_workers.gateway.handshake import TOKEN_IN_URL, names_token
from tidings_workers.gateway.head import HttpRefusal
from tidings_workers.gateway.http import HttpConnection, HttpResponse
from tidings_workers.gateway.pending_writes import PendingWrites
from tidings_workers.gateway.plain_handshake import Handshake
from tidings_workers.gateway.requests import HttpRequest
from tidings_workers.gateway.sockjs import framing
from tidings_workers.gateway.sockjs.receivers import Poll, Streaming
from tidings_workers.gateway.sockjs.session import SockJsSession
from tidings_workers.gateway.sockjs.socket import SockJsSocket
from tidings_workers.gateway.stomp.slow import Refusals
from tidings_workers.gateway.stomp.socket import StompSocket

_YEAR: Final = 31_536_000
NO_STORE: Final = ("Cache-Control", "no-store, no-cache, no-transform, must-revalidate, max-age=0")
TEXT: Final = ("Content-Type", "text/plain; charset=UTF-8")
_JSON: Final = ("Content-Type", "application/json; charset=UTF-8")
_GREETING: Final = b"Welcome to SockJS!\n"
_SCRIPT: Final = ("Content-Type", "application/javascript; charset=UTF-8")
_EVENTS: Final = ("Content-Type", "text/event-stream")
_NO_SESSION: Final = b"There is no such session, or it has ended.\n"
_METHODS: Final = {"xhr": "POST", "xhr_streaming": "POST", "xhr_send": "POST", "eventsource": "GET"}
# The first part is for balancers; it is ignored here.
_SESSION: Final = re.compile(r"/[^/.]{1,100}/(?P<session>[^/.]{1,100})/(?P<transport>[a-z_]+)").fullmatch
_NOT_FOUND: Final = b"This is not an address of SockJS.\n"
_ONLY_WEBSOCKETS: Final = HttpRefusal(
    426,
    "malformed_request",
    "This address serves only WebSockets. Connect to it with ws:// or wss://.",
    headers=(("Upgrade", "websocket"),),
)
_ONLY_GET: Final = HttpRefusal(
    405, "method_not_allowed", "This address serves only WebSockets, by GET.", headers=(("Allow", "GET"),)
)


def cors(request: HttpRequest) -> tuple[tuple[str, str], ...]:
    """The headers with which a page of another origin may read a response.

    A page gets data only with a token, and the origin is compared with the tenant's list then.
    """
    origin = request.headers.get("origin")
    if origin is None:
        return (("Vary", "Origin"),)
    allowed = [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Credentials", "true"),
        ("Vary", "Origin"),
    ]
    asked = request.headers.get("access-control-request-headers")
    if asked:
        allowed.append(("Access-Control-Allow-Headers", asked))
    return tuple(allowed)


def preflight(request: HttpRequest, methods: str) -> HttpResponse:
    """The answer to OPTIONS, which a browser keeps for a year."""
    headers = (
        ("Access-Control-Allow-Methods", methods),
        ("Access-Control-Max-Age", str(_YEAR)),
        ("Cache-Control", f"public, max-age={_YEAR}"),
        ("Expires", formatdate(time.time() + _YEAR, usegmt=True)),
        *cors(request),
    )
    return HttpResponse(HTTPStatus.NO_CONTENT, headers=headers)


class SockJs:
    """The addresses of SockJS on one gateway, and its sessions over HTTP."""

    def __init__(self, gateway: GatewayCalls, pending_writes: PendingWrites, refusals: Refusals) -> None:
        self._gateway = gateway
        self._pending_writes = pending_writes
        self._refusals = refusals
        self._sessions: dict[str, SockJsSession] = {}

    def socket(self, below: str) -> StompSocket | None:
        """The protocol of a WebSocket at a path below the base; None when nothing is there."""
        if below in {"", "/", "/websocket"}:
            return StompSocket(self._gateway, self._pending_writes, self._refusals)
        found = _SESSION(below)
        if found is not None and found["transport"] == "websocket":
            return SockJsSocket(self._gateway, self._pending_writes, self._refusals)
        return None

    def handle(self, connection: HttpConnection, request: HttpRequest, below: str) -> None:
        """Answer a request; `below` is its path below the base, such as `/info`."""
        found = _SESSION(below)
        if request.method == "OPTIONS":
            connection.respond(preflight(request, "OPTIONS, GET, POST"))
        elif names_token(request.query):
            connection.refuse(msgspec.structs.replace(TOKEN_IN_URL, headers=cors(request)))
        elif below in {"", "/"}:
            connection.respond(HttpResponse(HTTPStatus.OK, _GREETING, (TEXT,)))
        elif below == "/info":
            # `entropy` is a seed for the random numbers of old clients.
            information = {
                "websocket": True,
                "origins": ["*:*"],
                "cookie_needed": False,
                "entropy": secrets.randbits(32),
            }
            headers = (_JSON, NO_STORE, *cors(request))
            connection.respond(HttpResponse(HTTPStatus.OK, msgspec.json.encode(information), headers))
        elif below == "/websocket" or (found is not None and found["transport"] == "websocket"):
            connection.refuse(_ONLY_WEBSOCKETS if request.method == "GET" else _ONLY_GET)
        elif found is None or request.method != _METHODS.get(found["transport"]):
            _answer(connection, request, HTTPStatus.NOT_FOUND, _NOT_FOUND)
        elif found["transport"] == "xhr_send":
            self._send(connection, request, found["session"])
        else:
            self._receive(connection, request, found["session"], found["transport"])

    def _forget(self, name: str) -> None:
        del self._sessions[name]

    def _send(self, connection: HttpConnection, request: HttpRequest, name: str) -> None:
        session = self._sessions.get(name)
        if session is None or session.closed:
            _answer(connection, request, HTTPStatus.NOT_FOUND, _NO_SESSION)
            return
        if not request.body:
            _answer(connection, request, HTTPStatus.INTERNAL_SERVER_ERROR, b"Payload expected.")
            return
        try:
            messages = framing.messages(request.body)
        except framing.BrokenMessage:
            _answer(connection, request, HTTPStatus.INTERNAL_SERVER_ERROR, b"Broken JSON encoding.")
            return

        def handle() -> None:
            _answer(connection, request, HTTPStatus.NO_CONTENT, b"")
            session.confirm_sent()
            for message in messages:
                if session.closed or not session.admit_frame():
                    break
                session.receive(message)

        if not session.when_reading(handle):
            _answer(connection, request, HTTPStatus.SERVICE_UNAVAILABLE, b"Send one request at a time.")

    def _receive(self, connection: HttpConnection, request: HttpRequest, name: str, transport: str) -> None:
        def attach(session: SockJsSession) -> None:
            _attach(session, connection, request, transport)

        session = self._sessions.get(name)
        if session is not None:
            attach(session)
            return
        session = SockJsSession(
            self._gateway, self._pending_writes, self._refusals, partial(self._forget, name)
        )
        self._sessions[name] = session
        values = request.headers.get
        session.begin(
            connection,
            Handshake(request.query, _present(values("origin")), _present(values("authorization"))),
            attach,
        )


def _attach(session: SockJsSession, connection: HttpConnection, request: HttpRequest, transport: str) -> None:
    """Give the response of this request to the session, or refuse it because there is another one."""
    is_events = transport == "eventsource"
    headers = (_EVENTS if is_events else _SCRIPT, NO_STORE, *cors(request))
    is_busy = session.has_receiver
    if transport == "xhr":
        if is_busy:
            connection.respond(HttpResponse(HTTPStatus.OK, framing.BUSY + b"\n", headers))
        else:
            session.attach_receiver(Poll(connection, headers, session.receiver_lost))
        return
    stream = Streaming(
        is_events=is_events, headers=headers, lost=session.receiver_lost, resumed=session.flush_waiting
    )
    connection.take_over(stream)
    if is_busy:
        stream.send(framing.BUSY)
        stream.end()
    else:
        session.attach_receiver(stream)


def _answer(connection: HttpConnection, request: HttpRequest, status: HTTPStatus, body: bytes) -> None:
    connection.respond(HttpResponse(status, body, (TEXT, NO_STORE, *cors(request))))


def _present(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)
