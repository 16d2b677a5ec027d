"""Sender: a service sends over one WebSocket; each notification is for one user with an open socket."""

from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Final

import msgspec

from bench import direct, server
from bench.measurement import Bench, Measurement
from bench.notifications import to_user
from bench.poller import Poller
from bench.websocket import (
    RECEIVE_BYTES,
    WELCOME,
    Client,
    Unexpected,
    frames,
    handshake,
    open_all,
    text_frame,
)

SENDER: Final = "sender, one connection"

# As many sends are under way as in the SDK.
WINDOW: Final = 256
_ACCEPTED: Final = b'{"type":"accepted"'


def sender(bench: Bench) -> Sequence[Measurement]:
    """Sends over one connection, each with an idempotency key, as the SDK does."""
    with server.running(bench.cores) as running:
        client = Client(
            handshake("/v1/realtime", f"Authorization: Bearer {running.token('bench', 'send')}\r\n"),
            text_frame(b'{"type":"connect","inbox":false}'),
            WELCOME,
        )
        notifications = [msgspec.json.encode(to_user(user)) for user in direct.users(bench)]
        usage, delivered = direct.measure_load(
            bench,
            direct.peer_of(running),
            lambda poller: _Sending(poller, running.realtime_port, client, notifications),
            "sender",
        )
    return [direct.figure(SENDER, usage, delivered)]


class _Sending:
    """Keeps a window of sends under way on one socket: each read of answers is followed by as many sends."""

    def __init__(self, poller: Poller, port: int, client: Client, notifications: Sequence[bytes]) -> None:
        (opened,) = open_all(poller, port, [client], 1)
        self._poller = poller
        self._socket = opened.socket
        self._notifications: Iterator[bytes] = cycle(notifications)
        self._rest = b""
        self._sent = 0
        self._stopping = False
        self.answered = 0
        poller.add(self._socket.fileno(), self._ready)
        self._send(WINDOW)

    def _send(self, count: int) -> None:
        parts = []
        for _ in range(count):
            self._sent += 1
            parts.append(
                text_frame(
                    b'{"type":"send","ref":%d,"idempotency_key":"bench-%d","notification":%b}'
                    % (self._sent, self._sent, next(self._notifications))
                )
            )
        self._socket.sendall(b"".join(parts))

    def _ready(self) -> None:
        received = self._socket.recv(RECEIVE_BYTES)
        if not received:
            raise Unexpected("the server closed the socket of the sender")
        data, end, count = self._rest + received, 0, 0
        for start, end in frames(data):
            if not data.startswith(_ACCEPTED, start):
                raise Unexpected(f"a send was not accepted: {data[start:end][:200]!r}")
            count += 1
        self._rest = data[end:]
        self.answered += count
        if count and not self._stopping:
            self._send(count)

    def finish(self) -> None:
        """Send no more, and wait for the answers to the sends under way."""
        self._stopping = True
        self._poller.wait(lambda: self.answered == self._sent, "last answers")
        self._poller.remove(self._socket.fileno())
        self._socket.close()
