"""The head of an HTTP request on the realtime port: read within bounds, parsed, and refused in words.

Cookies travel with every handshake of a browser, so that a head may be as large as the API takes it;
single lines may fill it. What it costs to parse is bounded by its length and the number of its lines.
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

PATH: Final = "/v1/realtime"
HEAD_BYTES: Final = 64 * 1024
TARGET_BYTES: Final = 8 * 1024

_END: Final = b"\r\n\r\n"
_FIRST_LINE: Final = re.compile(rb"(?P<method>[A-Z]+) (?P<target>[!-~]+) HTTP/1\.[01]\r\n").match
_UPGRADE: Final = re.compile(rb"\r\nupgrade:[ \t]*websocket", re.IGNORECASE).search


class Refusal(Struct, frozen=True):
    """A request that is answered with an HTTP error and its problem document."""

    status: int
    code: str
    detail: str
    # The registry's view may be a moment old: look again before saying so.
    unknown_key: bool = False
    headers: tuple[tuple[str, str], ...] = ()


class Head:
    """What has arrived before the handshake is answered: the head, and then what is behind it."""

    __slots__ = ("_buffer", "behind", "paused", "without_body")

    def __init__(self) -> None:
        self._buffer = bytearray()
        # None until the head is whole.
        self.behind: bytes | None = None
        # Whether the peer waits for the answer, with nothing more read from it.
        self.paused = False
        # Whether the answer to the request has no content.
        self.without_body = False

    def take(self, data: bytes) -> Request | Refusal | None:
        """The request of a WebSocket, a refusal, or None while the head is not whole."""
        searched = max(0, len(self._buffer) - len(_END) + 1)
        self._buffer += data
        end = self._buffer.find(_END, searched)
        size = len(self._buffer) if end < 0 else end + len(_END)
        if size > HEAD_BYTES:
            return _too_large(f"The request's headers are larger than the {HEAD_BYTES:,} bytes taken here")
        if not self._buffer[:1].isupper():
            return _NOT_HTTP
        if end < 0:
            return None
        head, self.behind = bytes(self._buffer[:size]), bytes(self._buffer[size:])
        self._buffer.clear()
        self.without_body = head.startswith(b"HEAD ")
        return _parsed(head)


def refusal_bytes(
    refusal: Refusal, headers: Iterable[tuple[str, str]] = (), *, without_body: bool = False
) -> bytes:
    """The whole answer of a refusal: a problem document, after which the connection ends."""
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


def not_a_websocket(path: str) -> Refusal:
    """The answer to a request that asks for no WebSocket."""
    if path == PATH:
        detail = f"This address serves WebSockets alone: connect to it as ws://host:port{PATH} or wss://."
        return Refusal(426, "malformed_request", detail, headers=(("Upgrade", "websocket"),))
    return Refusal(
        404,
        "not_found",
        f"This is the realtime port, which serves WebSockets at {PATH} alone. Send other requests to the "
        "API, which has a port of its own: 8000, unless TIDINGS_PORT or --port says otherwise.",
    )


def _parsed(head: bytes) -> Request | Refusal:
    first = _FIRST_LINE(head)
    if first is None:
        return _NOT_HTTP
    if len(first["target"]) > TARGET_BYTES:
        detail = f"The request's address is longer than the {TARGET_BYTES:,} bytes taken here."
        return Refusal(414, "malformed_request", detail)
    if not _UPGRADE(head):
        return not_a_websocket(first["target"].decode("ascii").partition("?")[0])
    try:
        next(Request.parse(_reader(head)))
    except StopIteration as parsed:
        request: Request = parsed.value
        return request
    except TooManyHeaders:
        return _too_large(f"The request has more than the {MAX_NUM_HEADERS} headers taken here")
    except (ValueError, EOFError, NotImplementedError):
        pass
    return Refusal(400, "malformed_request", "The headers are not those of a WebSocket's handshake.")


def _reader(head: bytes) -> Callable[[int, type[Exception]], Generator[None, None, bytes | bytearray]]:
    """Reads the lines of a whole head, in the form in which `Request.parse` asks for them."""
    lines = iter(head[: -len(b"\r\n")].split(b"\r\n"))

    def read_line(_: int, __: type[Exception]) -> Generator[None, None, bytes | bytearray]:
        yield from ()
        return next(lines) + b"\r\n"

    return read_line


def _too_large(fact: str) -> Refusal:
    return Refusal(
        431,
        "malformed_request",
        fact + ": they are mostly cookies, so set fewer for this host, or use another.",
    )


_NOT_HTTP: Final = Refusal(
    400,
    "malformed_request",
    "This is no HTTP request. TLS ends at a proxy: without one, use ws:// and http://.",
)
