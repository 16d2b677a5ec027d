"""A live inbox for blocking code: `LiveInbox` on an event loop in its own thread."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final, NoReturn, TypeVar

from tidings._keywords import checks_keywords
from tidings._listen.asking import REPLY_SECONDS
from tidings._listen.blocking_delivery import BlockingDelivery
from tidings._listen.blocking_topic import BlockingTopicStream
from tidings._listen.changes import Changes
from tidings._listen.delivery import Delivery
from tidings._listen.errors import ListenError
from tidings._listen.event_queue import InboxEvent
from tidings._listen.events import Changed, Connected, Disconnected, InboxChange
from tidings._listen.iteration import iterate
from tidings._listen.live import OTHER_PROCESS, LiveInbox, warn_of_loss
from tidings._listen.topic_stream import TopicStream
from tidings._marking import Item, Items, Marks
from tidings._models import Acted
from tidings._own_loop import OwnLoop
from tidings._public import publish
from tidings.protocol.frames import Counts, ErrorFrame, Resume, State

T = TypeVar("T")

_NOT_OPEN: Final = "The inbox is not open. Enter it with `with`"
_CLOSED: Final = "The inbox is closed. Call listen() again and enter its result with `with`"


class BlockingInbox(OwnLoop, Marks[Changed]):
    """As `LiveInbox`, with `with` and `for`, and the same guarantees.

    One thread iterates; any thread may mark, act, send messages, iterate `changes()`, or `close`. The hook is
    called in the thread that iterates. A child process after `fork` has to call `listen` itself.
    """

    def __init__(self, live: LiveInbox, on_event: "Callable[[BlockingEvent], None] | None") -> None:
        super().__init__(live)
        self._live = live
        self._on_event = on_event

    def close(self) -> None:
        """Acknowledge the handled deliveries, and close; the iteration ends. Takes at most about 2 seconds.

        Any thread may call it, any number of times.
        """
        super().close()

    def __iter__(self) -> "Iterator[BlockingDelivery]":
        return self.deliveries()

    def deliveries(self, *, timeout: float | None = None) -> "Iterator[BlockingDelivery]":
        """As iterating the inbox, but it ends if none arrives for `timeout` seconds."""
        self._check_open()
        return iterate(timeout, self._next_delivery)

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
        return iterate(timeout, self._next_event)

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
        return iterate(None, lambda _: self._take(changes.__anext__))

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

    @checks_keywords
    def act(self, notification: Item, action: str) -> Acted:
        """As `LiveInbox.act`."""
        return self._wait(lambda: self._live.act(notification, action))

    @checks_keywords
    def message(
        self,
        event: str,
        data: Any = None,
        *,
        idempotency_key: str | None = None,
        timeout: float = REPLY_SECONDS,
    ) -> Any:
        """As `LiveInbox.message`."""
        return self._wait(
            lambda: self._live.message(event, data, idempotency_key=idempotency_key, timeout=timeout)
        )

    def resume_point(self) -> Resume | None:
        """As `LiveInbox.resume_point`."""
        return self._live.resume_point()

    def subscribe(
        self, topic: str, *, after: int | None = None, rewind: int | None = None
    ) -> BlockingTopicStream:
        """As `LiveInbox.subscribe`, for `for`. Another thread may iterate it."""

        async def made() -> TopicStream:
            return self._live.subscribe(topic, after=after, rewind=rewind)

        return BlockingTopicStream(self._wait(made), self._take)

    def _take(self, take: Callable[[], Awaitable[T]]) -> T:
        """The result of `take` on the loop. Raises StopAsyncIteration if `close` ran before or during it."""
        try:
            return self._wait(take)
        except ListenError:
            if self._closed:
                raise StopAsyncIteration from None
            raise

    def _refuse(self) -> NoReturn:
        if self._in_child:
            raise ListenError(OTHER_PROCESS)
        raise ListenError(_CLOSED if self._closed else _NOT_OPEN)


BlockingEvent = BlockingDelivery | InboxChange | ErrorFrame | Connected | Disconnected


publish(globals())
