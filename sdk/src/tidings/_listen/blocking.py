"""A live inbox for blocking code: `LiveInbox` on an event loop in a thread of its own."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

from anyio.from_thread import start_blocking_portal

from tidings._errors import ListenError
from tidings._listen.delivery import Delivery
from tidings._listen.events import Connected, Disconnected
from tidings._listen.live import LiveInbox, warn_of_loss
from tidings.protocol.frames import (
    CaughtUp,
    Delivered,
    ErrorFrame,
    Gap,
    Joined,
    Left,
    Positions,
    Recalled,
    Resume,
    State,
    Stated,
)
from tidings.protocol.notifications import Notification

T = TypeVar("T")


class BlockingInbox:
    """As `LiveInbox`, with `with` and `for`: what it promises is the same.

    The hook is called in the thread that iterates.
    """

    def __init__(self, live: LiveInbox, on_event: "Callable[[BlockingEvent], None] | None") -> None:
        self._live = live
        self._on_event = on_event
        self._open = ExitStack()
        self._run: Callable[..., Any] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            portal = opening.enter_context(start_blocking_portal())
            opening.enter_context(portal.wrap_async_context_manager(self._live))
            self._run = portal.call
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run = None
        self._open.__exit__(kind, error, trace)

    def __iter__(self) -> "Iterator[BlockingDelivery]":
        for event in self.events():
            if isinstance(event, BlockingDelivery):
                yield event
            elif self._on_event is not None:
                self._on_event(event)
            else:
                warn_of_loss(event)

    def events(self) -> "Iterator[BlockingEvent]":
        """Deliveries and everything else that happens, in order. The `on_event` hook is not called."""
        take = self._live.events().__anext__
        while True:
            try:
                event = self._wait(take)
            except StopAsyncIteration:
                return
            yield BlockingDelivery(event, self._wait) if isinstance(event, Delivery) else event

    def mark(
        self,
        state: State,
        *,
        ids: tuple[str, ...] | None = None,
        up_to: Positions | None = None,
        all: bool | None = None,
        category: str | None = None,
    ) -> None:
        """As `LiveInbox.mark`."""
        self._wait(lambda: self._live.mark(state, ids=ids, up_to=up_to, all=all, category=category))

    def resume_point(self) -> Resume | None:
        """As `LiveInbox.resume_point`."""
        return self._live.resume_point()

    def _wait(self, work: Callable[[], Awaitable[T]]) -> T:
        if self._run is None:
            raise ListenError("The inbox is not open. Enter it with `with`")
        result: T = self._run(work)
        return result


class BlockingDelivery:
    """As `Delivery`, without `await`."""

    __slots__ = ("_delivery", "_wait")

    def __init__(self, delivery: Delivery, wait: Callable[[Callable[[], Awaitable[None]]], None]) -> None:
        self._delivery = delivery
        self._wait = wait

    @property
    def frame(self) -> Delivered:
        """The whole as it came."""
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

    def ack(self) -> None:
        """As `Delivery.ack`."""

        async def ack() -> None:
            self._delivery.ack()

        self._wait(ack)

    def mark(self, state: State) -> None:
        """As `Delivery.mark`."""
        self._wait(lambda: self._delivery.mark(state))

    def mark_seen(self) -> None:
        """`mark("seen")`."""
        self.mark("seen")

    def mark_read(self) -> None:
        """`mark("read")`; read implies seen."""
        self.mark("read")

    def archive(self) -> None:
        """`mark("archived")`: out of the counts and of the default list."""
        self.mark("archived")


BlockingEvent = (
    BlockingDelivery
    | Gap
    | CaughtUp
    | Joined
    | Left
    | Recalled
    | Stated
    | ErrorFrame
    | Connected
    | Disconnected
)
