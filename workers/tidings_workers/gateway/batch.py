"""The connections that have something to write when the current batch of feed items has been taken."""

from typing import Protocol


class Queued(Protocol):
    """A connection with a queue of its own."""

    def write_queue(self) -> None:
        """Write what is queued, as one."""


class Batch:
    """The connections with something queued, each once."""

    __slots__ = ("_queued",)

    def __init__(self) -> None:
        self._queued: list[Queued] = []

    def add(self, connection: Queued) -> None:
        """Have the connection write its queue with this batch."""
        self._queued.append(connection)

    def write(self) -> None:
        """Write everything that is queued, one write per connection."""
        queued, self._queued = self._queued, []
        for connection in queued:
            connection.write_queue()
