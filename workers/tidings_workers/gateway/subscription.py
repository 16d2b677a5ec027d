"""The subscription of one connection to one topic."""

from tidings_workers.gateway.connection import Connection
from tidings_workers.gateway.tails import Tail


class Subscription:
    """A connection as the tail of a topic sees it: how far it was sent the topic, and what it acknowledged.

    `cursor`: the last position that was sent while entries are replayed; None while it is live, because then
    the position of the tail is the cursor. `acknowledged`: where the subscription started, and then the last
    position that the client acknowledged. After it `ended`, nothing more is sent.
    """

    __slots__ = ("acknowledged", "cursor", "ended", "name", "outlet", "tail", "topic")

    def __init__(
        self, connection: Connection, user: str, topic: str, tail: "Tail[Subscription]", start: int
    ) -> None:
        self.outlet = connection
        self.name = user
        self.topic = topic
        self.tail = tail
        self.cursor: int | None = start
        self.acknowledged = start
        self.ended = False

    @property
    def sent(self) -> int:
        """The last position that was sent or skipped."""
        return self.tail.position if self.cursor is None else self.cursor

    @property
    def is_finished(self) -> bool:
        """Whether nothing more is sent to it."""
        return self.ended or self.outlet.closed

    def go_live(self) -> bool:
        """Become live if it was sent everything up to the end of the topic; False when something is left."""
        if self.cursor is not None and self.cursor < self.tail.position:
            return False
        self.cursor = None
        self.tail.go_live(self)
        return True

    def end(self) -> None:
        """Send nothing more to it."""
        self.ended = True
        self.tail.stop(self)

    def acknowledge(self, position: int) -> tuple[int, int] | None:
        """The client received everything up to a position. The span that is new; None when nothing is."""
        before, reached = self.acknowledged, min(position, self.sent)
        if reached <= before:
            return None
        self.acknowledged = reached
        return before, reached
