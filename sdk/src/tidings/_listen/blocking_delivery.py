"""A delivery for blocking code."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from tidings._listen.delivery import Delivery
from tidings._listen.events import Changed
from tidings._marking import MarksOne
from tidings._models import Acted, UsedAction
from tidings._public import publish
from tidings.protocol.frames import Delivered, State
from tidings.protocol.notifications import Notification

T = TypeVar("T")


class Wait(Protocol):
    """Runs work on the event loop, and waits for its result."""

    def __call__(self, work: Callable[[], Awaitable[T]], /) -> T: ...


class BlockingDelivery(MarksOne[Changed]):
    """As `Delivery`, without `await`."""

    __slots__ = ("_delivery", "_wait")

    def __init__(self, delivery: Delivery, wait: Wait) -> None:
        self._delivery = delivery
        self._wait = wait

    @property
    def frame(self) -> Delivered:
        """The frame that the server sent."""
        return self._delivery.frame

    @property
    def notification(self) -> Notification:
        """The content."""
        return self._delivery.notification

    @property
    def log(self) -> str:
        """As `Delivery.log`."""
        return self._delivery.log

    @property
    def position(self) -> int:
        """As `Delivery.position`."""
        return self._delivery.position

    @property
    def replayed(self) -> bool:
        """As `Delivery.replayed`."""
        return self._delivery.replayed

    @property
    def action(self) -> UsedAction | None:
        """As `Delivery.action`."""
        return self._delivery.action

    def to_dict(self) -> dict[str, Any]:
        """As `Delivery.to_dict`."""
        return self._delivery.to_dict()

    def ack(self) -> None:
        """As `Delivery.ack`."""

        async def ack() -> None:
            self._delivery.ack()

        self._wait(ack)

    def mark(self, state: State) -> Changed:
        """As `Delivery.mark`."""
        return self._wait(lambda: self._delivery.mark(state))

    def act(self, action: str) -> Acted:
        """As `Delivery.act`."""
        return self._wait(lambda: self._delivery.act(action))


publish(globals())
