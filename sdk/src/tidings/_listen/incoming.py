"""The messages of a server, decoded."""

from typing import Final

import msgspec

from tidings._listen.errors import MalformedFrameError
from tidings.protocol.frames import SERVER_FRAMES, ServerFrame

# None is the type of a message without a type.
_KNOWN: Final = frozenset((None, *(kind.__struct_config__.tag for kind in SERVER_FRAMES)))
_FAULTS: Final = (msgspec.DecodeError, UnicodeError, RecursionError)
_decode: Final = msgspec.json.Decoder(ServerFrame).decode


class _Type(msgspec.Struct):
    type: str


_decode_type: Final = msgspec.json.Decoder(_Type).decode


def read_frame(message: str | bytes) -> ServerFrame | None:
    """The frame in a message; None for one of an unknown type, which a newer server may send.

    Raises MalformedFrameError.
    """
    if isinstance(message, bytes):
        raise MalformedFrameError("The server sent a binary frame")
    try:
        frame: ServerFrame = _decode(message)
    except _FAULTS as error:
        if _type_of(message) not in _KNOWN:
            return None
        raise MalformedFrameError(f"The server sent a frame that is not valid: {error}") from error
    return frame


def _type_of(message: str) -> str | None:
    """The type of a frame, known or not; None for a message that is no frame."""
    try:
        return _decode_type(message).type
    except _FAULTS:
        return None
