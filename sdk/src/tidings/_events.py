"""Iterating over events, for both clients.

A consumer's event is acknowledged when the next one is taken. An acknowledgement is sent at most once a
second, with all events since the last one, and before each further read.
"""

import time
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Self, cast

from tidings._async_resources import AsyncRun
from tidings._calls import events as calls
from tidings._calls.call import Call
from tidings._errors import InvalidArgumentError
from tidings._public import publish
from tidings._resources import Run
from tidings._retries import Retries
from tidings.protocol import limits
from tidings.protocol.plain import Plain
from tidings.protocol.rest import EventList, EventsAcknowledged

_ANSWER_SECONDS: Final = 10.0
_ACKNOWLEDGE_SECONDS: Final = 1.0
# The server hands an event of a consumer out again after EVENTS_HELD_SECONDS. Those that were not taken until
# then are left to the next reader.
_HELD_SECONDS: Final = limits.EVENTS_HELD_SECONDS - 10
BATCH: Final = 100

_Answer = EventsAcknowledged | EventList


class Event(Plain, frozen=True):
    """Something that happened. `data` depends on `type`: docs/events.md lists both."""

    id: str
    type: str
    timestamp: datetime
    data: dict[str, Any]


class Reading:
    """The state of one iteration. `position` is what `after` continues from; None for a consumer.

    Raises InvalidArgumentError.
    """

    def __init__(
        self, types: Iterable[str] | str, consumer: str | None, after: str | None, wait: int, batch: int
    ) -> None:
        if consumer is not None and after is not None:
            raise InvalidArgumentError("Give `after` or `consumer`: a consumer has its own position")
        if not 1 <= batch <= limits.EVENTS_MAXIMUM:
            raise InvalidArgumentError(f"`batch` must be 1 to {limits.EVENTS_MAXIMUM}")
        if not 0 <= wait <= limits.EVENTS_WAIT_MAXIMUM:
            raise InvalidArgumentError(f"`wait` must be 0 to {limits.EVENTS_WAIT_MAXIMUM} seconds")
        self._types = calls.type_names(types)
        self._consumer = consumer
        self._wait = wait
        self._batch = batch
        self._taken: Event | None = None
        self._buffer: deque[Event] = deque()
        self._done: list[str] = []
        self._read_at = 0.0
        self._acknowledged_at = 0.0
        self._behind = after
        self.position = after

    @property
    def timeout(self) -> float:
        """How long one request may take, in seconds."""
        return self._wait + _ANSWER_SECONDS

    def step(self) -> Event | Call[_Answer]:
        """The next event, or the call that is to be made before; its answer goes to `answered`."""
        now = time.monotonic()
        if self._taken is not None:
            if self._consumer is not None:
                self._done.append(self._taken.id)
            self._taken = None
        if self._consumer is not None and now > self._read_at + _HELD_SECONDS:
            self._buffer.clear()
        is_due = now > self._acknowledged_at + _ACKNOWLEDGE_SECONDS or not self._buffer
        if self._consumer is not None and self._done and is_due:
            return cast("Call[_Answer]", calls.acknowledge(self._consumer, self._done))
        if not self._buffer:
            self.position = self._behind
            read = calls.read(self._types, self._consumer, self.position, self._wait, self._batch)
            return cast("Call[_Answer]", read)
        self._taken = self._buffer.popleft()
        return self._taken

    def answered(self, answer: _Answer) -> None:
        """Take the answer of a call."""
        now = time.monotonic()
        if isinstance(answer, EventsAcknowledged):
            self._done.clear()
            self._acknowledged_at = now
            return
        self._buffer.extend(
            Event(each.id, each.type, datetime.fromisoformat(each.timestamp), each.data)
            for each in answer.events
        )
        self._behind = answer.next
        self._read_at = now


class EventStream:
    """The events of a tenant, without an end: iterate over it. One thread at a time."""

    def __init__(self, run: Run, reading: Reading, retries: Retries | None) -> None:
        self._run = run
        self._reading = reading
        self._retries = retries

    @property
    def position(self) -> str | None:
        """The `after` of an iteration that goes on behind the last answer whose events were all taken."""
        return self._reading.position

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        reading = self._reading
        while not isinstance(step := reading.step(), Event):
            reading.answered(self._run(step, timeout=reading.timeout, retries=self._retries))
        return step


class AsyncEventStream:
    """As `EventStream`, for `async for`. One task at a time."""

    def __init__(self, run: AsyncRun, reading: Reading, retries: Retries | None) -> None:
        self._run = run
        self._reading = reading
        self._retries = retries

    @property
    def position(self) -> str | None:
        """As `EventStream.position`."""
        return self._reading.position

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        reading = self._reading
        while not isinstance(step := reading.step(), Event):
            reading.answered(await self._run(step, timeout=reading.timeout, retries=self._retries))
        return step


publish(globals())
