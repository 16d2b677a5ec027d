"""A thousand sockets that all get the same frames, counted by bytes.

The frames of one of them, the witness, are counted. All others must get exactly as many bytes,
which is checked per socket at the end. So the load side need not parse the bytes that it reads.
"""

from collections.abc import Sequence

from bench.poller import Poller
from bench.websocket import NOTIFICATION, RECEIVE_BYTES, Client, Unexpected, WebSocket, frames, open_all


class Audience:
    """Opens a socket for each client, and counts the bytes that arrive."""

    def __init__(self, poller: Poller, port: int, clients: Sequence[Client], at_once: int) -> None:
        self._poller = poller
        self._buffer = bytearray(RECEIVE_BYTES)
        self.bytes = 0
        witness, *others = open_all(poller, port, clients, at_once)
        self._witness = _Witness(witness)
        self._listeners = [_Listener(opened, self) for opened in others]
        poller.add(witness.socket.fileno(), self._witness.ready)
        for listener in self._listeners:
            poller.add(listener.socket.fileno(), listener.ready)

    def read_into(self, listener: "_Listener") -> None:
        """Count the bytes that arrived on one socket."""
        count = listener.receive(self._buffer)
        if not count:
            raise Unexpected("the server closed a socket")
        listener.bytes += count
        self.bytes += count

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

    def __init__(self, opened: WebSocket, audience: Audience) -> None:
        self.socket = opened.socket
        self.receive = opened.socket.recv_into
        self.bytes = 0
        self._audience = audience

    def ready(self) -> None:
        self._audience.read_into(self)


class _Witness:
    def __init__(self, opened: WebSocket) -> None:
        self.socket = opened.socket
        self.bytes = 0
        self.notifications = 0
        self.reads = 0
        self._rest = b""

    def ready(self) -> None:
        received = self.socket.recv(RECEIVE_BYTES)
        if not received:
            raise Unexpected("the server closed the witness's socket")
        self.bytes += len(received)
        self.reads += 1
        data, end = self._rest + received, 0
        for start, end in frames(data):
            if not data.startswith(NOTIFICATION, start):
                raise Unexpected(f"a frame that is no notification: {data[start:end][:200]!r}")
            self.notifications += 1
        self._rest = data[end:]
