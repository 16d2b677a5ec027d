"""A live inbox for blocking code: `LiveInbox` on an event loop in a thread of its own."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar, cast

from anyio.from_thread import start_blocking_portal

from tidings import _publish
from tidings._errors import ListenError
from tidings._keywords import explained
from tidings._listen.changes import Changes
from tidings._listen.delivery import Delivery
from tidings._listen.events import Changed, Connected, Disconnected, InboxChange
from tidings._listen.live import InboxEvent, LiveInbox, warn_of_loss
from tidings._marking import Items, Marks, MarksOne
from tidings.protocol.frames import Counts, Delivered, ErrorFrame, Resume, State
from tidings.protocol.notifications import Notification

T = TypeVar("T")

_NOT_OPEN: Final = "The inbox is not open. Enter it with `with`"
_CLOSED: Final = "The inbox is closed. Call listen() again and enter what it gives with `with`"


class Wait(Protocol):
    """Runs work on the event loop, and waits for its result."""

    def __call__(self, work: Callable[[], Awaitable[T]], /) -> T: ...


class BlockingInbox(Marks[Changed]):
    """As `LiveInbox`, with `with` and `for`: what it promises is the same.

    The hook is called in the thread that iterates.
    """

    def __init__(self, live: LiveInbox, on_event: "Callable[[BlockingEvent], None] | None") -> None:
        self._live = live
        self._on_event = on_event
        self._open = ExitStack()
        self._run: Callable[..., Any] | None = None
        self._entered = False

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            portal = opening.enter_context(start_blocking_portal())
            opening.enter_context(portal.wrap_async_context_manager(self._live))
            self._run = portal.call
            self._entered = True
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run = None
        self._open.__exit__(kind, error, trace)

    def __iter__(self) -> "Iterator[BlockingDelivery]":
        return self._deliveries(self.events())

    def _deliveries(self, events: "Iterator[BlockingEvent]") -> "Iterator[BlockingDelivery]":
        for event in events:
            if isinstance(event, BlockingDelivery):
                yield event
            elif self._on_event is not None:
                self._on_event(event)
            else:
                warn_of_loss(event)

    def events(self) -> "Iterator[BlockingEvent]":
        """Deliveries and everything else that happens, in order. The `on_event` hook is not called."""
        self._check_open()
        return self._events(self._each(self._live.events().__anext__))

    def _events(self, events: "Iterator[InboxEvent]") -> "Iterator[BlockingEvent]":
        for event in events:
            yield BlockingDelivery(event, self._wait) if isinstance(event, Delivery) else event

    @property
    def counts(self) -> Counts:
        """As `LiveInbox.counts`."""
        return self._live.counts

    def changes(self) -> Iterator[InboxChange]:
        """As `LiveInbox.changes`: for one `for`, in a thread of its own."""

        async def opened() -> Changes:
            return self._live.changes()

        return self._each(self._wait(opened).__anext__)

    @explained
    def mark(
        self,
        state: State,
        ids: Items | None = None,
        *,
        up_to: Mapping[str, int] | None = None,
        all: bool = False,
        category: str | None = None,
    ) -> Changed:
        """As `LiveInbox.mark`."""
        return self._wait(lambda: self._live.mark(state, ids, up_to=up_to, all=all, category=category))

    def resume_point(self) -> Resume | None:
        """As `LiveInbox.resume_point`."""
        return self._live.resume_point()

    def _each(self, take: Callable[[], Awaitable[T]]) -> Iterator[T]:
        while True:
            try:
                item = self._wait(take)
            except StopAsyncIteration:
                return
            yield item

    def _wait(self, work: Callable[[], Awaitable[T]]) -> T:
        self._check_open()
        run = cast("Wait", self._run)
        return run(work)

    def _check_open(self) -> None:
        if self._run is None:
            raise ListenError(_CLOSED if self._entered else _NOT_OPEN)


class BlockingDelivery(MarksOne[Changed]):
    """As `Delivery`, without `await`."""

    __slots__ = ("_delivery", "_wait")

    def __init__(self, delivery: Delivery, wait: "Wait") -> None:
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


BlockingEvent = BlockingDelivery | InboxChange | ErrorFrame | Connected | Disconnected


_publish(globals())
