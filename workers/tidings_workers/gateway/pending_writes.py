"""The connections that write their queues after the current feed items were processed."""

from collections.abc import Callable
from typing import Final, Protocol


class Queued(Protocol):
    """A connection with a queue of bytes."""

    def write_queue(self) -> None:
        """Write the queue in one write."""


class PendingWrites:
    """The connections with something queued, each once.

    `add` registers a connection whose queue was empty.
    """

    __slots__ = ("_queued", "add")

    def __init__(self) -> None:
        self._queued: list[Queued] = []
        self.add: Final[Callable[[Queued], None]] = self._queued.append

    def write(self) -> None:
        """Write every queue, one write per connection."""
        queued = self._queued.copy()
        self._queued.clear()
        for connection in queued:
            connection.write_queue()
