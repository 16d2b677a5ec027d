"""Marks between being made and being answered. Pure."""

import secrets
from itertools import count

import msgspec

from tidings._errors import InvalidArgumentError
from tidings.protocol import limits
from tidings.protocol.frames import Mark
from tidings.protocol.rest import MarkInbox


class Pending:
    """The marks of one listener that are not answered, by their `ref`; they outlive connections."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(4) + "-"
        self._numbers = count(1)
        self._marks: dict[str, str] = {}

    def add(self, mark: MarkInbox) -> tuple[str, str]:
        """Its ref and frame. Raises InvalidArgumentError where that is more than a frame holds."""
        ref = f"{self._prefix}{next(self._numbers)}"
        frame = msgspec.json.encode(Mark(**msgspec.structs.asdict(mark), ref=ref))
        if len(frame) > limits.FRAME_BYTES:
            raise InvalidArgumentError(
                f"The mark has {len(frame):,} bytes, more than the {limits.FRAME_BYTES:,} of a frame: mark "
                "less at once"
            )
        self._marks[ref] = frame.decode()
        return ref, self._marks[ref]

    def made(self, ref: str | int | None) -> bool:
        """Whether a mark of this listener had that ref, also one that nobody waits for any more."""
        return isinstance(ref, str) and ref.startswith(self._prefix)

    def forget(self, ref: str | int | None) -> bool:
        """Nobody waits for this answer any more. True where somebody did."""
        return isinstance(ref, str) and self._marks.pop(ref, None) is not None

    def frames(self) -> list[str]:
        """Those to send again on a new connection, in the order they were made; marking is idempotent."""
        return list(self._marks.values())
