"""The events of a live inbox that wait for the application."""

import logging
from collections.abc import Callable
from typing import Final

from tidings._listen.buffer import Buffer
from tidings._listen.changes import Changes, Readers
from tidings._listen.delivery import Delivery
from tidings._listen.events import Changed, Connected, Disconnected, InboxChange
from tidings._listen.session import Session
from tidings._public import publish
from tidings.protocol.frames import ErrorFrame, Recalled

InboxEvent = Delivery | InboxChange | ErrorFrame | Connected | Disconnected

CHANGES: Final = 256

_logger = logging.getLogger("tidings")


class EventQueue:
    """Events in order of arrival, each with the epoch it arrived in, and the readers of `changes()`.

    The connection reads on while fewer than `limit` events wait. `reload` makes the change that replaces
    those of a slow reader.
    """

    def __init__(self, session: Session, *, limit: int, reload: Callable[[], Changed]) -> None:
        self._session = session
        self._reload = reload
        self._buffer: Buffer[tuple[InboxEvent, str | None]] = Buffer(limit)
        self._readers = Readers(CHANGES)
        self._taken: tuple[InboxEvent, str | None] | None = None
        self._warned = False
        self.room = self._buffer.room
        self.override = self._buffer.override

    def put(self, event: InboxEvent) -> None:
        """Add an event. A recall removes its notification if that was not taken yet."""
        if isinstance(event, Recalled):
            self._buffer.drop(lambda item: _is_of(item[0], event.id))
        self._buffer.put((event, self._session.epoch))
        if self._buffer.full and self._readers and self._taken is None and not self._warned:
            self._warned = True
            _logger.warning("changes() pauses: the buffer is full. Iterate the inbox to take its deliveries")
        if isinstance(event, InboxChange):
            self._readers.put(event, self._reload)

    async def take(self) -> InboxEvent:
        """The next event. Raises StopAsyncIteration, or the error that ended the inbox."""
        self._taken = None
        self._taken = await self._buffer.get()
        return self._taken[0]

    def is_taken(self, event: InboxEvent) -> bool:
        """Whether this is the event that was taken last."""
        return self._taken is not None and self._taken[0] is event

    def handled(self) -> bool:
        """Count the event taken last as handled. Returns whether there is something to acknowledge."""
        if self._taken is None:
            return False
        event, epoch = self._taken
        return self._session.handled(event.frame if isinstance(event, Delivery) else event, epoch)

    def changes(self) -> Changes:
        """Another reader of the changes from now on."""
        return self._readers.add()

    def end(self, error: Exception | None) -> None:
        """Close the queue and its readers: what waits can still be taken, then `error` is raised."""
        self._buffer.end(error)
        self._readers.end(error)


def _is_of(event: InboxEvent, notification: str) -> bool:
    return isinstance(event, Delivery) and event.notification.id == notification


publish(globals())
