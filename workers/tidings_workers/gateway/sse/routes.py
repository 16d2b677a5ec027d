"""The address of server-sent events, and the headers that browsers need."""

from http import HTTPStatus
from typing import Final

import msgspec

from tidings_workers.gateway.connection import GatewayCalls
from tidings_workers.gateway.head import HttpRefusal
from tidings_workers.gateway.http import HttpConnection, HttpResponse
from tidings_workers.gateway.pending_writes import PendingWrites
from tidings_workers.gateway.requests import EVENTS_METHODS, HttpRequest
from tidings_workers.gateway.sse import request as requests
from tidings_workers.gateway.sse.connection import EventStream, Headers

_METHODS: Final = ", ".join(EVENTS_METHODS)
_VARY: Final = ("Vary", "Origin")
_PREFLIGHT: Final[Headers] = (
    ("Access-Control-Allow-Methods", "GET"),
    # EventSource with headers, as libraries write it, sends Cache-Control too.
    ("Access-Control-Allow-Headers", "Authorization, Last-Event-ID, Cache-Control"),
    # No browser caches it for longer.
    ("Access-Control-Max-Age", "7200"),
)


class Events:
    """The streams of one gateway."""

    def __init__(self, gateway: GatewayCalls, pending_writes: PendingWrites) -> None:
        self._gateway = gateway
        self._pending_writes = pending_writes

    def handle(self, http: HttpConnection, request: HttpRequest) -> None:
        """Answer a request for `plain_handshake.EVENTS_PATH`."""
        headers = self._cors(request)
        if request.method == "OPTIONS":
            allowed = (("Allow", _METHODS), *_PREFLIGHT, *headers)
            http.respond(HttpResponse(HTTPStatus.NO_CONTENT, headers=allowed))
            return
        if request.method != "GET":
            detail = f"Events are read with GET, not with {request.method}."
            refused = HttpRefusal(405, "method_not_allowed", detail, headers=(("Allow", _METHODS), *headers))
            http.refuse(refused)
            return
        parameters = requests.read(request)
        if isinstance(parameters, HttpRefusal):
            http.refuse(msgspec.structs.replace(parameters, headers=(*parameters.headers, *headers)))
        else:
            EventStream(self._gateway, self._pending_writes, parameters, headers).begin(http, request)

    def _cors(self, request: HttpRequest) -> Headers:
        """The headers with which a page of another origin may read the answer."""
        origin = request.headers.get("origin")
        if origin is None or not self._gateway.admits_page(origin):
            return (_VARY,)
        return (
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", "Retry-After"),
            _VARY,
        )
