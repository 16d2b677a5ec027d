"""HTTP on the realtime port, within limits of time.

A connection handles one request after the other. A handler answers with `respond`, now or later, or gives the
transport to a stream with `take_over`. A request that breaks a rule gets a problem document, and then the
connection closes.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, Protocol, cast

from msgspec import Struct

from tidings_workers import metrics
from tidings_workers.gateway.head import Elsewhere, HttpRefusal, refusal_bytes
from tidings_workers.gateway.requests import HttpRequest, RequestReader
from tidings_workers.gateway.wheel import Timed

# From the first byte of a request to its last, and for a peer that reads no responses.
REQUEST_SECONDS: Final = 10.0
# Between two requests.
IDLE_SECONDS: Final = 30.0
# How long a peer has to read the last response.
LINGER_SECONDS: Final = 5.0

_CHECK_SECONDS: Final = 5.0


class HttpResponse(Struct, frozen=True):
    """One response with a body of known length."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


Pages = Mapping[str, HttpResponse]
"""Answers to GET by path."""


class HttpCalls(Protocol):
    """The calls of an HTTP connection to its owner."""

    @property
    def refusal_headers(self) -> tuple[tuple[str, str], ...]:
        """Headers of every HTTP response that refuses a request."""

    def http_opened(self, connection: "HttpConnection") -> None:
        """A client has connected."""

    def http_closed(self, connection: "HttpConnection") -> None:
        """The transport is closed, or another protocol has it. Called once."""

    def handle(self, connection: "HttpConnection", request: HttpRequest) -> None:
        """Answer a request, now or later."""

    def call_at(self, entry: Timed, at: float) -> None:
        """Call `entry.on_time` at a time of the monotonic clock."""


class HttpConnection(asyncio.Protocol):
    """One client that sends HTTP requests."""

    __slots__ = (
        "_busy",
        "_calls",
        "_deadline",
        "_is_reading",
        "_keep_alive",
        "_lingers",
        "_paused",
        "_reader",
        "_transport",
        "_without_body",
        "address",
        "closed",
        "on_lost",
    )

    def __init__(self, calls: HttpCalls) -> None:
        self._calls = calls
        self._reader = RequestReader()
        self._busy = self._paused = self._lingers = False
        self._is_reading = True
        self._keep_alive = self._without_body = False
        self._deadline = time.monotonic() + REQUEST_SECONDS
        self.address = ""
        # Whether the transport is closed, or another protocol has it.
        self.closed = False
        # Called when the client disconnects before the response.
        self.on_lost: Callable[[], None] | None = None

    # The transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        # uvloop's transports implement asyncio.Transport without inheriting from it.
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.address = peer[0] if isinstance(peer, tuple) else ""
        self._calls.http_opened(self)
        self._calls.call_at(self, self._deadline)

    def start(self, found: Elsewhere, rest: bytes) -> None:
        """See `handshake.Successor`."""
        self.data_received(found.head + rest)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._lingers:
            return
        if self._reader.is_between_requests and not self._busy:
            self._deadline = min(self._deadline, time.monotonic() + REQUEST_SECONDS)
        self._reader.feed(data)
        self._work()

    def eof_received(self) -> bool:
        """See asyncio.Protocol. The client may close its side and read the response.

        A client whose response may wait for long, as `on_lost` tells, disconnects like this.
        """
        return self._busy and self.on_lost is None

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        del exc
        self._leave()

    def _leave(self) -> None:
        if self.closed:
            return
        self.closed = True
        # The wheel keeps this object until its deadline, so that the reader would take memory until then.
        self._reader.close()
        del self._reader
        self._calls.http_closed(self)
        lost, self.on_lost = self.on_lost, None
        if lost is not None:
            lost()

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._paused = True
        self._deadline = time.monotonic() + REQUEST_SECONDS

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._paused = False
        self._deadline = time.monotonic() + IDLE_SECONDS
        self._work()

    def on_time(self, now: float) -> float | None:
        """See `wheel.Timed`."""
        if self.closed:
            return None
        if now >= self._deadline:
            self._transport.abort()
            return None
        return min(self._deadline, now + _CHECK_SECONDS)

    def close(self) -> None:
        """Write the remaining bytes, then close the connection."""
        self._transport.close()

    def finish(self) -> None:
        """Close the connection, after the response if a request waits for it."""
        self._keep_alive = False
        if not self._busy:
            self.close()

    # Requests

    def _work(self) -> None:
        """Handle the next requests, one at a time."""
        if self.closed:
            return
        ready = self._reader.ready
        while ready and not (self._busy or self._paused or self._lingers or self.closed):
            item = ready.popleft()
            self._busy = True
            if isinstance(item, HttpRefusal):
                self.refuse(item)
                return
            self._keep_alive, self._without_body = item.keep_alive, item.method == "HEAD"
            self._deadline = float("inf")
            self._calls.handle(self, item)
        if not (self._lingers or self.closed):
            # Further requests wait in the kernel.
            self._read(reading=not ready)

    def _read(self, *, reading: bool) -> None:
        if reading and not self._is_reading:
            self._transport.resume_reading()
        elif self._is_reading and not reading:
            self._transport.pause_reading()
        self._is_reading = reading

    def respond(self, response: HttpResponse) -> None:
        """Answer the request, once."""
        if self.closed:
            return
        self._busy, self.on_lost = False, None
        if not self._paused:
            self._deadline = time.monotonic() + IDLE_SECONDS
        head = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
        head += [f"{name}: {value}" for name, value in response.headers]
        if response.status != HTTPStatus.NO_CONTENT:
            head.append(f"Content-Length: {len(response.body)}")
        head.append(f"Connection: {'keep-alive' if self._keep_alive else 'close'}")
        data = ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")
        self._transport.write(data if self._without_body else data + response.body)
        if self._keep_alive:
            # Later, because `_work` may have called the handler.
            asyncio.get_running_loop().call_soon(self._work)
        else:
            self._linger()

    def refuse(self, refusal: HttpRefusal) -> None:
        """Answer the request with an error, and close the connection."""
        if self.closed:
            return
        self.on_lost = None
        metrics.REFUSED.labels(status=str(refusal.status)).inc()
        self._transport.write(
            refusal_bytes(refusal, self._calls.refusal_headers, without_body=self._without_body)
        )
        self._linger()

    def _linger(self) -> None:
        """Read and discard what the peer still sends, so that it reads the response before the close."""
        self._lingers = True
        self._reader.close()
        self._deadline = time.monotonic() + LINGER_SECONDS
        self._read(reading=True)
        self._transport.write_eof()

    def take_over(self, successor: asyncio.Protocol) -> None:
        """Give the transport to another protocol, which answers the request."""
        self.on_lost = None
        self._read(reading=True)
        self._leave()
        self._transport.set_protocol(successor)
        successor.connection_made(self._transport)
