"""One notification, as the application takes it from a live inbox."""

from collections.abc import Coroutine
from typing import Any, Protocol

from tidings import _publish
from tidings._listen.events import Changed
from tidings._marking import MarksOne
from tidings.protocol.frames import Delivered, State
from tidings.protocol.notifications import Notification


class _Inbox(Protocol):
    async def mark(self, state: State, ids: str) -> Changed: ...
    def acknowledge(self, delivery: "Delivery") -> None: ...


class Delivery(MarksOne[Coroutine[Any, Any, Changed]]):
    """A notification of one log (`user`, `all` or ``group:<id>``) with its position there.

    `replayed` is true for what was missed and is caught up on; `frame` is the whole as it came.
    """

    __slots__ = ("_inbox", "frame")

    def __init__(self, frame: Delivered, inbox: _Inbox) -> None:
        self.frame = frame
        self._inbox = inbox

    @property
    def notification(self) -> Notification:
        """The content."""
        return self.frame.notification

    @property
    def log(self) -> str:
        """The log's name."""
        return self.frame.log

    @property
    def position(self) -> int:
        """The place in its log, from 1; rising, but not dense: what the user may not see is left out."""
        return self.frame.position

    @property
    def replayed(self) -> bool:
        """Whether it was missed and comes late."""
        return self.frame.replayed

    def to_dict(self) -> dict[str, Any]:
        """The frame as a dict for `json.dumps`: `log`, `position`, `notification` and perhaps `replayed`."""
        return self.frame.to_dict()

    def ack(self) -> None:
        """Acknowledge at once, not when the next one is taken: this one will not be shown again."""
        self._inbox.acknowledge(self)

    async def mark(self, state: State) -> Changed:
        """Change its state for all devices of the user; as `LiveInbox.mark`."""
        return await self._inbox.mark(state, self.frame.notification.id)

    def __repr__(self) -> str:
        return f"Delivery({self.log}/{self.position}, {self.notification.id})"


_publish(globals())
