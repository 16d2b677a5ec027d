"""The HTTP responses on which a session of SockJS sends: one frame per poll, or a stream."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, Protocol, cast

from tidings_workers.gateway.http import HttpConnection, HttpResponse
from tidings_workers.gateway.stream import limit_unacknowledged

# A stream ends after this many bytes, because browsers keep all of it in memory. The client opens the next.
STREAM_BYTES: Final = 128 * 1024
# Some browsers show nothing of a response before its first two kilobytes.
_PRELUDE: Final = b"h" * 2048 + b"\n"

Headers = tuple[tuple[str, str], ...]


class Receiver(Protocol):
    """A response that waits for frames."""

    @property
    def is_ready(self) -> bool:
        """Whether it may be given a frame: the client reads."""

    def send(self, frame: bytes) -> bool:
        """Send a frame; whether the receiver can be given another one."""

    def end(self) -> None:
        """End the response."""


class Poll:
    """One response with one frame."""

    def __init__(self, connection: HttpConnection, headers: Headers, lost: Callable[[], None]) -> None:
        self._connection = connection
        self._headers = headers
        connection.on_lost = lost

    is_ready = True

    def send(self, frame: bytes) -> bool:
        """See Receiver."""
        self._connection.respond(HttpResponse(HTTPStatus.OK, frame + b"\n", self._headers))
        return False

    def end(self) -> None:
        """See Receiver. An empty response: the client polls again."""
        if not self._connection.closed:
            self._connection.respond(HttpResponse(HTTPStatus.OK, b"", self._headers))


class Streaming(asyncio.Protocol):
    """A response without an end: xhr_streaming, or the events of EventSource."""

    def __init__(
        self, *, is_events: bool, headers: Headers, lost: Callable[[], None], resumed: Callable[[], None]
    ) -> None:
        self._is_events = is_events
        self._headers = headers
        self._lost: Callable[[], None] | None = lost
        self._resumed = resumed
        self._sent = 0
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)
        limit_unacknowledged(transport)
        head = [
            "HTTP/1.1 200 OK",
            *(f"{name}: {value}" for name, value in self._headers),
            "Connection: close",
        ]
        prelude = b"\r\n" if self._is_events else _PRELUDE
        self._transport.write(("\r\n".join(head) + "\r\n\r\n").encode("latin-1") + prelude)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol. No request follows on this connection."""

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._paused = True

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._paused = False
        if self._lost is not None:
            self._resumed()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        del exc
        lost, self._lost = self._lost, None
        if lost is not None:
            lost()

    @property
    def is_ready(self) -> bool:
        """See Receiver."""
        return not self._paused

    @property
    def is_empty(self) -> bool:
        """Whether the client has read everything."""
        return not self._transport.get_write_buffer_size()

    def send(self, frame: bytes) -> bool:
        """See Receiver."""
        data = b"data: " + frame + b"\r\n\r\n" if self._is_events else frame + b"\n"
        self._transport.write(data)
        self._sent += len(data)
        if self._sent < STREAM_BYTES:
            return True
        self.end()
        return False

    def end(self) -> None:
        """See Receiver."""
        self._lost = None
        self._transport.close()
