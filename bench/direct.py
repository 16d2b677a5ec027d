"""Direct: each notification is for one user, who has one open socket."""

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import Final, Protocol

from msgspec import Struct

from bench import server
from bench.measurement import Bench, Measurement, details
from bench.notifications import to_user
from bench.poller import Poller
from bench.posting import Connection, request
from bench.processes import Meter, Usage
from bench.server import Server
from bench.websocket import (
    NOTIFICATION,
    RECEIVE_BYTES,
    Client,
    Unexpected,
    WebSocket,
    client,
    frames,
    open_all,
)

SINGLE: Final = "direct, one per request"
BATCH: Final = "direct, batch"

_WARMING: Final = 0.25  # the share of the measured time
_SEED: Final = 7


class Peer(Struct, frozen=True):
    """A running server: its ports, its processes, and the form of its frames.

    `client` opens the socket of a user; the text of a frame with notifications begins with `notification`,
    once for each of them.
    """

    port: int
    realtime_port: int
    processes: dict[str, int]
    client: Callable[[str], Client]
    notification: bytes


def single(bench: Bench) -> Sequence[Measurement]:
    """One notification per request, with as many requests under way as there are clients."""
    with server.running(bench.cores) as running:
        token = running.token("bench", "send")
        requests = [request("/v1/notifications", token, to_user(user)) for user in users(bench)]
        usage, delivered = measure(bench, peer_of(running), requests, bench.scale.clients, 1, "single")
    return [figure(SINGLE, usage, delivered)]


def batch(bench: Bench) -> Sequence[Measurement]:
    """Many notifications per request, each for another user."""
    scale = bench.scale
    with server.running(bench.cores) as running:
        token = running.token("bench", "send")
        requests = [
            request("/v1/notifications/batch", token, {"notifications": list(map(to_user, part))})
            for part in parts(bench)
        ]
        usage, delivered = measure(
            bench, peer_of(running), requests, scale.batch_clients, scale.batch, "batch"
        )
    return [figure(BATCH, usage, delivered)]


def figure(name: str, usage: Usage, delivered: int) -> Measurement:
    """Deliveries per second of CPU of all processes of the server."""
    return Measurement(
        name, delivered / usage.core_seconds, "deliveries/core-second", details(usage, delivered)
    )


def users(bench: Bench) -> list[str]:
    """The receivers, one for each socket, in a random order that is the same in every run."""
    names = [f"user-{index}" for index in range(bench.scale.sockets)]
    return random.Random(_SEED).sample(names, len(names))


def parts(bench: Bench) -> list[list[str]]:
    """The receivers of each batch: all users seven times, so that a user has other neighbours each time."""
    scale = bench.scale
    order = cycle(users(bench))
    return [
        [next(order) for _ in range(scale.batch)] for _ in range(max(1, scale.sockets // scale.batch) * 7)
    ]


def peer_of(running: Server) -> Peer:
    """A running Tidings as a peer."""
    return Peer(
        running.port,
        running.realtime_port,
        running.processes,
        lambda user: client(running.token(user, "inbox")),
        NOTIFICATION,
    )


def bare(bench: Bench, name: str, port: int, pid: int) -> Measurement:
    """The same requests as `single`, to a server that delivers nothing; an answer counts as a delivery."""
    poller = Poller()
    requests = [request("/v1/notifications", "none", to_user(user)) for user in users(bench)]
    posting = _Posting(poller, port, requests, bench.scale.clients)
    usage, answered = _over_time(bench, poller, {"server": pid}, lambda: posting.answered, name)
    posting.finish()
    poller.close()
    return Measurement(name, answered / usage.core_seconds, "requests/core-second", details(usage, answered))


def measure(
    bench: Bench, peer: Peer, requests: Sequence[bytes], clients: int, per_request: int, name: str
) -> tuple[Usage, int]:
    """Post for some seconds to a server with a socket for each user. Returns its usage and its deliveries.

    Raises Unexpected when a notification is missing or repeated at the end.
    """
    return measure_load(
        bench, peer, lambda poller: _Posting(poller, peer.port, requests, clients), name, per_request
    )


class Load(Protocol):
    """Sends from its creation until `finish`; `answered` counts the requests that were accepted."""

    answered: int

    def finish(self) -> None:
        """Start no more requests, and wait for the answers to those under way."""


def measure_load(
    bench: Bench, peer: Peer, start: Callable[[Poller], Load], name: str, per_request: int = 1
) -> tuple[Usage, int]:
    """As `measure`, with any load."""
    poller = Poller()
    opened = open_all(poller, peer.realtime_port, list(map(peer.client, users(bench))), bench.scale.opening)
    inboxes = _Inboxes(poller, opened, peer.notification)
    load = start(poller)
    usage, delivered = _over_time(bench, poller, peer.processes, lambda: inboxes.notifications, name)
    load.finish()
    expected = load.answered * per_request
    poller.wait(lambda: inboxes.notifications >= expected, f"all of {expected} notifications")
    if inboxes.notifications != expected:
        raise Unexpected(f"{inboxes.notifications} notifications for {expected} that were sent")
    inboxes.close()
    poller.close()
    return usage, delivered


def _over_time(
    bench: Bench, poller: Poller, processes: dict[str, int], count: Callable[[], int], name: str
) -> tuple[Usage, int]:
    """Measure a counter while the load runs, after a time of warming up."""
    seconds = bench.scale.direct_seconds
    poller.run(seconds * _WARMING)
    before, meter = count(), Meter(processes, bench.cores)
    with bench.profiling(name, processes):
        poller.run(seconds)
    usage = meter.read()
    return usage, count() - before


class _Posting:
    """Keeps one request under way on each of several connections."""

    def __init__(self, poller: Poller, port: int, requests: Sequence[bytes], clients: int) -> None:
        self._poller = poller
        self._requests: Iterator[bytes] = cycle(requests)
        self._stopping = False
        self.answered = 0
        self._connections = [Connection(poller, port) for _ in range(clients)]
        for connection in self._connections:
            self._next(connection)

    def _next(self, connection: Connection) -> None:
        def answered() -> None:
            self.answered += 1
            if not self._stopping:
                connection.post(next(self._requests), answered)

        connection.post(next(self._requests), answered)

    def finish(self) -> None:
        """Start no more requests, and wait for the answers to those under way."""
        self._stopping = True
        self._poller.wait(lambda: all(connection.idle for connection in self._connections), "last answers")
        for connection in self._connections:
            connection.close()


class _Inboxes:
    """Counts the notifications on sockets that each get their own ones."""

    def __init__(self, poller: Poller, opened: Sequence[WebSocket], notification: bytes) -> None:
        self._poller = poller
        self._opened = opened
        self.notification = notification
        self.notifications = 0
        for socket in opened:
            poller.add(socket.socket.fileno(), _Inbox(socket, self).ready)

    def close(self) -> None:
        for opened in self._opened:
            self._poller.remove(opened.socket.fileno())
            opened.socket.close()


class _Inbox:
    def __init__(self, opened: WebSocket, inboxes: _Inboxes) -> None:
        self._receive = opened.socket.recv
        self._inboxes = inboxes
        self._notification = inboxes.notification
        self._rest = b""

    def ready(self) -> None:
        received = self._receive(RECEIVE_BYTES)
        if not received:
            raise Unexpected("the server closed a socket")
        data, end = self._rest + received, 0
        for start, end in frames(data):
            if not data.startswith(self._notification, start):
                raise Unexpected(f"a frame that is no notification: {data[start:end][:200]!r}")
            # Centrifugo joins several in one frame.
            self._inboxes.notifications += data.count(self._notification, start, end)
        self._rest = data[end:]
