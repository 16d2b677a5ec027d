"""Messages of SockJS: JSON in frames of one letter."""

import re
from typing import Final

import msgspec

from tidings_workers.gateway.websocket import text_frame

OPEN: Final = b"o"
HEARTBEAT: Final = b"h"
BUSY: Final = b'c[2010,"Another connection still open"]'
INTERRUPTED: Final = b'c[1002,"Connection interrupted"]'

# Characters that JavaScript engines and proxies have mangled.
_UNSAFE: Final = re.compile("[\u200c-\u200f\u2028-\u202f\u2060-\u206f\ufff0-\uffff]")
_decode: Final = msgspec.json.Decoder(str | list[str]).decode


class BrokenMessage(ValueError):
    """A message of the client is not JSON of the right form."""


def text(message: bytes) -> bytes:
    """A message as a JSON string."""
    data = msgspec.json.encode(message.decode())
    if data.isascii():
        return data
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", data.decode()).encode()


def listed(message: bytes) -> bytes:
    """A message as an item of a list, with the comma behind it."""
    return text(message) + b","


def array(items: bytes) -> bytes:
    """The frame of listed messages."""
    return b"a[" + items[:-1] + b"]"


def in_socket(message: bytes) -> bytes:
    """A message as a frame in a WebSocket frame."""
    return text_frame(b"a[" + text(message) + b"]")


def close(code: int, reason: str) -> bytes:
    """The last frame."""
    return b"c" + msgspec.json.encode([code, reason])


def messages(data: bytes) -> list[bytes]:
    """The messages in the body or frame of a client. Raises BrokenMessage."""
    try:
        found = _decode(data)
        return [each.encode() for each in ([found] if isinstance(found, str) else found)]
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise BrokenMessage from None
