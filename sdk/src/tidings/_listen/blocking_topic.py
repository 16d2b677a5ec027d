"""The notifications of one topic, for blocking code."""

import asyncio
import logging
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from tidings._listen.blocking_delivery import BlockingDelivery, Wait
from tidings._listen.delivery import Delivery
from tidings._listen.errors import ListenError
from tidings._listen.events import loss_in_words
from tidings._listen.iteration import iterate
from tidings._listen.topic_stream import TopicEvent, TopicStream
from tidings._public import publish
from tidings.protocol.frames import CaughtUp, Gap, Recalled

BlockingTopicEvent = BlockingDelivery | Gap | CaughtUp | Recalled

_CLOSED = "The stream is closed. Call subscribe() again"
_logger = logging.getLogger("tidings")


class BlockingTopicStream:
    """As `TopicStream`, with `with` and `for`, and the same guarantees.

    One thread iterates, which need not be the one that iterates the inbox. Any thread may `close` it. The
    iteration ends when the stream or the inbox is closed.
    """

    def __init__(self, stream: TopicStream, wait: Wait) -> None:
        self.topic = stream.topic
        self._stream = stream
        # Raises StopAsyncIteration when the inbox is closed.
        self._wait = wait

    def __enter__(self) -> Self:
        self._wait(self._stream.__aenter__)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Acknowledge the handled deliveries, and end the subscription. Any number of calls."""
        try:
            self._wait(self._stream.aclose)
        except StopAsyncIteration:
            return

    def __iter__(self) -> Iterator[BlockingDelivery]:
        return self.deliveries()

    def deliveries(self, *, timeout: float | None = None) -> Iterator[BlockingDelivery]:
        """As iterating the stream, but it ends if none arrives for `timeout` seconds."""
        return iterate(timeout, self._next_delivery)

    def next(self, *, timeout: float | None = None) -> BlockingDelivery:
        """The next delivery, as in an iteration.

        Raises TimeoutError if none arrives within `timeout` seconds, and ListenError if the stream is closed.
        """
        try:
            return self._next_delivery(timeout)
        except StopAsyncIteration:
            raise ListenError(_CLOSED) from None

    def events(self, *, timeout: float | None = None) -> Iterator[BlockingTopicEvent]:
        """All events in order: deliveries, gaps, recalls, and the end of a replay.

        It ends if no event arrives for `timeout` seconds, and can be called again.
        """
        return iterate(timeout, self._next_event)

    def _next_delivery(self, timeout: float | None) -> BlockingDelivery:
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            event = self._next_event(None if until is None else until - time.monotonic())
            if isinstance(event, BlockingDelivery):
                return event
            if isinstance(event, Gap):
                _logger.warning("%s", loss_in_words(event))

    def _next_event(self, timeout: float | None) -> BlockingTopicEvent:
        async def take() -> TopicEvent:
            # A wait that times out takes no event.
            async with asyncio.timeout(timeout):
                return await anext(self._stream.events())

        event = self._wait(take)
        return BlockingDelivery(event, self._wait) if isinstance(event, Delivery) else event


publish(globals())
