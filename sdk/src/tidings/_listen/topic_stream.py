"""The notifications of one topic, for `async for`."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Protocol, Self

from tidings._listen.buffer import Buffer
from tidings._listen.delivery import Delivery
from tidings._listen.errors import ListenError
from tidings._listen.events import loss_in_words
from tidings._public import publish
from tidings.protocol.frames import CaughtUp, Gap, Recalled

TopicEvent = Delivery | Gap | CaughtUp | Recalled

_logger = logging.getLogger("tidings")


class _Streams(Protocol):
    async def start(self, stream: "TopicStream") -> None: ...
    async def stop(self, stream: "TopicStream") -> None: ...
    def handled(self, event: TopicEvent, epoch: str | None) -> None: ...


class TopicStream:
    """The notifications of one topic, live. Iterate it with `async for`, or enter it with `async with` first.

    Entering waits until the server has confirmed the subscription, and raises FrameRefusedError if it
    refuses. The subscription continues over reconnects, and gives each position once and in order. A delivery
    is acknowledged when the next one is taken. A `Gap` is logged as a warning; iterate `events()` to get it.
    Leaving `async with`, or `aclose`, ends the subscription. The iteration raises FrameRefusedError when the
    token no longer allows the topic.
    """

    def __init__(
        self, streams: _Streams, topic: str, *, after: int | None, rewind: int | None, buffer: int
    ) -> None:
        self.topic = topic
        self.after = after
        self.rewind = rewind
        self._streams = streams
        self._buffer: Buffer[tuple[TopicEvent, str | None]] = Buffer(buffer)
        self._taken: tuple[TopicEvent, str | None] | None = None
        self._started = False
        self._confirmed = asyncio.Event()
        self._refused: Exception | None = None
        self.room = self._buffer.room

    async def __aenter__(self) -> Self:
        try:
            await self._confirm()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def _confirm(self) -> None:
        await self._start()
        await self._confirmed.wait()
        if self._refused is not None:
            raise self._refused

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Acknowledge the handled deliveries, and end the subscription; the iteration ends."""
        self._acknowledge()
        self._buffer.end(None)
        self._confirmed.set()
        if self._started:
            await self._streams.stop(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delivery:
        while not isinstance(event := await self._next(), Delivery):
            if isinstance(event, Gap):
                _logger.warning("%s", loss_in_words(event))
        return event

    def events(self) -> "_Events":
        """All events in order: deliveries, gaps, recalls, and the end of a replay."""
        return _Events(self._next)

    async def _start(self) -> None:
        if not self._started:
            self._started = True
            await self._streams.start(self)

    async def _next(self) -> TopicEvent:
        await self._start()
        self._acknowledge()
        self._taken = await self._buffer.get()
        return self._taken[0]

    def _acknowledge(self) -> None:
        taken, self._taken = self._taken, None
        if taken is not None:
            self._streams.handled(*taken)

    # For the live inbox

    def acknowledge(self, delivery: Delivery) -> None:
        """Acknowledge the delivery that was taken last."""
        if self._taken is not None and self._taken[0] is delivery:
            self._acknowledge()

    def put(self, event: TopicEvent, epoch: str | None) -> None:
        """An event arrived. A recall removes its notification if that was not taken yet."""
        if isinstance(event, Recalled):
            self._buffer.drop(lambda item: _is_of(item[0], event.id))
        self._buffer.put((event, epoch))

    def confirm(self) -> None:
        """The server confirmed the subscription."""
        self._confirmed.set()

    def end(self, error: Exception | None) -> None:
        """The subscription or the inbox has ended: what waits can still be taken, then `error` is raised."""
        if not self._confirmed.is_set():
            self._refused = error or ListenError("The inbox was closed before the server confirmed the topic")
            self._confirmed.set()
        self._buffer.end(error)


class _Events:
    def __init__(self, take: Callable[[], Awaitable[TopicEvent]]) -> None:
        self._take = take

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TopicEvent:
        return await self._take()


def _is_of(event: TopicEvent, notification: str) -> bool:
    return isinstance(event, Delivery) and event.notification.id == notification


publish(globals())
