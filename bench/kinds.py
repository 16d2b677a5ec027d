"""The kinds of clients that get a fan-out: `tidings.v1`, STOMP and server-sent events."""

from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from bench.websocket import NOTIFICATION, Client, client, handshake, text_frame

_SUBSCRIBE: Final = b"SUBSCRIBE\nid:sub-0\ndestination:/user/queue/notifications\nreceipt:subscribed\n\n\0"
# The ping behind messages, whose answer confirms the messages before it, and that masked answer.
_PING: Final = b"\x89\x07confirm"
_PONG: Final = b"\x8a\x87\0\0\0\0confirm"


class Kind(Struct, frozen=True):
    """One kind. `notification`: the first bytes of each frame with a notification."""

    name: str
    client: Callable[[str], Client]
    notification: bytes

    def figure(self, name: str) -> str:
        """The name of a figure for this kind."""
        return f"{self.name}: {name}" if self.name else name


def stomp(token: str) -> Client:
    """A client of STOMP 1.2 with the inbox, which answers pings. It is open after the receipt."""
    connect = f"CONNECT\naccept-version:1.2\nhost:bench\nAuthorization:Bearer {token}\n\n\0"
    return Client(
        handshake("/ws", "Sec-WebSocket-Protocol: v12.stomp\r\n"),
        text_frame(connect.encode()),
        b"CONNECTED\n",
        text_frame(_SUBSCRIBE),
        ping=_PING,
        pong=_PONG,
    )


def events(token: str) -> Client:
    """A client of server-sent events. It is open after the welcome."""
    request = f"GET /v1/realtime/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
    return Client(request.encode(), until=b"id: ", divide=_blocks, accepted=b"HTTP/1.1 200")


def _blocks(data: bytes) -> Iterator[tuple[int, int]]:
    start = 0
    while (end := data.find(b"\n\n", start)) >= 0:
        yield start, end + 2
        start = end + 2


TIDINGS: Final = Kind("", client, NOTIFICATION)
STOMP: Final = Kind("STOMP", stomp, b"MESSAGE\n")
EVENTS: Final = Kind("server-sent events", events, b"id: ")
