"""A live inbox: the events of its connections in order, and marks."""

import asyncio
import inspect
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from tidings._listen.asker import Asker
from tidings._listen.asking import Asking
from tidings._listen.changes import Changes
from tidings._listen.delivery import Delivery
from tidings._listen.errors import ListenError
from tidings._listen.event_queue import EventQueue, InboxEvent
from tidings._listen.events import Changed, Connected, Disconnected, loss_in_words
from tidings._listen.outputs import Answered, Output, RefreshWanted, Refused
from tidings._listen.session import Session
from tidings._listen.session_runner import ConnectOptions, SessionRunner
from tidings._listen.socket import CLOSE_SECONDS
from tidings._listen.topic_stream import TopicStream
from tidings._listen.topic_streams import TopicStreams
from tidings._public import publish
from tidings.protocol.frames import (
    Counts,
    Delivered,
    Gap,
    Resume,
    Subscribed,
    Unsubscribed,
)

EventHook = Callable[[InboxEvent], Awaitable[None] | None]

_NOT_OPEN: Final = "The inbox is not open. Enter it with `async with`"
_CLOSED: Final = "The inbox is closed. Call listen() again and enter its result with `async with`"

OTHER_PROCESS: Final = "The inbox was opened in another process, before a fork. Call listen() in this one"

_logger = logging.getLogger("tidings")


class LiveInbox(Asking):
    """The inbox of one user, live. Enter it with `async with`, then iterate it.

    Entering waits for the first connection, and raises if it fails. After that the inbox reconnects and
    resumes without the application, and gives each position once and in order within its log. If the server
    says to stay away, the iteration gives the events that arrived before, then raises `ConnectionClosedError`
    or `APIError`.

    Iterating the inbox gives each `Delivery`; all other events go to the `on_event` hook, in the same order.
    Iterating `events()` gives all events. A `Gap` names the positions that are lost; without a hook it is
    logged as a warning. One task iterates; any task may mark, act, send messages, or iterate `changes()`.

    A delivery is acknowledged when the next one is taken, or by `Delivery.ack`. Acknowledgements are sent a
    few times a second, and on leaving. While the buffer is full, the inbox does not read from the socket. The
    server buffers up to its limit, then closes the connection; the inbox resumes when there is room again.
    """

    def __init__(
        self,
        session: Session,
        options: ConnectOptions,
        *,
        buffer: int,
        on_event: EventHook | None,
    ) -> None:
        self._session = session
        self._on_event = on_event
        asker = Asker(session, link=lambda: self._session_runner.link)
        queue = EventQueue(session, limit=buffer, reload=self._reload)
        super().__init__(asker, queue, timeout=options.wire.timeout)
        self._first_outcome = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._closed = False
        self._process = os.getpid()
        self._buffer_size = buffer
        self._topics = TopicStreams(
            session,
            link=lambda: self._session_runner.link,
            deliver=lambda frame: Delivery(frame, self),
        )
        self._session_runner = SessionRunner(session, options, room=self._room, emit=self._emit)

    async def __aenter__(self) -> Self:
        if self._runner is not None:
            raise ListenError("The inbox was entered before. Call listen() again")
        self._process = os.getpid()
        # This object supervises the task: _run passes its error on, and aclose cancels it.
        self._runner = asyncio.create_task(self._run(), name="tidings-listen")
        try:
            await self._first_outcome.wait()
            if not self._session_runner.has_connected:
                await self._queue.take()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Acknowledge the handled deliveries, and close; the iteration ends. Takes at most about 2 s."""
        if self._process != os.getpid():
            # The parent process still uses the connection.
            return
        self._closed = True
        self._end(None)
        # Keep reading: the close frame follows events that no task takes any more.
        self._queue.override(+1)
        if self._runner is None:
            return
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._session_runner.leave()
        finally:
            self._runner.cancel()
            await asyncio.wait((self._runner,))

    def __aiter__(self) -> AsyncIterator[Delivery]:
        self._check_open()
        return self

    async def __anext__(self) -> Delivery:
        while not isinstance(event := await self._next(), Delivery):
            if self._on_event is not None:
                done = self._on_event(event)
                if inspect.isawaitable(done):
                    await done
            else:
                warn_of_loss(event)
        return event

    def events(self) -> AsyncIterator[InboxEvent]:
        """All events in order, deliveries included. The `on_event` hook is not called."""
        self._check_open()
        return _Events(self._next)

    def _check_open(self) -> None:
        if self._process != os.getpid():
            raise ListenError(OTHER_PROCESS)
        if self._closed or self._runner is None:
            raise ListenError(_CLOSED if self._closed else _NOT_OPEN)

    async def _next(self) -> InboxEvent:
        if self._process != os.getpid():
            raise ListenError(OTHER_PROCESS)
        if self._runner is None:
            raise ListenError(_CLOSED if self._closed else _NOT_OPEN)
        self._acknowledge_taken()
        return await self._queue.take()

    def _acknowledge_taken(self) -> None:
        if self._queue.handled() and (link := self._session_runner.link) is not None:
            link.ack_soon()

    def acknowledge(self, delivery: Delivery) -> None:
        """Acknowledge the delivery that was taken last, without taking another. As `Delivery.ack`."""
        if not self._topics.acknowledge(delivery) and self._queue.is_taken(delivery):
            self._acknowledge_taken()

    def subscribe(self, topic: str, *, after: int | None = None, rewind: int | None = None) -> TopicStream:
        """The notifications of a topic, for `async for`. Iterating it, or entering it, subscribes.

        `after`: a position to start after. `rewind`: start with the last N notifications, at most 200.
        Without either it starts after its position in `listen(resume=...)`, or with new notifications. While
        the buffer of one stream is full, the inbox does not read from the socket.
        """
        self._check_open()
        return TopicStream(self._topics, topic, after=after, rewind=rewind, buffer=self._buffer_size)

    async def _room(self) -> None:
        await self._queue.room()
        if self._closed:
            return
        await self._topics.room()

    def resume_point(self) -> Resume | None:
        """The argument for a later `listen(resume=...)` that continues after the handled deliveries.

        None before the first connection.
        """
        return self._session.resume_point()

    @property
    def counts(self) -> Counts:
        """The newest counts that arrived: on connecting, and after each mark, recall and expiry.

        A delivery has no counts; those of the next change include it. Raises ListenError before the inbox was
        entered.
        """
        if self._session.counts is None:
            raise ListenError(_NOT_OPEN)
        return self._session.counts

    def changes(self) -> Changes:
        """The changes from now on, without deliveries, for `async for`, in any number of tasks.

        Each `InboxChange` is given as it arrives, before deliveries that still wait. Another task has to
        iterate the inbox: while its buffer is full, the inbox reads neither deliveries nor changes.
        """
        self._check_open()
        return self._queue.changes()

    def _check_runs(self) -> None:
        self._check_open()
        if self._runner is None or self._runner.done():
            raise ListenError(_NOT_OPEN)

    async def _run(self) -> None:
        try:
            await self._session_runner.run()
        except Exception as error:  # noqa: BLE001 - the application gets every error
            self._end(error)

    def _emit(self, output: Output | Disconnected) -> None:
        if not isinstance(output, Disconnected) and self._topics.put(output):
            return
        match output:
            case Answered():
                self._asker.answer(output)
                return
            case RefreshWanted() | Refused() | Subscribed() | Unsubscribed():
                return
            case Delivered():
                self._queue.put(self._shown(Delivery(output, self)))
                return
            case Changed():
                self._acted(output)
            case Connected():
                self._first_outcome.set()
            case _:
                pass
        self._queue.put(output)

    def _reload(self) -> Changed:
        return Changed(counts=self.counts, state_version=self._session.state_version, reload=True)

    def _end(self, error: Exception | None) -> None:
        self._queue.end(error)
        self._topics.end(error)
        self._first_outcome.set()
        self._asker.end(error)


def warn_of_loss(event: object) -> None:
    """Log a gap, for an application without an `on_event` hook."""
    if isinstance(event, Gap):
        _logger.warning("%s", loss_in_words(event))


class _Events:
    """An iterator over `LiveInbox._next`."""

    def __init__(self, take: Callable[[], Awaitable[InboxEvent]]) -> None:
        self._take = take

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> InboxEvent:
        return await self._take()


publish(globals())
