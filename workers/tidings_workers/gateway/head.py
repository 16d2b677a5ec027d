"""The head of an HTTP request on the realtime port: read within limits, parsed, or refused.

Browsers send cookies with every handshake, so a head may be as large as in the API, and one line may fill it.
The cost of parsing is bounded by the length of the head and the number of its lines.
"""

import email.utils
import re
from collections.abc import Callable, Generator, Iterable
from http import HTTPStatus
from typing import Final

import msgspec
from msgspec import Struct
from websockets.datastructures import Headers
from websockets.exceptions import TooManyHeaders
from websockets.http11 import MAX_NUM_HEADERS, Request, Response

from tidings.protocol.errors import problem
from tidings_workers.gateway.plain_handshake import PATH, Handshake, plain_handshake

HEAD_BYTES: Final = 64 * 1024
TARGET_BYTES: Final = 8 * 1024

_END: Final = b"\r\n\r\n"
_FIRST_LINE: Final = re.compile(rb"(?P<method>[A-Z]+) (?P<target>[!-~]+) HTTP/1\.[01]\r\n").match
_UPGRADE: Final = re.compile(rb"\r\nupgrade:[ \t]*websocket", re.IGNORECASE).search


class HttpRefusal(Struct, frozen=True):
    """A refused request: an HTTP error with its problem document."""

    status: int
    code: str
    detail: str
    # The key may be newer than our copy of the registry: refresh it and check again first.
    unknown_key: bool = False
    headers: tuple[tuple[str, str], ...] = ()


class Elsewhere(Struct, frozen=True):
    """A request that is not for the WebSocket at PATH.

    `head` has the bytes as received. `request` is set for a WebSocket at another path. `refusal` is the
    answer when nothing is served at `path`.
    """

    path: str
    head: bytes
    request: Request | None
    refusal: HttpRefusal


class Head:
    """The bytes that arrive before the response: the head, then the rest behind it."""

    __slots__ = ("_buffer", "paused", "rest", "without_body")

    def __init__(self) -> None:
        self._buffer = bytearray()
        # The bytes behind the head; None until the head is complete.
        self.rest: bytes | None = None
        # Whether reading is paused until the response was sent.
        self.paused = False
        # Whether the response has no body: the method is HEAD.
        self.without_body = False

    def feed(self, data: bytes) -> Handshake | Elsewhere | HttpRefusal | None:
        """Add received bytes: a request, a refusal, or None while the head is incomplete."""
        plain = plain_handshake(data) if not self._buffer else None
        if plain is not None:
            self.rest = b""
            return plain
        searched = max(0, len(self._buffer) - len(_END) + 1)
        self._buffer += data
        end = self._buffer.find(_END, searched)
        size = len(self._buffer) if end < 0 else end + len(_END)
        if size > HEAD_BYTES:
            return _too_large(f"The request's headers are larger than {HEAD_BYTES:,} bytes")
        if not self._buffer[:1].isupper():
            return _NOT_HTTP
        if end < 0:
            return None
        head, self.rest = bytes(self._buffer[:size]), bytes(self._buffer[size:])
        self._buffer.clear()
        self.without_body = head.startswith(b"HEAD ")
        return _parsed(head)


def refusal_bytes(
    refusal: HttpRefusal, headers: Iterable[tuple[str, str]] = (), *, without_body: bool = False
) -> bytes:
    """The response of a refusal: a problem document, then the connection closes."""
    document = msgspec.structs.replace(problem(refusal.code, refusal.detail), status=refusal.status)
    body = msgspec.json.encode(document)
    lines = Headers(
        [
            ("Date", email.utils.formatdate(usegmt=True)),
            ("Connection", "close"),
            ("Content-Type", "application/problem+json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            *refusal.headers,
            *headers,
        ]
    )
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        lines["WWW-Authenticate"] = f'Bearer realm="tidings", error="{refusal.code}"'
    phrase = HTTPStatus(refusal.status).phrase
    return Response(refusal.status, phrase, lines, b"" if without_body else body).serialize()


def not_a_websocket(path: str) -> HttpRefusal:
    """The refusal of a request that is not for a WebSocket."""
    if path == PATH:
        detail = f"This address serves only WebSockets. Connect to ws://host:port{PATH} or wss://."
        return HttpRefusal(426, "malformed_request", detail, headers=(("Upgrade", "websocket"),))
    return HttpRefusal(
        404,
        "not_found",
        f"This is the realtime port, which serves only WebSockets at {PATH}. Send other requests to the "
        "API on its own port: 8000, unless TIDINGS_PORT or --port is set.",
    )


def _parsed(head: bytes) -> Handshake | Elsewhere | HttpRefusal:
    first = _FIRST_LINE(head)
    if first is None:
        return _NOT_HTTP
    if len(first["target"]) > TARGET_BYTES:
        detail = f"The request's address is longer than {TARGET_BYTES:,} bytes."
        return HttpRefusal(414, "malformed_request", detail)
    if not _UPGRADE(head):
        path = first["target"].decode("ascii").partition("?")[0]
        return Elsewhere(path, head, None, not_a_websocket(path))
    try:
        next(Request.parse(_reader(head)))
    except StopIteration as parsed:
        request: Request = parsed.value
        path = request.path.partition("?")[0]
        if path != PATH:
            refusal = HttpRefusal(404, "not_found", f"WebSockets are served at {PATH}.")
            return Elsewhere(path, head, request, refusal)
        return handshake_of(request)
    except TooManyHeaders:
        return _too_large(f"The request has more than {MAX_NUM_HEADERS} headers")
    except (ValueError, EOFError, NotImplementedError):
        pass
    return HttpRefusal(400, "malformed_request", "The headers are not those of a WebSocket handshake.")


def handshake_of(request: Request) -> Handshake:
    """A request of the general parser, as the gateway decides on it."""
    values = request.headers.get_all
    query = request.path.partition("?")[2]
    return Handshake(query, values("Origin"), values("Authorization"), request=request)


def _reader(head: bytes) -> Callable[[int, type[Exception]], Generator[None, None, bytes | bytearray]]:
    """A reader of the lines of a complete head, in the form that `Request.parse` expects."""
    lines = iter(head[: -len(b"\r\n")].split(b"\r\n"))

    def read_line(_: int, __: type[Exception]) -> Generator[None, None, bytes | bytearray]:
        yield from ()
        return next(lines) + b"\r\n"

    return read_line


def _too_large(fact: str) -> HttpRefusal:
    return HttpRefusal(
        431,
        "malformed_request",
        fact + ". Most of them are usually cookies: set fewer for this host, or use another host.",
    )


_NOT_HTTP: Final = HttpRefusal(
    400,
    "malformed_request",
    "This is not an HTTP request. TLS ends at a proxy: without a proxy, use ws:// and http://.",
)
