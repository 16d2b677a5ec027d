"""A live inbox for blocking code: `LiveInbox` on an event loop in its own thread."""

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Final, NoReturn, Protocol, Self, TypeVar

from anyio.from_thread import start_blocking_portal

from tidings import _publish
from tidings._keywords import checks_keywords
from tidings._listen.changes import Changes
from tidings._listen.delivery import Delivery
from tidings._listen.errors import ListenError
from tidings._listen.event_queue import InboxEvent
from tidings._listen.events import Changed, Connected, Disconnected, InboxChange
from tidings._listen.live import OTHER_PROCESS, LiveInbox, warn_of_loss
from tidings._marking import Items, Marks, MarksOne
from tidings.protocol.frames import Counts, Delivered, ErrorFrame, Resume, State
from tidings.protocol.notifications import Notification

T = TypeVar("T")

_NOT_OPEN: Final = "The inbox is not open. Enter it with `with`"
_CLOSED: Final = "The inbox is closed. Call listen() again and enter its result with `with`"


class Wait(Protocol):
    """Runs work on the event loop, and waits for its result."""

    def __call__(self, work: Callable[[], Awaitable[T]], /) -> T: ...


class BlockingInbox(Marks[Changed]):
    """As `LiveInbox`, with `with` and `for`, and the same guarantees.

    One thread iterates; any thread may mark, iterate `changes()`, or `close`. The hook is called in the
    thread that iterates. A child process after `fork` has to call `listen` itself.
    """

    def __init__(self, live: LiveInbox, on_event: "Callable[[BlockingEvent], None] | None") -> None:
        self._live = live
        self._on_event = on_event
        self._open = ExitStack()
        self._run: Callable[..., Any] | None = None
        self._closed = False
        self._closing = threading.RLock()
        self._process = os.getpid()

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            portal = opening.enter_context(start_blocking_portal())
            opening.enter_context(portal.wrap_async_context_manager(self._live))
            self._process = os.getpid()
            self._run = portal.call
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Acknowledge the handled deliveries, and close; the iteration ends. Takes at most about 2 seconds.

        Any thread may call it, any number of times.
        """
        if self._process != os.getpid():
            return
        with self._closing:
            opened, self._open = self._open, ExitStack()
            self._closed = True
            opened.close()
            self._run = None

    def __iter__(self) -> "Iterator[BlockingDelivery]":
        return self.deliveries()

    def deliveries(self, *, timeout: float | None = None) -> "Iterator[BlockingDelivery]":
        """As iterating the inbox, but it ends if none arrives for `timeout` seconds."""
        self._check_open()
        return self._until(timeout, self._next_delivery)

    def next(self, *, timeout: float | None = None) -> "BlockingDelivery":
        """The next delivery, as in an iteration.

        Raises TimeoutError if none arrives within `timeout` seconds, and ListenError if the inbox is closed.
        """
        self._check_open()
        try:
            return self._next_delivery(timeout)
        except StopAsyncIteration:
            raise ListenError(_CLOSED) from None

    def events(self, *, timeout: float | None = None) -> "Iterator[BlockingEvent]":
        """All events in order, deliveries included. The `on_event` hook is not called.

        It ends if no event arrives for `timeout` seconds, and can be called again.
        """
        self._check_open()
        return self._until(timeout, self._next_event)

    def _next_delivery(self, timeout: float | None) -> "BlockingDelivery":
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            event = self._next_event(None if until is None else until - time.monotonic())
            if isinstance(event, BlockingDelivery):
                return event
            if self._on_event is not None:
                self._on_event(event)
            else:
                warn_of_loss(event)

    def _next_event(self, timeout: float | None) -> "BlockingEvent":
        async def take() -> InboxEvent:
            # A wait that times out takes no event from the queue.
            async with asyncio.timeout(timeout):
                return await anext(self._live.events())

        event = self._take(take)
        return BlockingDelivery(event, self._wait) if isinstance(event, Delivery) else event

    @property
    def counts(self) -> Counts:
        """As `LiveInbox.counts`."""
        return self._live.counts

    def changes(self) -> Iterator[InboxChange]:
        """As `LiveInbox.changes`, for one `for` in its own thread."""

        async def opened() -> Changes:
            return self._live.changes()

        changes = self._wait(opened)
        return self._until(None, lambda _: self._take(changes.__anext__))

    @checks_keywords
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

    @staticmethod
    def _until(timeout: float | None, take: Callable[[float | None], T]) -> Iterator[T]:
        """All items, until the inbox is closed or none arrives in time."""
        while True:
            try:
                item = take(timeout)
            except (StopAsyncIteration, TimeoutError):
                return
            yield item

    def _take(self, take: Callable[[], Awaitable[T]]) -> T:
        """The result of `take` on the loop. Raises StopAsyncIteration if `close` ran before or during it."""
        try:
            return self._wait(take)
        except ListenError:
            if self._closed:
                raise StopAsyncIteration from None
            raise

    def _wait(self, work: Callable[[], Awaitable[T]]) -> T:
        self._check_open()
        run = self._run
        try:
            result: T = run(work) if run is not None else self._refuse()
        except RuntimeError:
            # The loop ended between the check and the call.
            if self._closed:
                self._refuse()
            raise
        return result

    def _check_open(self) -> None:
        if self._closed or self._run is None or self._process != os.getpid():
            self._refuse()

    def _refuse(self) -> NoReturn:
        if self._process != os.getpid():
            raise ListenError(OTHER_PROCESS)
        raise ListenError(_CLOSED if self._closed else _NOT_OPEN)


class BlockingDelivery(MarksOne[Changed]):
    """As `Delivery`, without `await`."""

    __slots__ = ("_delivery", "_wait")

    def __init__(self, delivery: Delivery, wait: "Wait") -> None:
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
