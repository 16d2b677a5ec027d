"""One notification that the application takes from a live inbox."""

from collections.abc import Coroutine
from typing import Any, Protocol

from tidings._listen.events import Changed, used_action
from tidings._marking import MarksOne
from tidings._models import Acted, UsedAction
from tidings._public import publish
from tidings.protocol.frames import Delivered, State
from tidings.protocol.notifications import Notification


class _Inbox(Protocol):
    async def mark(self, state: State, ids: str) -> Changed: ...
    async def act(self, notification: str, action: str) -> Acted: ...
    def acknowledge(self, delivery: "Delivery") -> None: ...


class Delivery(MarksOne[Coroutine[Any, Any, Changed]]):
    """A notification of one log (`user`, `all` or ``group:<id>``) with its position there.

    `replayed` is true for a notification that the client missed and the server sends again. `frame` is the
    frame that the server sent.
    """

    __slots__ = ("__weakref__", "_inbox", "_used", "frame")

    def __init__(self, frame: Delivered, inbox: _Inbox) -> None:
        self.frame = frame
        self._inbox = inbox
        self._used = None if frame.action is None else used_action(frame.action)

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
        """The position in its log, from 1. Positions rise; those that the user may not see are left out."""
        return self.frame.position

    @property
    def replayed(self) -> bool:
        """Whether the client missed it, and the server replays it."""
        return self.frame.replayed

    @property
    def action(self) -> UsedAction | None:
        """The action that the user used on it, on this or another device; None while there is none."""
        return self._used

    def to_dict(self) -> dict[str, Any]:
        """The frame as a dict for `json.dumps`: `log`, `position`, `notification`, and `replayed` if true."""
        return self.frame.to_dict()

    def ack(self) -> None:
        """Acknowledge it now, and not when the next one is taken. The server does not send it again."""
        self._inbox.acknowledge(self)

    async def mark(self, state: State) -> Changed:
        """Change its state for all devices of the user; as `LiveInbox.mark`."""
        return await self._inbox.mark(state, self.frame.notification.id)

    async def act(self, action: str) -> Acted:
        """Use one of its actions, by its id; as `LiveInbox.act`."""
        return await self._inbox.act(self.frame.notification.id, action)

    def use(self, action: UsedAction) -> None:
        """The live inbox reports the action that the user used."""
        self._used = action

    def __repr__(self) -> str:
        return f"Delivery({self.log}/{self.position}, {self.notification.id})"


publish(globals())
