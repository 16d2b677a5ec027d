"""Received bytes to HTTP requests with small bodies, within limits of size, without I/O.

The parser keeps partial lines, so bytes are counted before it gets them. It refuses a message with both
Transfer-Encoding and Content-Length, lines that end with a bare LF, and folded headers.
"""

from collections import deque
from typing import Final

import httptools
from msgspec import Struct

from tidings_workers.gateway.head import HttpRefusal
from tidings_workers.gateway.plain_handshake import EVENTS_PATH

HEAD_BYTES: Final = 16 * 1024
HEADERS: Final = 128
BODY_BYTES: Final = 64 * 1024
# A request with the headers and the sizes of its chunks.
WIRE_BYTES: Final = HEAD_BYTES + 8 * BODY_BYTES

_METHODS: Final = ("GET", "HEAD", "POST", "OPTIONS")
EVENTS_METHODS: Final = ("GET", "OPTIONS")
# Headers of which a second one would be ambiguous.
_SINGLE: Final = frozenset({"host", "origin", "authorization", "last-event-id"})
_REPEATED: Final = {"authorization": (401, "invalid_token")}


class HttpRequest(Struct, frozen=True):
    """One request. Header names are in lower case; of a repeated header, the lines are joined by a comma.

    `keep_alive`: the client may send another request on the connection.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    keep_alive: bool


class _Refused(Exception):
    """A request breaks a rule: see `RequestReader._refusal`."""


class RequestReader:
    """The requests of one client. After a refusal it ignores further bytes."""

    __slots__ = (
        "_body",
        "_failed",
        "_headers",
        "_in_head",
        "_parser",
        "_received",
        "_refusal",
        "_size",
        "_target",
        "ready",
    )

    def __init__(self) -> None:
        # Complete requests, in order; the last one may be a refusal.
        self.ready: deque[HttpRequest | HttpRefusal] = deque()
        # None after a refusal.
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._in_head = True
        # The bytes of the current request: as received, and of its headers or its body.
        self._received = self._size = 0
        # The answer when the parser stops.
        self._refusal = _MALFORMED
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    @property
    def is_between_requests(self) -> bool:
        """Whether no byte of another request has arrived."""
        return not self._received

    def feed(self, data: bytes) -> None:
        """Add received bytes; `ready` gets their requests."""
        if self._parser is None:
            return
        try:
            self._count(data)
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(HttpRefusal(400, "malformed_request", "Open a new connection for a WebSocket."))
        except (httptools.HttpParserError, _Refused):
            self._refuse(self._refusal)

    def close(self) -> None:
        """Ignore further bytes. The parser refers to this object, so this frees both."""
        self._parser = None

    def _refuse(self, refusal: HttpRefusal) -> None:
        self._parser = None
        self.ready.append(refusal)

    def _fault(self, refusal: HttpRefusal) -> _Refused:
        # Not in the exception: a variable for it would form a cycle with its traceback.
        self._refusal = refusal
        return _Refused()

    def _count(self, data: bytes) -> None:
        self._received += len(data)
        if self._in_head and self._received > HEAD_BYTES and b"\r\n\r\n" not in data:
            raise self._fault(_HEAD_TOO_LARGE)
        if self._received > WIRE_BYTES + len(data):
            raise self._fault(_BODY_TOO_LARGE)

    # Calls of the parser

    def on_message_begin(self) -> None:
        """See httptools."""
        self._in_head, self._size, self._target = True, 0, b""
        self._headers, self._body = {}, []

    def on_url(self, target: bytes) -> None:
        """See httptools."""
        self._target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools."""
        if not self._in_head:
            # A trailer.
            return
        key, text = name.decode("ascii").lower(), value.decode("latin-1")
        self._size += len(name) + len(value)
        if self._size + len(self._target) > HEAD_BYTES or len(self._headers) >= HEADERS:
            raise self._fault(_HEAD_TOO_LARGE)
        before = self._headers.get(key)
        if before is not None and key in _SINGLE:
            status, code = _REPEATED.get(key, (400, "malformed_request"))
            raise self._fault(HttpRefusal(status, code, f"Send one {key} header, not several."))
        self._headers[key] = text if before is None else f"{before}, {text}"

    def on_headers_complete(self) -> None:
        """See httptools."""
        self._in_head, self._size = False, 0
        if not self._headers.get("host"):
            raise self._fault(HttpRefusal(400, "malformed_request", "The request needs a Host header."))
        if self._target[:1] != b"/":
            raise self._fault(_MALFORMED)
        if self._method not in _METHODS:
            is_events = self._target.partition(b"?")[0] == EVENTS_PATH.encode()
            allowed = ", ".join(EVENTS_METHODS if is_events else _METHODS)
            detail = f"{self._method} is not served here."
            raise self._fault(HttpRefusal(405, "method_not_allowed", detail, headers=(("Allow", allowed),)))

    def on_body(self, body: bytes) -> None:
        """See httptools."""
        self._size += len(body)
        if self._size > BODY_BYTES:
            raise self._fault(_BODY_TOO_LARGE)
        self._body.append(body)

    def on_message_complete(self) -> None:
        """See httptools."""
        path, _, query = self._target.decode("latin-1").partition("?")
        body, self._body = b"".join(self._body), []
        keep_alive = self._parser is not None and self._parser.should_keep_alive()
        self.ready.append(HttpRequest(self._method, path, query, self._headers, body, keep_alive))
        self._in_head, self._received = True, 0

    @property
    def _method(self) -> str:
        assert self._parser is not None  # noqa: S101 - it calls the methods above
        return str(self._parser.get_method(), "ascii")


_MALFORMED: Final = HttpRefusal(
    400, "malformed_request", "This is not a valid HTTP/1.1 request. Its lines end with CRLF."
)
_HEAD_TOO_LARGE: Final = HttpRefusal(
    431,
    "malformed_request",
    f"The request's headers are larger than {HEAD_BYTES:,} bytes, or more than {HEADERS}. Most of them are "
    "usually cookies: set fewer for this host, or use another host.",
)
_BODY_TOO_LARGE: Final = HttpRefusal(
    413, "too_large", f"The body is larger than {BODY_BYTES:,} bytes. Send less at once."
)
