"""Closes connections to the API's port whose client is too slow.

Granian has one timer for a connection. It runs from an answer to the end of the next request's head.
Pools and load balancers keep a connection idle for up to 60 seconds, so that timer is longer. A client
that has sent a part of a head, or does not read its answer, gets less time. The kernel counts the bytes
of each connection (`TCP_INFO`, Linux only): one check a second tells these cases apart, and adds nothing
to a request. A check takes 4 us per connection, measured with 400 of them.
"""

import asyncio
import os
import resource
import socket
import stat
import struct
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from tidings_workers import metrics

# Load balancers and proxies keep idle connections for up to 60 seconds (AWS ALB, nginx, Azure).
IDLE_SECONDS: Final = 75
# From the accept, or from the first byte after an answer, to the end of the head.
HEAD_SECONDS: Final = 5
# The client has acknowledged no byte of its answer for this long.
UNREAD_SECONDS: Final = 30
CHECK_SECONDS: Final = 1.0
_MOST_DESCRIPTORS: Final = 65_536
# Connections per turn of the event loop: about a millisecond.
_SLICE: Final = 200

# struct tcp_info of linux/tcp.h: the offsets of its counters.
_SINCE_SENT: Final = 44
_SINCE_RECEIVED: Final = 52
_ACKNOWLEDGED: Final = 120
_UNSENT: Final = 144
_INFO_BYTES: Final = 148
# SO_LINGER with zero seconds: closes at once and discards the bytes that the client has not read.
_RESET: Final = struct.pack("ii", 1, 0)

_Peer = tuple[str, int]


class Counters(NamedTuple):
    """The kernel's view of a connection.

    `since_sent` and `since_received` are milliseconds since it last sent or received data, or since its
    accept. `acknowledged` counts the bytes of answers that the client's machine has received, `unsent`
    those that wait in the kernel.
    """

    since_sent: int
    since_received: int
    acknowledged: int
    unsent: int


class Watched:
    """The state of one connection across checks. Pure: no socket, no clock."""

    __slots__ = ("_acknowledged", "_head", "_unread")

    def __init__(self) -> None:
        self._head = 0
        self._unread = 0
        self._acknowledged = 0

    def overdue(self, counters: Counters, *, active: bool) -> str | None:
        """The reason to close the connection now: "unread", "head", or None. Call it every `CHECK_SECONDS`.

        `active`: one of its requests is being answered. It counts calls, not seconds: when the whole
        process stalls, clients still have their full time.
        """
        waits = counters.unsent > 0 and counters.acknowledged == self._acknowledged
        self._acknowledged = counters.acknowledged
        self._unread = self._unread + 1 if waits else 0
        # A handshake may count as one byte.
        answered = counters.acknowledged > 1 or counters.unsent > 0
        idle = answered and counters.since_received >= counters.since_sent
        self._head = 0 if active or idle else self._head + 1
        if self._unread > UNREAD_SECONDS:
            return "unread"
        return "head" if self._head > HEAD_SECONDS else None


class Connections:
    """The connections of this process to one of its ports.

    `active` counts the requests that are being answered, by the client's port (text, as Granian gives
    it). Two clients with the same port number both count as active while one of them is. This only gives
    the other one more time.
    """

    def __init__(self, port: int, active: Counter[str]) -> None:
        self._port = port
        self._active = active
        self._watched: dict[_Peer, Watched] = {}
        # A check needs no new descriptor, so it works when the process has none left: each descriptor in
        # turn is copied to `_copy`, which is /dev/null otherwise.
        self._null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._copy = os.dup(self._null)

    def close(self) -> None:
        """Close the own descriptors. `check` can't be called after it."""
        os.close(self._copy)
        os.close(self._null)

    async def check(self) -> None:
        """Check every connection once, and close those that are overdue."""
        before, self._watched = self._watched, {}
        descriptors = _open_descriptors()
        for start in range(0, len(descriptors), _SLICE):
            for descriptor in descriptors[start : start + _SLICE]:
                self._check_descriptor(descriptor, before)
            await asyncio.sleep(0)

    def _check_descriptor(self, descriptor: int, before: dict[_Peer, Watched]) -> None:
        try:
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                return
            # Granian may close the connection at any time, and the kernel may then reuse its number: use a
            # copy of the descriptor.
            os.dup2(descriptor, self._copy, inheritable=False)
        except OSError:
            return
        # An object for IPv6 also works for a socket of IPv4; the opposite does not.
        connection = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, 0, fileno=self._copy)
        try:
            self._check_connection(connection, before)
        finally:
            connection.detach()
            os.dup2(self._null, self._copy, inheritable=False)

    def _check_connection(self, connection: socket.socket, before: dict[_Peer, Watched]) -> None:
        try:
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
            if connection.getsockname()[1] != self._port:
                return
            host, port = connection.getpeername()[:2]
        except OSError:
            # Another kind of socket, a listener, or a connection that was just closed.
            return
        watched = self._watched[host, port] = before.get((host, port)) or Watched()
        reason = watched.overdue(_counters(info), active=str(port) in self._active)
        if reason is not None:
            _close(connection, reason)


def is_supported() -> bool:
    """Whether this system has the counters that `Connections` reads. It tries a connection of its own."""
    if sys.platform != "linux":
        return False
    try:
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            socket.create_connection(listener.getsockname(), timeout=1) as client,
            listener.accept()[0] as server,
        ):
            server.sendall(b"x")
            client.sendall(client.recv(1))
            server.recv(1)
            info = server.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    except OSError:
        return False
    return len(info) == _INFO_BYTES and _counters(info).acknowledged > 0


def _open_descriptors() -> Sequence[int]:
    """The descriptors of this process. Some of them may not be open."""
    try:
        with os.scandir("/proc/self/fd") as entries:
            return [int(entry.name) for entry in entries]
    except OSError:
        # Listing them needs a descriptor, and none is left: every number up to the limit is in use.
        return range(min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], _MOST_DESCRIPTORS))


def _counters(info: bytes) -> Counters:
    (since_sent,) = struct.unpack_from("=I", info, _SINCE_SENT)
    (since_received,) = struct.unpack_from("=I", info, _SINCE_RECEIVED)
    (acknowledged,) = struct.unpack_from("=Q", info, _ACKNOWLEDGED)
    (unsent,) = struct.unpack_from("=I", info, _UNSENT)
    return Counters(since_sent, since_received, acknowledged, unsent)


def _close(connection: socket.socket, reason: str) -> None:
    metrics.HTTP_CLOSED.labels(reason=reason).inc()
    try:
        if reason == "unread":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # The client has just closed it.
        return
