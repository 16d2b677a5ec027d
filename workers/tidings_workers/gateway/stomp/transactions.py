"""The transactions of one STOMP client: its frames that wait for COMMIT."""

from typing import Final

from tidings_workers.gateway.stomp.frames import Frame, StompError
from tidings_workers.gateway.stomp.headers import without_transaction

TRANSACTION_FRAMES: Final = 100
TRANSACTION_BYTES: Final = 1024 * 1024
# A frame costs more memory than its text.
_OVERHEAD: Final = 1_024


class Transactions:
    """The open transactions by name.

    They have at most TRANSACTION_FRAMES frames and TRANSACTION_BYTES bytes, all together.
    """

    __slots__ = ("_bytes", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[str, list[Frame]] = {}
        self._bytes = 0

    def begin(self, name: str) -> None:
        """Open a transaction. Raises StompError."""
        if name in self._waiting:
            raise StompError("invalid_request", "There is a transaction of this name already.")
        if len(self._waiting) >= TRANSACTION_FRAMES:
            raise StompError("invalid_request", f"At most {TRANSACTION_FRAMES} transactions may be open.")
        self._waiting[name] = []

    def add(self, name: str, frame: Frame) -> None:
        """Keep a frame until COMMIT. Raises StompError."""
        waiting = self._waiting.get(name)
        if waiting is None:
            raise StompError("invalid_request", "There is no such transaction. Send BEGIN first.")
        if sum(map(len, self._waiting.values())) >= TRANSACTION_FRAMES:
            raise StompError("too_large", f"At most {TRANSACTION_FRAMES} frames may wait for COMMIT.")
        self._bytes += _size(frame)
        if self._bytes > TRANSACTION_BYTES:
            raise StompError(
                "too_large", "The frames that wait for COMMIT have at most 1 MB. Send fewer at once."
            )
        waiting.append(frame)

    def end(self, name: str) -> list[Frame]:
        """End a transaction. Returns its frames, without the header that names it. Raises StompError."""
        waiting = self._waiting.pop(name, None)
        if waiting is None:
            raise StompError("invalid_request", "There is no such transaction. Send BEGIN first.")
        self._bytes -= sum(map(_size, waiting))
        return [Frame(each.command, without_transaction(each), each.body) for each in waiting]


def _size(frame: Frame) -> int:
    headers = sum(len(name) + len(value) for name, value in frame.headers.items())
    return _OVERHEAD + headers + len(frame.body)
