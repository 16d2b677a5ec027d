"""The sends of a sender that have no answer yet. No I/O: the sender writes the frames and sleeps."""

import asyncio
import heapq
import random
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from tidings._api_errors import APIError
from tidings._errors import ConfigurationError, RequestInfo
from tidings._models import Sent
from tidings._problems import LaxProblem, error_of
from tidings._retries import RetryPolicy, is_retryable
from tidings.protocol.errors import ERRORS, FieldError

# How many sends may be without an answer: the server reads no more than 500.
WINDOW: Final = 256
WINDOW_MAXIMUM: Final = 500
# A pointer of a frame, and the pointer of the same place in a body of REST.
_FRAME_POINTER: Final = "#/notification"
_BODY_POINTER: Final = "#"
_UNKNOWN_STATUS: Final = 400


def checked_window(window: int) -> int:
    """The number of sends that may be under way. Raises ConfigurationError unless it is 1 to 500."""
    if not 1 <= window <= WINDOW_MAXIMUM:
        raise ConfigurationError(f"window is the number of sends under way: give 1 to {WINDOW_MAXIMUM}")
    return window


class ServerFrame(msgspec.Struct):
    """The fields of all frames that a sender uses; it ignores other frames and fields."""

    type: str
    ref: str | int | None = None
    id: str = ""
    durability: str = ""
    accepted_at: datetime | None = None
    replayed: bool = False
    code: str = ""
    detail: str = ""
    errors: tuple[FieldError, ...] = ()


class Post:
    """One send, until its future has the result."""

    __slots__ = ("began", "frame", "future", "ref", "request", "tries")

    def __init__(self, ref: int, frame: str, request: RequestInfo, began: float) -> None:
        self.ref = ref
        self.frame = frame
        self.request = request
        self.began = began
        self.tries = 0
        self.future: asyncio.Future[Sent] = asyncio.get_running_loop().create_future()


class Outbox:
    """Gives frames in the order of their sends; those of a lost connection are given again, in that order.

    Times are seconds of `clock`; `chance` returns a random number from 0 up to 1.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._chance = chance
        self._posts: dict[int, Post] = {}
        # The refs of the posts to write, as a heap: the smallest is first.
        self._due: list[int] = []
        self._not_before = 0.0
        self._last = 0

    def __len__(self) -> int:
        return len(self._posts)

    def add(self, body: bytes, request: RequestInfo) -> Post:
        """Add a send. `body` is the JSON of its notification; `request` names its idempotency key."""
        self._last += 1
        frame = b'{"type":"send","ref":%d,"idempotency_key":%b,"notification":%b}' % (
            self._last,
            msgspec.json.encode(request.idempotency_key),
            body,
        )
        post = self._posts[self._last] = Post(self._last, frame.decode(), request, self._clock())
        heapq.heappush(self._due, post.ref)
        return post

    def remove(self, post: Post) -> None:
        """Forget a send that has its result, or whose caller no longer waits."""
        self._posts.pop(post.ref, None)

    def futures(self) -> list[asyncio.Future[Sent]]:
        """The results that are missing."""
        return [post.future for post in self._posts.values()]

    def reconnected(self) -> None:
        """Give everything again that has no answer."""
        self._due = sorted(self._posts)
        self._not_before = 0.0

    def wait(self) -> float:
        """How many seconds to wait before `take`."""
        return max(0.0, self._not_before - self._clock())

    def take(self) -> str | None:
        """The next frame to write; None when there is none."""
        while self._due:
            post = self._posts.get(heapq.heappop(self._due))
            if post is not None:
                return post.frame
        return None

    def receive(self, frame: ServerFrame) -> bool:
        """Process an answer. True when a send is to be written again, after `wait`."""
        post = self._posts.get(frame.ref) if isinstance(frame.ref, int) else None
        if post is None or post.future.done():
            return False
        if frame.type == "accepted" and frame.accepted_at is not None:
            sent = Sent(
                id=frame.id,
                status="accepted",
                durability=frame.durability,
                accepted_at=frame.accepted_at,
                replayed=frame.replayed,
            )
            post.future.set_result(sent)
            return False
        return frame.type == "error" and self._refused(post, frame)

    def fail(self, error: Callable[[Post], Exception]) -> None:
        """End every send with an error of its own."""
        for post in self._posts.values():
            if not post.future.done():
                post.future.set_exception(error(post))

    def _refused(self, post: Post, frame: ServerFrame) -> bool:
        error = _error(frame, post.request)
        post.tries += 1
        now = self._clock()
        wait = None
        if is_retryable(error.status):
            wait = self._policy.wait(post.tries, now - post.began, None, self._chance)
        if wait is None:
            post.future.set_exception(error)
            return False
        # All sends wait, so that they keep their order.
        self._not_before = max(self._not_before, now + wait)
        heapq.heappush(self._due, post.ref)
        return True


def _error(frame: ServerFrame, request: RequestInfo) -> APIError:
    known = ERRORS.get(frame.code)
    problem = LaxProblem(
        detail=frame.detail,
        code=frame.code,
        errors=tuple(
            FieldError(
                _BODY_POINTER + fault.pointer.removeprefix(_FRAME_POINTER).removeprefix("#"), fault.detail
            )
            for fault in frame.errors
        ),
    )
    return error_of(problem, known.status if known is not None else _UNKNOWN_STATUS, request=request)
