"""Marks that wait for their answers. Pure."""

import secrets
from itertools import count

import msgspec

from tidings._errors import InvalidArgumentError
from tidings.protocol import limits
from tidings.protocol.frames import Mark
from tidings.protocol.rest import MarkInbox


class PendingMarks:
    """The unanswered marks of one live inbox by their `ref`, over all its connections."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(4) + "-"
        self._numbers = count(1)
        self._marks: dict[str, str] = {}

    def add(self, mark: MarkInbox) -> tuple[str, str]:
        """The ref and the frame of a mark. Raises InvalidArgumentError if a frame cannot hold it (64 KB)."""
        ref = f"{self._prefix}{next(self._numbers)}"
        frame = msgspec.json.encode(Mark(**msgspec.structs.asdict(mark), ref=ref))
        if len(frame) > limits.FRAME_BYTES:
            raise InvalidArgumentError(
                f"The mark has {len(frame):,} bytes, more than the {limits.FRAME_BYTES:,} of a frame. "
                "Mark fewer items at once"
            )
        self._marks[ref] = frame.decode()
        return ref, self._marks[ref]

    def made(self, ref: str | int | None) -> bool:
        """Whether this live inbox made the mark with that ref, answered or not."""
        return isinstance(ref, str) and ref.startswith(self._prefix)

    def forget(self, ref: str | int | None) -> bool:
        """Remove a mark. Returns whether it was unanswered."""
        return isinstance(ref, str) and self._marks.pop(ref, None) is not None

    def frames(self) -> list[str]:
        """The frames to send again on a new connection, in order; marking is idempotent."""
        return list(self._marks.values())
