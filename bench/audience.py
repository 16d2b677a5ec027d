"""A thousand sockets that all get the same frames, counted by bytes.

The frames of one of them, the witness, are counted. All others must get exactly as many bytes,
which is checked per socket at the end. So the load side need not parse the bytes that it reads.
"""

from collections.abc import Sequence

from bench.poller import Poller
from bench.websocket import NOTIFICATION, RECEIVE_BYTES, Client, Unexpected, WebSocket, open_all


class Audience:
    """Opens a socket for each client, and counts the bytes that arrive.

    The text of each frame has to begin with `notification`. All clients are of one kind: pings that they
    answer are not counted.
    """

    def __init__(
        self,
        poller: Poller,
        port: int,
        clients: Sequence[Client],
        at_once: int,
        notification: bytes = NOTIFICATION,
        seconds: float = 60.0,
    ) -> None:
        self._poller = poller
        self._buffer = bytearray(RECEIVE_BYTES)
        self.bytes = 0
        witness, *others = open_all(poller, port, clients, at_once, seconds)
        self._witness = _Witness(witness, clients[0], notification)
        kind = _AnsweringListener if clients[0].ping else _Listener
        self._listeners = [kind(opened, clients[0], self) for opened in others]
        poller.add(witness.socket.fileno(), self._witness.ready)
        for listener in self._listeners:
            poller.add(listener.socket.fileno(), listener.ready)

    def count(self, listener: "_Listener", received: int) -> None:
        """Count bytes that a listener has read itself."""
        listener.bytes += received
        self.bytes += received

    def read_into(self, listener: "_Listener") -> None:
        """Count the bytes that arrived on one socket."""
        count = listener.receive(self._buffer)
        if not count:
            raise Unexpected("the server closed a socket")
        self.count(listener, count)

    def wait_for(self, notifications: int, seconds: float = 30.0) -> None:
        """Wait until every socket has received this many notifications since the start."""
        witness, others = self._witness, len(self._listeners)
        self._poller.wait(
            lambda: witness.notifications >= notifications and self.bytes >= others * witness.bytes,
            f"notification {notifications:,} on {others + 1:,} sockets (witness: {witness.notifications:,})",
            seconds,
        )

    def check(self, notifications: int) -> None:
        """Raise Unexpected unless every socket got exactly this many notifications, in as many bytes."""
        odd = sum(listener.bytes != self._witness.bytes for listener in self._listeners)
        if odd or self._witness.notifications != notifications:
            raise Unexpected(
                f"{odd} sockets differ from the witness, and that got {self._witness.notifications:,} of "
                f"{notifications:,} notifications"
            )

    @property
    def notifications(self) -> int:
        """The number of notifications that the witness got."""
        return self._witness.notifications

    @property
    def frame_bytes(self) -> float:
        """The mean length of a frame in bytes."""
        return self._witness.bytes / self._witness.notifications

    @property
    def frames_per_read(self) -> float:
        """The mean number of frames per read of the witness: above one when writes were joined."""
        return self._witness.notifications / self._witness.reads

    def close(self) -> None:
        """Close every connection."""
        for opened in (self._witness.socket, *(listener.socket for listener in self._listeners)):
            self._poller.remove(opened.fileno())
            opened.close()


class _Listener:
    __slots__ = ("_audience", "bytes", "receive", "socket")

    def __init__(self, opened: WebSocket, client: Client, audience: Audience) -> None:
        del client
        self.socket = opened.socket
        self.receive = opened.socket.recv_into
        self.bytes = 0
        self._audience = audience

    def ready(self) -> None:
        self._audience.read_into(self)


class _AnsweringListener(_Listener):
    __slots__ = ("_answering",)

    def __init__(self, opened: WebSocket, client: Client, audience: Audience) -> None:
        super().__init__(opened, client, audience)
        self._answering = _Answering(opened, client)

    def ready(self) -> None:
        self._audience.count(self, len(self._answering.read()))


class _Answering:
    """Reads a socket, answers its pings, and takes them out."""

    __slots__ = ("_client", "_rest", "_socket")

    def __init__(self, opened: WebSocket, client: Client) -> None:
        self._socket = opened.socket
        self._client = client
        self._rest = b""

    def read(self) -> bytes:
        received = self._socket.recv(RECEIVE_BYTES)
        if not received:
            raise Unexpected("the server closed a socket")
        ping = self._client.ping
        if not ping:
            return received
        data = self._rest + received
        self._rest = b""
        if ping in data:
            parts = data.split(ping)
            self._socket.sendall(self._client.pong * (len(parts) - 1))
            data = b"".join(parts)
        # A ping that the next read completes.
        begun = next((size for size in range(len(ping) - 1, 0, -1) if data.endswith(ping[:size])), 0)
        if begun:
            data, self._rest = data[:-begun], data[-begun:]
        return data


class _Witness:
    def __init__(self, opened: WebSocket, client: Client, notification: bytes) -> None:
        self.socket = opened.socket
        self._answering = _Answering(opened, client)
        self._divide = client.divide
        self._notification = notification
        self.bytes = 0
        self.notifications = 0
        self.reads = 0
        self._rest = b""

    def ready(self) -> None:
        received = self._answering.read()
        self.bytes += len(received)
        self.reads += 1
        data, end = self._rest + received, 0
        for start, end in self._divide(data):
            if not data.startswith(self._notification, start):
                raise Unexpected(f"a frame that is no notification: {data[start:end][:200]!r}")
            self.notifications += 1
        self._rest = data[end:]
