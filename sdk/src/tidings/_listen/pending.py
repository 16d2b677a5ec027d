"""Frames that wait for their answers: marks, uses of actions, and messages. Pure."""

import secrets
from itertools import count
from typing import Any, Final

import msgspec

from tidings._errors import InvalidArgumentError
from tidings._invalid import not_valid
from tidings.protocol import limits
from tidings.protocol.frames import Act, Mark, MessageFrame
from tidings.protocol.rest import MarkInbox

Asked = Mark | Act | MessageFrame

# The field that `PendingFrames.add` adds has fewer.
_REF_BYTES: Final = 64

_encode: Final = msgspec.json.Encoder().encode


def mark_frame(mark: MarkInbox) -> Mark:
    """The frame of a mark. Raises InvalidArgumentError if a frame cannot hold it."""
    frame = Mark(**msgspec.structs.asdict(mark))
    size = len(_encode(frame)) + _REF_BYTES
    if size > limits.FRAME_BYTES:
        raise InvalidArgumentError(
            f"The mark has {size:,} bytes, more than the {limits.FRAME_BYTES:,} of a frame. "
            "Mark fewer items at once"
        )
    return frame


def message_frame(event: str, data: Any, key: str | None) -> MessageFrame:
    """The frame of a message; with a key of its own without `key`. Raises InvalidArgumentError."""
    wanted = {
        "type": "message",
        "event": event,
        "idempotency_key": secrets.token_hex(16) if key is None else key,
    }
    try:
        encoded = _encode(data)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"data has no form in JSON: {error}") from None
    if len(encoded) > limits.MESSAGE_BYTES:
        raise InvalidArgumentError(
            f"data has {len(encoded):,} bytes, more than the {limits.MESSAGE_BYTES:,} of a message"
        )
    try:
        frame = msgspec.convert(wanted, MessageFrame)
    except msgspec.ValidationError as error:
        raise not_valid("message", wanted, MessageFrame, error) from None
    return msgspec.structs.replace(frame, data=msgspec.Raw(encoded))


class PendingFrames:
    """The unanswered frames of one live inbox by their `ref`, over all its connections."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(4) + "-"
        self._numbers = count(1)
        self._frames: dict[str, str] = {}

    def add(self, frame: Asked) -> tuple[str, str]:
        """The ref and the text of a frame, which is kept until it is answered."""
        ref = f"{self._prefix}{next(self._numbers)}"
        text = self._frames[ref] = _encode(msgspec.structs.replace(frame, ref=ref)).decode()
        return ref, text

    def made(self, ref: str | int | None) -> bool:
        """Whether this live inbox sent the frame with that ref, answered or not."""
        return isinstance(ref, str) and ref.startswith(self._prefix)

    def forget(self, ref: str | int | None) -> bool:
        """Remove a frame. Returns whether it was unanswered."""
        return isinstance(ref, str) and self._frames.pop(ref, None) is not None

    def frames(self) -> list[str]:
        """The frames to send again on a new connection, in order; each is idempotent."""
        return list(self._frames.values())
