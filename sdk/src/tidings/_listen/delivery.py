"""One notification, as the application takes it from a live inbox."""

from typing import Protocol

from tidings.protocol.frames import Delivered, State
from tidings.protocol.notifications import Notification


class _Inbox(Protocol):
    async def mark(self, state: State, *, ids: tuple[str, ...]) -> None: ...
    def acknowledge(self, delivery: "Delivery") -> None: ...


class Delivery:
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

    def ack(self) -> None:
        """Acknowledge at once, not when the next one is taken: this one will not be shown again."""
        self._inbox.acknowledge(self)

    async def mark(self, state: State) -> None:
        """Change its state for all devices of the user; done when this returns, safe to repeat.

        Raises FrameRefusedError where the server refuses, ListenError where no answer comes in time.
        """
        await self._inbox.mark(state, ids=(self.frame.notification.id,))

    async def mark_seen(self) -> None:
        """`mark("seen")`."""
        await self.mark("seen")

    async def mark_read(self) -> None:
        """`mark("read")`; read implies seen."""
        await self.mark("read")

    async def archive(self) -> None:
        """`mark("archived")`: out of the counts and of the default list."""
        await self.mark("archived")

    def __repr__(self) -> str:
        return f"Delivery({self.log}/{self.position}, {self.notification.id})"
