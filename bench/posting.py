"""HTTP on the load side: prebuilt requests on open connections, with minimal parsing of answers."""

import socket
from collections.abc import Callable
from typing import Final

import msgspec

from bench.poller import Poller

_RECEIVE_BYTES: Final = 256 * 1024
_LENGTH: Final = b"content-length:"
# The end of an answer without a length (RFC 9112, section 7.1).
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"
_SUCCESSES: Final = (b"HTTP/1.1 200", b"HTTP/1.1 202")


class Refused(Exception):
    """An answer without success. No request of a benchmark should be refused."""


def request(path: str, token: str, body: object) -> bytes:
    """A POST with a JSON body, to Tidings."""
    return post(path, f"Authorization: Bearer {token}", body)


def post(path: str, header: str, body: object) -> bytes:
    """A POST with a JSON body and one more header."""
    content = msgspec.json.encode(body)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def get(path: str, token: str) -> bytes:
    """A GET."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


class Connection:
    """One open connection with at most one request under way."""

    def __init__(self, poller: Poller, port: int) -> None:
        self._poller = poller
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answer = b""
        self._answered: Callable[[], None] | None = None
        poller.add(self._socket.fileno(), self._ready)

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return self._answered is None

    def post(self, data: bytes, answered: Callable[[], None]) -> None:
        """Send a request; `answered` is called after its 200 or 202. Otherwise the poller raises Refused."""
        self._answered = answered
        self._socket.sendall(data)

    def _ready(self) -> None:
        received = self._socket.recv(_RECEIVE_BYTES)
        if not received:
            raise Refused("the server closed the connection")
        self._answer += received
        head, separator, body = self._answer.partition(b"\r\n\r\n")
        if not separator:
            return
        at = head.lower().find(_LENGTH)
        if at >= 0:
            if len(body) < int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0]):
                return
        elif not self._answer.endswith(_LAST_CHUNK):
            return
        if not head.startswith(_SUCCESSES):
            raise Refused(self._answer[:500].decode(errors="replace"))
        self._answer = b""
        answered, self._answered = self._answered, None
        if answered is not None:
            answered()

    def close(self) -> None:
        """Close the connection."""
        self._poller.remove(self._socket.fileno())
        self._socket.close()
