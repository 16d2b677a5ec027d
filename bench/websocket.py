"""WebSockets on the load side: opened by the thousand, read without decoding.

This is not a general client: it recognises frames by the start of their JSON, and any event that
would spoil a measurement raises `Unexpected`.
"""

import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

import msgspec
from msgspec import Struct

from bench.poller import Poller

NOTIFICATION: Final = b'{"type":"notification"'
WELCOME: Final = b'{"type":"welcome"'
CAUGHT_UP: Final = b'{"type":"caught_up"'

RECEIVE_BYTES: Final = 256 * 1024
_CONNECT_SECONDS: Final = 10
_KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="
# Closing resets the connection, so that no port stays in TIME_WAIT for a minute.
_RESET: Final = struct.pack("ii", 1, 0)


class Unexpected(Exception):
    """An event that would spoil the measurement, such as a closed socket or a refused handshake."""


def frames(data: bytes) -> Iterator[tuple[int, int]]:
    """The start and the end of the payload of each complete frame of `data`."""
    at, end = 0, len(data)
    while at + 2 <= end:
        start, length = at + 2, data[at + 1]
        if length >= 126:
            start += 2 if length == 126 else 8
            length = int.from_bytes(data[at + 2 : start])
        at = start + length
        if at > end or start > end:
            return
        yield start, at


class Client(Struct, frozen=True):
    """The bytes with which a client opens its socket, and the frame after which it is open.

    Without `until` the socket is open after the handshake. With `then`, the client sends that after `until`,
    and its socket is open after the next frame. `divide` finds the frames in received bytes. The client
    answers each `ping` with `pong`.
    """

    request: bytes
    first: bytes = b""
    until: bytes = b""
    then: bytes = b""
    divide: Callable[[bytes], Iterator[tuple[int, int]]] = frames
    accepted: bytes = b"HTTP/1.1 101"
    ping: bytes = b""
    pong: bytes = b""


def client(token: str, resume: dict[str, object] | None = None) -> Client:
    """A client of Tidings: open after the welcome, or after it has caught up with a `resume`."""
    frame = {"type": "connect"} if resume is None else {"type": "connect", "resume": resume}
    return Client(
        handshake("/v1/realtime", f"Authorization: Bearer {token}\r\n"),
        text_frame(msgspec.json.encode(frame)),
        WELCOME if resume is None else CAUGHT_UP,
    )


def handshake(path: str, headers: str = "") -> bytes:
    """The opening request (RFC 6455, section 4.1)."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {_KEY}\r\n{headers}\r\n"
    ).encode()


def text_frame(text: bytes) -> bytes:
    """A client's text frame: masked (RFC 6455, section 5.3), with a mask of zeros."""
    if len(text) < 126:
        head = struct.pack("!BB", 0x81, 0x80 | len(text))
    else:
        head = struct.pack("!BBH", 0x81, 0x80 | 126, len(text))
    return head + bytes(4) + text


class WebSocket:
    """One socket during its opening; afterwards `socket` belongs to its reader."""

    def __init__(self, port: int, client: Client) -> None:
        self.payloads: list[bytes] = []
        self._client = client
        self._rest = b""
        self._upgraded = False
        self._awaited = client.until
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_CONNECT_SECONDS)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(client.request)

    def is_open_after_reading(self) -> bool:
        """Read the bytes that arrived; whether the socket is open now."""
        data = self.socket.recv(RECEIVE_BYTES)
        if not data:
            raise Unexpected("the server closed a socket that was being opened")
        self._rest += data
        if not self._upgraded:
            head, separator, rest = self._rest.partition(b"\r\n\r\n")
            if not separator:
                return False
            if not head.startswith(self._client.accepted):
                raise Unexpected(f"the handshake was refused: {self._rest[:500]!r}")
            self._rest, self._upgraded = rest, True
            if self._client.first:
                self.socket.sendall(self._client.first)
        return self._is_settled()

    def _is_settled(self) -> bool:
        end = 0
        for start, end in self._client.divide(self._rest):
            self.payloads.append(self._rest[start:end])
        self._rest = self._rest[end:]
        if not self._awaited:
            return True
        if not (self.payloads and self.payloads[-1].startswith(self._awaited)):
            return False
        if self._client.then and self._awaited is self._client.until:
            self.socket.sendall(self._client.then)
            self._awaited = b""
            return False
        return True


def open_all(
    poller: Poller, port: int, clients: Sequence[Client], at_once: int, seconds: float = 60.0
) -> list[WebSocket]:
    """Open a socket for every client, `at_once` at a time, in order. None is watched afterwards."""
    waiting = deque(enumerate(clients))
    opened: list[WebSocket | None] = [None] * len(clients)
    left = len(clients)

    def begin() -> None:
        index, client = waiting.popleft()
        opening = WebSocket(port, client)
        poller.add(opening.socket.fileno(), partial(read, index, opening))

    def read(index: int, opening: WebSocket) -> None:
        nonlocal left
        if opening.is_open_after_reading():
            poller.remove(opening.socket.fileno())
            opened[index] = opening
            left -= 1
            if waiting:
                begin()

    for _ in range(min(at_once, len(clients))):
        begin()
    poller.wait(lambda: not left, f"opening of {len(clients):,} sockets", seconds)
    return [opening for opening in opened if opening is not None]
