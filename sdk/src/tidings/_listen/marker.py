"""Sends the marks of a live inbox, and waits for their answers."""

import asyncio
import random
from collections.abc import Callable
from typing import Final

from tidings._listen.errors import FrameRefusedError, UnansweredError
from tidings._listen.events import Changed
from tidings._listen.link import Link
from tidings._listen.outputs import Answered
from tidings._listen.session import Session
from tidings.protocol.errors import ERRORS
from tidings.protocol.rest import MarkInbox

_BASE_SECONDS: Final = 0.1
_CAP_SECONDS: Final = 2.0


class Marker:
    """Sends marks and waits for their answers, at most `timeout` seconds each.

    If the connection ends before the answer, the next connection sends the mark again. If the server refuses
    a mark with a retryable error, the marker repeats it after a random wait. `link` returns the open
    connection, or None.
    """

    def __init__(self, session: Session, *, timeout: float, link: Callable[[], Link | None]) -> None:
        self._session = session
        self._timeout = timeout
        self._link = link
        self._answers: dict[str, asyncio.Future[Changed]] = {}

    async def mark(self, mark: MarkInbox) -> Changed:
        """Send a mark and return its answer.

        Raises FrameRefusedError, UnansweredError, or the error that ended the inbox.
        """
        tries = 0
        try:
            async with asyncio.timeout(self._timeout) as limit:
                while True:
                    try:
                        return await self._try(mark)
                    except FrameRefusedError as error:
                        tries += 1
                        # Full jitter, as in RetryPolicy.
                        wait = random.random() * min(_CAP_SECONDS, _BASE_SECONDS * 2**tries)  # noqa: S311
                        if not _is_retryable(error) or _left(limit) < wait + _BASE_SECONDS:
                            raise
                    await asyncio.sleep(wait)
        except TimeoutError:
            raise UnansweredError(f"The mark was not answered within {self._timeout:g} seconds") from None

    async def _try(self, mark: MarkInbox) -> Changed:
        ref, frame = self._session.mark(mark)
        answer: asyncio.Future[Changed] = asyncio.get_running_loop().create_future()
        self._answers[ref] = answer
        try:
            if (link := self._link()) is not None:
                await link.send(frame)
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
        unanswered = error or UnansweredError("The inbox was closed before the mark was answered")
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(unanswered)


def _is_retryable(error: FrameRefusedError) -> bool:
    known = ERRORS.get(error.code)
    return known is not None and known.retryable


def _left(limit: asyncio.Timeout) -> float:
    return (limit.when() or 0.0) - asyncio.get_running_loop().time()
