"""Server frames as the bytes that go onto a socket: an unmasked, unfragmented WebSocket text frame."""

import struct
from datetime import UTC, datetime
from typing import Final

import msgspec

from tidings.protocol.frames import ServerFrame
from tidings.protocol.times import timestamp


class _Moment(datetime):
    """A time that goes out with three digits of milliseconds: of a plain one msgspec writes six, or none."""


def moment(at: int) -> datetime:
    """Milliseconds since the epoch as a time for a frame."""
    return _Moment.fromtimestamp(at / 1000, UTC)


def _written(value: object) -> str:
    if isinstance(value, _Moment):
        return timestamp(round(value.timestamp() * 1000))
    raise NotImplementedError(type(value).__name__)


_encode: Final = msgspec.json.Encoder(enc_hook=_written).encode
_SHORT: Final = 126
_MEDIUM: Final = 65_536
_TEXT: Final = 0x81
PING: Final = b"\x89\x00"


def text_frame(payload: bytes) -> bytes:
    """A text frame (RFC 6455, section 5.2)."""
    length = len(payload)
    if length < _SHORT:
        return bytes((_TEXT, length)) + payload
    if length < _MEDIUM:
        return struct.pack("!BBH", _TEXT, 126, length) + payload
    return struct.pack("!BBQ", _TEXT, 127, length) + payload


def frame(message: ServerFrame) -> bytes:
    """Any frame of the protocol."""
    return text_frame(_encode(message))


def notification_head(log: str) -> bytes:
    """What every notification frame of a log begins with. The log's name needs no escaping."""
    return b'{"type":"notification","log":"%b","position":' % log.encode()


def notification_frame(head: bytes, position: int, content: bytes, *, replayed: bool = False) -> bytes:
    """A notification frame, from the content's JSON as stored."""
    tail = b"}" if not replayed else b',"replayed":true}'
    return text_frame(b'%b%d,"notification":%b%b' % (head, position, content, tail))
