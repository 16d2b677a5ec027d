"""A live inbox: connection after connection, what they brought in order, and the state it can change."""

import asyncio
import inspect
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import msgspec

from tidings._errors import ConnectionClosedError, ListenError, TidingsError
from tidings._listen.access import AccessSource
from tidings._listen.backoff import Backoff, Ending, ReconnectPolicy, Return
from tidings._listen.buffer import Buffer
from tidings._listen.connection import CLOSE_SECONDS, open_socket
from tidings._listen.delivery import Delivery
from tidings._listen.events import Connected, Disconnected
from tidings._listen.link import Link
from tidings._listen.session import Answered, Output, RefreshWanted, Session
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

InboxEvent = (
    Delivery | Gap | CaughtUp | Joined | Left | Recalled | Stated | ErrorFrame | Connected | Disconnected
)
EventHook = Callable[[InboxEvent], Awaitable[None] | None]

_logger = logging.getLogger("tidings")


class LiveInbox:
    """What one user sees, as it happens: enter it with `async with`, then iterate.

    Entering waits for the first connection and raises where there is none to be had. From then on it
    reconnects by itself, resumes, and shows each position once and in order within its log. It raises
    `ConnectionClosedError` or `APIError` out of the iteration, after what had arrived before, where
    the server says to stay away.

    Iterate the inbox itself for `Delivery` alone; everything else goes to the `on_event` hook in the
    same order. Or iterate `events()` for all of it. A `Gap` names exactly what cannot be had; without
    a hook it is logged as a warning. One task iterates; any may mark.

    What was taken is acknowledged when the next one is taken, or by `Delivery.ack`: a few times a
    second, and on leaving. While the application is slow the socket is not read; the server holds what
    it can and then drops the connection, which is resumed when there is room again.
    """

    def __init__(
        self,
        access: AccessSource,
        session: Session,
        *,
        policy: ReconnectPolicy,
        timeout: float,
        first_tries: int,
        buffer: int,
        on_event: EventHook | None,
        user_agent: str,
    ) -> None:
        self._access = access
        self._session = session
        self._backoff = Backoff(policy, random.random)
        self._timeout = timeout
        self._first_tries = first_tries
        self._on_event = on_event
        self._user_agent = user_agent
        self._buffer: Buffer[tuple[InboxEvent, str | None]] = Buffer(buffer)
        self._taken: tuple[InboxEvent, str | None] | None = None
        self._answers: dict[str, asyncio.Future[None]] = {}
        self._decided = asyncio.Event()
        self._stood = False
        self._link: Link | None = None
        self._closing = False
        self._runner: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._runner is not None:
            raise ListenError("A live inbox is entered once: call listen() again")
        # This object supervises the task: _run hands its error over, and aclose ends it.
        self._runner = asyncio.create_task(self._run(), name="tidings-listen")
        try:
            await self._decided.wait()
            if not self._stood:
                await self._buffer.get()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Acknowledge what was handled and leave; the iteration ends. Takes a few seconds at the longest."""
        self._closing = True
        self._end(None)
        # Read on, or the close frame would wait behind what nobody takes any more.
        self._buffer.override(+1)
        if self._runner is None:
            return
        try:
            if self._link is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(CLOSE_SECONDS):
                        await self._link.leave()
        finally:
            self._runner.cancel()
            await asyncio.wait((self._runner,))

    def __aiter__(self) -> AsyncIterator[Delivery]:
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
        """Deliveries and everything else that happens, in order. The `on_event` hook is not called."""
        return _Events(self._next)

    async def _next(self) -> InboxEvent:
        if self._taken is not None:
            self._done_with(*self._taken)
            self._taken = None
        self._taken = await self._buffer.get()
        return self._taken[0]

    def _done_with(self, event: InboxEvent, epoch: str | None) -> None:
        due = self._session.took(event.frame if isinstance(event, Delivery) else event, epoch)
        if due and self._link is not None:
            self._link.ack_soon()

    def acknowledge(self, delivery: Delivery) -> None:
        """Count the delivery taken last as handled, without taking another. As `Delivery.ack`."""
        if self._taken is not None and self._taken[0] is delivery:
            self._done_with(*self._taken)

    def resume_point(self) -> Resume | None:
        """What to give to `listen(resume=...)` later, to go on after all that was handled."""
        return self._session.resume_point()

    async def mark(
        self,
        state: State,
        *,
        ids: tuple[str, ...] | None = None,
        up_to: Positions | None = None,
        all: bool | None = None,
        category: str | None = None,
    ) -> None:
        """Change the state of some `ids`, of everything `up_to` a position per log, or of `all`.

        `state` is seen, unseen, read, unread, archived or unarchived; `category` narrows `all`. It is
        done when this returns, sent again where the connection broke meanwhile, and safe to repeat.
        Raises FrameRefusedError where the server refuses, ListenError where no answer comes in time.
        """
        if self._runner is None or self._runner.done():
            raise ListenError("The inbox is not open. Enter it with `async with`")
        ref, frame = self._session.mark(state, ids=ids, up_to=up_to, all=all, category=category)
        answer = self._answers[ref] = asyncio.get_running_loop().create_future()
        self._buffer.override(+1)
        try:
            async with asyncio.timeout(self._timeout):
                if self._link is not None and self._link.welcomed:
                    await self._link.send(frame)
                await answer
        except TimeoutError:
            raise ListenError(
                f"The mark was not answered within {self._timeout:g} seconds. Repeat it"
            ) from None
        finally:
            self._buffer.override(-1)
            self._session.forget(ref)
            del self._answers[ref]

    async def _run(self) -> None:
        """Connection after connection, until the inbox is left or the server says to stay away."""
        renew = False
        try:
            while True:
                ending = await self._connect(renew=renew)
                if self._closing:
                    return
                plan = self._plan(ending)
                await asyncio.sleep(plan.wait)
                await self._buffer.room()
                renew = plan.renew
        except Exception as error:  # noqa: BLE001 - whatever it is, the application is told
            self._end(error)

    def _plan(self, ending: Ending) -> Return:
        """When to come back. Raises where that cannot help, or did not help the first time."""
        plan = self._backoff.after(ending, renewable=self._access.renewable)
        if self._stood:
            reason = str(ending.error) if ending.error else ending.reason
            self._buffer.put((Disconnected(ending.code, reason, plan.wait), None))
        elif self._backoff.failures >= self._first_tries:
            raise ending.error or ConnectionClosedError(ending.code, ending.reason)
        return plan

    async def _connect(self, *, renew: bool) -> Ending:
        """One connection, from its token to its end."""
        try:
            access = await self._access.get(renew=renew)
        except TidingsError as error:
            # The request was tried as often as the client is to; only a standing inbox goes on.
            if not self._stood:
                raise
            return Ending(error=error)
        try:
            socket = await open_socket(
                access, seconds=self._timeout, user_agent=self._user_agent, now=time.time()
            )
        except TidingsError as error:
            return Ending(error=error, fresh=access.fresh)
        self._link = Link(
            socket,
            self._session,
            self._access,
            emit=self._emit,
            room=self._buffer.room,
            timeout=self._timeout,
        )
        try:
            return msgspec.structs.replace(await self._link.run(), fresh=access.fresh)
        finally:
            self._link = None

    def _emit(self, output: Output) -> None:
        match output:
            case Answered():
                answer = self._answers.get(output.ref)
                if answer is None or answer.done():
                    return
                if output.error is None:
                    answer.set_result(None)
                else:
                    answer.set_exception(output.error)
            case Delivered():
                self._buffer.put((Delivery(output, self), self._session.epoch))
            case RefreshWanted():
                pass
            case Recalled():
                self._buffer.drop(lambda item: _is_of(item[0], output.id))
                self._buffer.put((output, self._session.epoch))
            case _:
                self._buffer.put((output, self._session.epoch))
                if isinstance(output, Connected):
                    self._stood = True
                    self._decided.set()

    def _end(self, error: Exception | None) -> None:
        self._buffer.end(error)
        self._decided.set()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(error or ListenError("The inbox was left before the mark was answered"))


def warn_of_loss(event: object) -> None:
    """Nobody looks at events: that something is missing must still be said."""
    if isinstance(event, Gap):
        _logger.warning(
            "missed in %s: positions %d to %d (%s)", event.log, event.from_, event.to, event.reason
        )


class _Events:
    """An iterator over `LiveInbox._next`."""

    def __init__(self, take: Callable[[], Awaitable[InboxEvent]]) -> None:
        self._take = take

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> InboxEvent:
        return await self._take()


def _is_of(event: InboxEvent, notification: str) -> bool:
    return isinstance(event, Delivery) and event.notification.id == notification
