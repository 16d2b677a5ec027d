"""One call from its first try to its last, without I/O: the clients fetch tokens, send and sleep."""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import msgspec

from tidings._api_errors import APIError, ExpiredTokenError
from tidings._calls.call import Answer, Call
from tidings._errors import ConnectionFailedError, RequestInfo, TimedOutError, UnreadableAnswerError
from tidings._problems import error_of, error_of_answer
from tidings._reasons import Reason
from tidings._retries import RetryPolicy, is_retryable, parse_retry_after
from tidings.protocol.errors import Problem

T = TypeVar("T")

_logger = logging.getLogger("tidings")


@dataclass(frozen=True)
class Done(Generic[T]):
    """The call succeeded."""

    value: T


class Retry(msgspec.Struct, frozen=True):
    """Send again after `wait` seconds; with another token if `renew`."""

    wait: float
    renew: bool = False


class Failure(msgspec.Struct, frozen=True):
    """No answer arrived: the reason in words, and the error of the transport."""

    reason: Reason
    cause: Exception | None = None
    timed_out: bool = False


class Clock(msgspec.Struct, frozen=True):
    """Clocks, in seconds, and a random number from 0 up to 1. Tests replace them."""

    monotonic: Callable[[], float] = time.monotonic
    epoch: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random


SYSTEM: Final = Clock()


class Exchange(Generic[T]):
    """Decides after each try of one call: the result, another try, or an error.

    The body and the idempotency key are the same on every try, so a send whose answer was lost takes effect
    once.
    """

    def __init__(
        self, call: Call[T], url: str, policy: RetryPolicy, *, renewable: bool, clock: Clock = SYSTEM
    ) -> None:
        self._call = call
        self._policy = policy
        self._clock = clock
        self._renewable = renewable
        self._started: float | None = None
        self._tries = 0
        self._info = RequestInfo(call.method, url + call.path, call.idempotency_key)

    @property
    def url(self) -> str:
        """The URL of the call, without its query."""
        return self._info.url

    def begin(self) -> None:
        """Note the start of a try. The policy's `total` counts from the first one."""
        if self._started is None:
            self._started = self._clock.monotonic()

    def headers(self, token: str) -> dict[str, str]:
        """The headers of one try."""
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        if self._call.body is not None:
            headers["Content-Type"] = "application/json"
        if self._call.idempotency_key is not None:
            headers["Idempotency-Key"] = self._call.idempotency_key
        return headers

    def next_step(self, outcome: Answer | Failure) -> Done[T] | Retry:
        """The result of the call, or the next try, after one outcome.

        Raises APIError, ConnectionFailedError or UnreadableAnswerError if no retry follows.
        """
        self._tries += 1
        if isinstance(outcome, Failure):
            return self._again(self.failed(outcome), None)
        if 200 <= outcome.status < 300:  # noqa: PLR2004 - success, RFC 9110
            return Done(self._read(outcome))
        error = self._error(outcome)
        if isinstance(error, ExpiredTokenError) and self._renewable:
            self._renewable = False
            return Retry(0.0, renew=True)
        if not is_retryable(outcome.status, error.code):
            raise error
        return self._again(error, error.retry_after)

    def failed(self, outcome: Failure) -> ConnectionFailedError:
        """The error of a try without an answer, or with a part of one."""
        kind = TimedOutError if outcome.timed_out else ConnectionFailedError
        error = kind(outcome.reason, request=self._info, tries=max(1, self._tries))
        error.__cause__ = outcome.cause
        return error

    def unreadable(self, reason: str, status: int) -> UnreadableAnswerError:
        """The error of an answer that is not one of the API."""
        return UnreadableAnswerError(reason, status=status, request=self._info)

    def ended(self, problem: Problem) -> APIError:
        """The error of an answer that ends in a problem."""
        return error_of(problem, problem.status, request=self._info)

    def _again(self, error: APIError | ConnectionFailedError, retry_after: float | None) -> Retry:
        now = self._clock.monotonic()
        elapsed = now - (now if self._started is None else self._started)
        wait = self._policy.wait(self._tries, elapsed, retry_after, self._clock.chance)
        if wait is None:
            raise error
        _logger.info("%s; try %d follows in %.1f s", error, self._tries + 1, wait)
        return Retry(wait)

    def _read(self, answer: Answer) -> T:
        try:
            return self._call.read(answer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            page = answer.body.lstrip()[:1] == b"<"
            reason = "it is a web page, not an answer of the API" if page else str(error)
            raise UnreadableAnswerError(reason, status=answer.status, request=self._info) from error

    def _error(self, answer: Answer) -> APIError:
        return error_of_answer(
            answer.status,
            answer.body,
            request=self._info,
            request_id=answer.headers.get("x-request-id"),
            location=answer.headers.get("location"),
            retry_after=parse_retry_after(answer.headers.get("retry-after"), self._clock.epoch()),
        )
