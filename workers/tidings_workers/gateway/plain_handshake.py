"""The plain form of a WebSocket's opening request, which needs no general parser.

Nearly every client sends this form: each header once, one space after each colon, printable ASCII, and the
words of RFC 6455 in their usual spelling. The general parser takes ten times as long. A request of any other
form is parsed by the general parser, which also finds the fault of a wrong one.
"""

import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from websockets.http11 import Request
from websockets.utils import accept_key

from tidings.protocol.frames import SUBPROTOCOL

PATH: Final = "/v1/realtime"
EVENTS_PATH: Final = f"{PATH}/events"
PLAIN_BYTES: Final = 4 * 1024

_FIRST_LINE: Final = f"GET {PATH} HTTP/1.1\r\n".encode()
_FORM: Final = re.compile(
    re.escape(_FIRST_LINE) + rb"(?:[0-9A-Za-z-]+: [!-~]+(?: +[!-~]+)*\r\n){5,40}\r\n"
).fullmatch
_CONNECTION: Final = frozenset({"Upgrade", "upgrade", "keep-alive, Upgrade"})
_UPGRADE: Final = frozenset({"websocket", "WebSocket"})
# 16 bytes in base64.
_KEY: Final = re.compile(r"[0-9A-Za-z+/]{22}==").fullmatch


class Handshake(Struct, frozen=True):
    """A WebSocket's opening request: the parts that decide whether the client may connect.

    `origins` and `authorization` are the values of these headers; a wrong request repeats them. A request of
    the plain form is valid, and has its `key` and whether it offers `tidings.v1`. Any other has `request`,
    which `handshake.accept` checks. `ticket` is one of `store.tickets`, in place of a token.
    """

    query: str
    origins: Sequence[str]
    authorization: Sequence[str]
    key: str = ""
    offers_subprotocol: bool = False
    request: Request | None = None
    ticket: str = ""


def plain_handshake(head: bytes) -> Handshake | None:
    """The handshake in a complete request head of the plain form; None for any other form."""
    if len(head) > PLAIN_BYTES or not _FORM(head):
        return None
    lines = head[len(_FIRST_LINE) : -len(b"\r\n\r\n")].decode("ascii").split("\r\n")
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        fields[name.lower()] = value
    field = fields.get
    key, subprotocol = field("sec-websocket-key", ""), field("sec-websocket-protocol")
    if (
        len(fields) != len(lines)
        or field("connection") not in _CONNECTION
        or field("upgrade") not in _UPGRADE
        or field("sec-websocket-version") != "13"
        or not _KEY(key)
        or subprotocol not in {None, SUBPROTOCOL}
        # A body, which a handshake does not have.
        or "content-length" in fields
        or "transfer-encoding" in fields
    ):
        return None
    return Handshake(
        query="",
        origins=_values(field("origin")),
        authorization=_values(field("authorization")),
        key=key,
        offers_subprotocol=subprotocol is not None,
    )


def response(key: str, *, subprotocol: bool) -> bytes:
    """The response that opens a WebSocket, for the key of its request."""
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(key)}\r\n"
        + (f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n" if subprotocol else "")
        + "\r\n"
    ).encode()


def _values(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)
