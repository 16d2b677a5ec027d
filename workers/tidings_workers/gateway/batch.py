"""The connections that have something to write when the current batch of feed items has been taken."""

from collections.abc import Callable
from typing import Final, Protocol


class Queued(Protocol):
    """A connection with a queue of its own."""

    def write_queue(self) -> None:
        """Write what is queued, as one."""


class Batch:
    """The connections with something queued, each once.

    `add` has a connection write its queue with this batch. It is called for every receiver of a notification.
    """

    __slots__ = ("_queued", "add")

    def __init__(self) -> None:
        self._queued: list[Queued] = []
        self.add: Final[Callable[[Queued], None]] = self._queued.append

    def write(self) -> None:
        """Write everything that is queued, one write per connection."""
        queued = self._queued.copy()
        self._queued.clear()
        for connection in queued:
            connection.write_queue()
