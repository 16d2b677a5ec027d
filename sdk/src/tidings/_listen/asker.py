"""Sends the marks, actions and messages of a live inbox, and waits for their answers."""

import asyncio
import random
from collections.abc import Callable
from typing import Final, TypeVar

from tidings._listen.errors import FrameRefusedError, UnansweredError
from tidings._listen.events import Changed
from tidings._listen.link import Link
from tidings._listen.outputs import Answered
from tidings._listen.pending import Asked
from tidings._listen.session import Session
from tidings.protocol.errors import ERRORS
from tidings.protocol.frames import Reply

A = TypeVar("A", Changed, Reply)

_BASE_SECONDS: Final = 0.1
_CAP_SECONDS: Final = 2.0


class Asker:
    """Sends frames and waits for their answers, at most a number of seconds each.

    If the connection ends before the answer, the next connection sends the frame again. If the server refuses
    it with a retryable error, the asker repeats it after a random wait. `link` returns the open connection,
    or None.
    """

    def __init__(self, session: Session, *, link: Callable[[], Link | None]) -> None:
        self._session = session
        self._link = link
        self._answers: dict[str, asyncio.Future[Changed | Reply]] = {}

    async def ask(self, frame: Asked, answer: type[A], *, seconds: float) -> A:
        """Send a frame and return its answer, which is of the type `answer`.

        Raises FrameRefusedError, UnansweredError, or the error that ended the inbox.
        """
        tries = 0
        try:
            async with asyncio.timeout(seconds) as limit:
                while True:
                    try:
                        answered = await self._try(frame)
                        if isinstance(answered, answer):
                            return answered
                        raise UnansweredError("The server answered with another frame")
                    except FrameRefusedError as error:
                        tries += 1
                        # Full jitter, as in RetryPolicy.
                        wait = random.random() * min(_CAP_SECONDS, _BASE_SECONDS * 2**tries)  # noqa: S311
                        if not _is_retryable(error) or _left(limit) < wait + _BASE_SECONDS:
                            raise
                    await asyncio.sleep(wait)
        except TimeoutError:
            raise UnansweredError(f"No answer arrived within {seconds:g} seconds") from None

    async def _try(self, frame: Asked) -> Changed | Reply:
        ref, text = self._session.ask(frame)
        answer: asyncio.Future[Changed | Reply] = asyncio.get_running_loop().create_future()
        self._answers[ref] = answer
        try:
            if (link := self._link()) is not None:
                await link.send(text)
            return await answer
        finally:
            self._session.forget(ref)
            del self._answers[ref]

    def answer(self, answered: Answered) -> None:
        """Pass the server's answer to the call that waits for it."""
        answer = self._answers.get(answered.ref)
        if answer is None or answer.done():
            return
        if isinstance(answered.result, FrameRefusedError):
            answer.set_exception(answered.result)
        else:
            answer.set_result(answered.result)

    def end(self, error: Exception | None) -> None:
        """Raise `error`, or UnansweredError, in all calls that wait: the inbox has ended."""
        unanswered = error or UnansweredError("The inbox was closed before the answer")
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(unanswered)


def _is_retryable(error: FrameRefusedError) -> bool:
    known = ERRORS.get(error.code)
    return known is not None and known.retryable


def _left(limit: asyncio.Timeout) -> float:
    return (limit.when() or 0.0) - asyncio.get_running_loop().time()
