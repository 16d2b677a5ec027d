"""The plain form of a client's WebSocket frames, which needs no general parser.

Nearly every frame is a text, a ping or a pong, is masked and not fragmented, and arrives in one piece.
`plain_frame` decodes these. Every other frame, also a wrong one, is left to the general parser.
"""

from typing import Final

from tidings.protocol import limits

try:
    from websockets.speedups import apply_mask
except ImportError:  # the library was built without its C code
    from websockets.utils import apply_mask

TEXT: Final = 0x81
PING: Final = 0x89
PONG: Final = 0x8A

_MASKED: Final = 0x80
_SHORT: Final = 125
_MEDIUM: Final = 126
_SHORT_HEAD: Final = 2 + 4
_MEDIUM_HEAD: Final = 4 + 4


def plain_frame(data: bytes, at: int) -> tuple[int, bytes, int] | None:
    """The frame of plain form at an offset: its first byte, its payload, and its end. None for any other."""
    if len(data) < at + _SHORT_HEAD:
        return None
    first, length = data[at], data[at + 1] - _MASKED
    if 0 <= length <= _SHORT and (first in {TEXT, PING, PONG}):
        start = at + _SHORT_HEAD
    elif length == _MEDIUM and first == TEXT:
        start = at + _MEDIUM_HEAD
        length = int.from_bytes(data[at + 2 : at + 4])
        # A shorter length is in the wrong form.
        if not _SHORT < length <= limits.FRAME_BYTES:
            return None
    else:
        return None
    end = start + length
    if len(data) < end:
        return None
    return first, apply_mask(data[start:end], data[start - 4 : start]), end
