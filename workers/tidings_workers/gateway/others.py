"""The protocols on the realtime port beside `tidings.v1`: chooses one by the path of a request."""

from typing import Final

from tidings_workers.gateway.connection import GatewayCalls
from tidings_workers.gateway.handshake import Successor
from tidings_workers.gateway.head import Elsewhere, HttpRefusal, not_a_websocket
from tidings_workers.gateway.http import HttpConnection, Pages
from tidings_workers.gateway.pending_writes import PendingWrites
from tidings_workers.gateway.plain_handshake import EVENTS_PATH
from tidings_workers.gateway.requests import HttpRequest
from tidings_workers.gateway.sockjs.routes import SockJs
from tidings_workers.gateway.sse.routes import Events
from tidings_workers.gateway.stomp.slow import Refusals
from tidings_workers.gateway.wheel import Timed, Wheel

_ONLY_GET: Final = HttpRefusal(
    405, "method_not_allowed", "This address allows GET alone.", headers=(("Allow", "GET, HEAD"),)
)


class Others:
    """The HTTP connections of one gateway. Implements `http.HttpCalls`."""

    def __init__(
        self, gateway: GatewayCalls, wheel: Wheel, pending_writes: PendingWrites, pages: Pages
    ) -> None:
        self._gateway = gateway
        self._pages = pages
        self._stomp_paths = gateway.settings.stomp_bases
        self._connections: dict[HttpConnection, None] = {}
        self._wheel = wheel
        self._sockjs = SockJs(gateway, pending_writes, Refusals())
        self._events = Events(gateway, pending_writes)

    def successor(self, found: Elsewhere) -> Successor | None:
        """See `GatewayCalls.successor`."""
        base = self._base(found.path)
        if found.request is None:
            is_served = base is not None or found.path == EVENTS_PATH or found.path in self._pages
            return HttpConnection(self) if is_served else None
        if base is None:
            return None
        return self._sockjs.socket(found.path.removeprefix(base))

    def _base(self, path: str) -> str | None:
        """The base of STOMP and SockJS that a path is at or below."""
        return next((base for base in self._stomp_paths if path == base or path.startswith(base + "/")), None)

    def finish(self) -> None:
        """The gateway stops: close idle connections, and the others after their response."""
        for connection in list(self._connections):
            connection.finish()

    def close(self) -> None:
        """Close all connections."""
        for connection in list(self._connections):
            connection.close()

    # Calls of connections, see HttpCalls

    @property
    def refusal_headers(self) -> tuple[tuple[str, str], ...]:
        """See HttpCalls."""
        return self._gateway.refusal_headers

    def http_opened(self, connection: HttpConnection) -> None:
        """See HttpCalls."""
        self._connections[connection] = None

    def http_closed(self, connection: HttpConnection) -> None:
        """See HttpCalls."""
        del self._connections[connection]

    def call_at(self, entry: Timed, at: float) -> None:
        """See HttpCalls."""
        self._wheel.add(entry, at)

    def handle(self, connection: HttpConnection, request: HttpRequest) -> None:
        """See HttpCalls."""
        base, page = self._base(request.path), self._pages.get(request.path)
        if request.path == EVENTS_PATH:
            self._events.handle(connection, request)
        elif base is not None:
            self._sockjs.handle(connection, request, request.path.removeprefix(base))
        elif page is None:
            connection.refuse(not_a_websocket(request.path))
        elif request.method in {"GET", "HEAD"}:
            connection.respond(page)
        else:
            connection.refuse(_ONLY_GET)
