"""Many messages in one request; each is accepted or refused alone."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from tidings._api_errors import APIError
from tidings._calls.call import Answer, Call, decoded, idempotency
from tidings._errors import InvalidArgumentError
from tidings._messages import Message, compose
from tidings._models import BatchResult
from tidings._problems import error_of
from tidings.protocol import limits
from tidings.protocol.rest import BatchAnswer

_read: Final = decoded(BatchAnswer)
_ROOM: Final = limits.BATCH_BYTES - len(b'{"notifications":[]}')

AnyMessage = Message | Mapping[str, Any]


class Batch:
    """Messages for one request. `start` is the index of the first one among all messages.

    A message that is not valid is not sent: the batch keeps its error.
    """

    def __init__(self, start: int = 0) -> None:
        self.start = start
        self._bodies: list[bytes] = []
        self._refused: dict[int, InvalidArgumentError] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._bodies) + len(self._refused)

    def add(self, body: bytes | InvalidArgumentError) -> None:
        """Add a message, or the error of one that is not valid, as `encoded` returns it."""
        if isinstance(body, InvalidArgumentError):
            self._refused[self.start + len(self)] = body
        else:
            self._bodies.append(body)
            self._bytes += len(body) + 1

    def fits(self, body: bytes | InvalidArgumentError) -> bool:
        """Whether the same request has room for one more."""
        more = len(body) if isinstance(body, bytes) else 0
        return len(self) < limits.BATCH_NOTIFICATIONS and self._bytes + more <= _ROOM

    def check(self) -> None:
        """Raise InvalidArgumentError if the batch is too large for one request."""
        if len(self) > limits.BATCH_NOTIFICATIONS or self._bytes > _ROOM:
            raise InvalidArgumentError(
                f"A batch has at most {limits.BATCH_NOTIFICATIONS:,} messages and "
                f"{limits.BATCH_BYTES:,} bytes: use send_many"
            )

    def call(self, idempotency_key: str | None) -> Call[list[BatchResult]] | None:
        """`POST /v1/notifications/batch`; None if no message is valid."""
        if self._refused and not self._bodies:
            return None
        bodies = [msgspec.Raw(body) for body in self._bodies]
        return Call(
            method="POST",
            path="/v1/notifications/batch",
            scope="send",
            body=msgspec.json.encode({"notifications": bodies}),
            idempotency_key=idempotency(idempotency_key),
            read=self._results,
        )

    def refused(self) -> list[BatchResult]:
        """The results of a batch without a valid message."""
        return self._in_order([])

    def _results(self, answer: Answer) -> list[BatchResult]:
        request_id = answer.headers.get("x-request-id")
        outcomes: list[tuple[str, str] | APIError] = []
        for result in _read(answer).results:
            if result.error is not None:
                outcomes.append(error_of(result.error, result.error.status, request_id=request_id))
            else:
                outcomes.append((result.id or "", result.status or ""))
        if len(outcomes) != len(self._bodies):
            raise msgspec.ValidationError(f"{len(self._bodies)} results expected, {len(outcomes)} found")
        return self._in_order(outcomes)

    def _in_order(self, outcomes: list[tuple[str, str] | APIError]) -> list[BatchResult]:
        """The results of all messages: the server's `outcomes`, and the errors found here."""
        of_server = iter(outcomes)
        return [
            _result(index, self._refused.get(index) or next(of_server))
            for index in range(self.start, self.start + len(self))
        ]


class Chunks:
    """Splits messages into batches of one request each, without reading ahead."""

    def __init__(self) -> None:
        self._batch = Batch()

    def add(self, message: AnyMessage) -> Batch | None:
        """Add a message. Returns the batch before it if the message did not fit into that, else None."""
        body = encoded(message)
        full = None
        if not self._batch.fits(body):
            full = self._batch
            self._batch = Batch(full.start + len(full))
        self._batch.add(body)
        return full

    def rest(self) -> Batch | None:
        """The last batch, after all messages were added; None if it is empty."""
        return self._batch if len(self._batch) else None


def checked_messages(messages: Iterable[AnyMessage]) -> Iterable[AnyMessage]:
    """The messages. Raises InvalidArgumentError for a single one: iterating it would give its keys."""
    if isinstance(messages, Mapping | str | bytes):
        raise InvalidArgumentError(
            "The messages are not a list. Give one, such as [{'to_users': ['ana'], 'title': 'Hi'}]"
        )
    return messages


def chunked(messages: Iterable[AnyMessage]) -> Iterator[Batch]:
    """Batches of the messages, in order."""
    chunks = Chunks()
    for message in checked_messages(messages):
        if batch := chunks.add(message):
            yield batch
    if batch := chunks.rest():
        yield batch


async def chunked_async(messages: Iterable[AnyMessage] | AsyncIterable[AnyMessage]) -> AsyncIterator[Batch]:
    """The same, also from an async iterable."""
    if not isinstance(messages, AsyncIterable):
        for batch in chunked(messages):
            yield batch
        return
    chunks = Chunks()
    async for message in messages:
        if found := chunks.add(message):
            yield found
    if found := chunks.rest():
        yield found


def encoded(message: AnyMessage) -> bytes | InvalidArgumentError:
    """The JSON of a message, or the error that says why it is not valid."""
    try:
        body = msgspec.json.encode(compose(message))
    except InvalidArgumentError as error:
        # An application may keep results, and a traceback would keep the frames of the whole batch alive.
        return error.with_traceback(None)
    if len(body) > _ROOM:
        return InvalidArgumentError(f"The message is larger than a whole batch: {len(body):,} bytes")
    return body


def _result(index: int, outcome: tuple[str, str] | APIError | InvalidArgumentError) -> BatchResult:
    if isinstance(outcome, tuple):
        return BatchResult(index=index, id=outcome[0], status=outcome[1])
    return BatchResult(index=index, status="refused", error=outcome)
