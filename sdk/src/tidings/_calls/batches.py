"""Many messages in one request, each judged alone."""

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
    """Messages for one request, from the one with the number `start` on.

    What cannot be valid has its error here already, and is not sent.
    """

    def __init__(self, start: int = 0) -> None:
        self.start = start
        self._bodies: list[bytes] = []
        self._refused: dict[int, InvalidArgumentError] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._bodies) + len(self._refused)

    def add(self, body: bytes | InvalidArgumentError) -> None:
        """Put a message in, as `encoded` gives it."""
        if isinstance(body, InvalidArgumentError):
            self._refused[self.start + len(self)] = body
        else:
            self._bodies.append(body)
            self._bytes += len(body) + 1

    def fits(self, body: bytes | InvalidArgumentError) -> bool:
        """Whether one more goes into the same request."""
        more = len(body) if isinstance(body, bytes) else 0
        return len(self) < limits.BATCH_NOTIFICATIONS and self._bytes + more <= _ROOM

    def check(self) -> None:
        """Raise InvalidArgumentError where it is too much for one request."""
        if len(self) > limits.BATCH_NOTIFICATIONS or self._bytes > _ROOM:
            raise InvalidArgumentError(
                f"A batch holds at most {limits.BATCH_NOTIFICATIONS:,} messages and "
                f"{limits.BATCH_BYTES:,} bytes: use send_many"
            )

    def call(self, idempotency_key: str | None) -> Call[list[BatchResult]] | None:
        """`POST /v1/notifications/batch`; None where every message was refused here."""
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
        """The results where there is nothing to send."""
        return self._placed([])

    def _results(self, answer: Answer) -> list[BatchResult]:
        request_id = answer.headers.get("x-request-id")
        judged: list[tuple[str, str] | APIError] = []
        for result in _read(answer).results:
            if result.error is not None:
                judged.append(error_of(result.error, result.error.status, request_id=request_id))
            else:
                judged.append((result.id or "", result.status or ""))
        if len(judged) != len(self._bodies):
            raise msgspec.ValidationError(f"{len(self._bodies)} results expected, {len(judged)} found")
        return self._placed(judged)

    def _placed(self, judged: list[tuple[str, str] | APIError]) -> list[BatchResult]:
        left = iter(judged)
        return [
            _result(index, self._refused.get(index) or next(left))
            for index in range(self.start, self.start + len(self))
        ]


class Chunks:
    """Cuts messages into batches that fit into a request each, without reading ahead."""

    def __init__(self) -> None:
        self._batch = Batch()

    def add(self, message: AnyMessage) -> Batch | None:
        """Take a message; a batch where the one before is full with it."""
        body = encoded(message)
        full = None
        if not self._batch.fits(body):
            full = self._batch
            self._batch = Batch(full.start + len(full))
        self._batch.add(body)
        return full

    def rest(self) -> Batch | None:
        """What is left when all were taken."""
        return self._batch if len(self._batch) else None


def several(messages: Iterable[AnyMessage]) -> Iterable[AnyMessage]:
    """The messages. InvalidArgumentError for a single one, whose keys would each be taken for a message."""
    if isinstance(messages, Mapping | str | bytes):
        raise InvalidArgumentError("Give a list of messages, such as [{'to_users': ['ana'], 'title': 'Hi'}]")
    return messages


def chunked(messages: Iterable[AnyMessage]) -> Iterator[Batch]:
    """Batches of the messages, in order."""
    chunks = Chunks()
    for message in several(messages):
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
    """A message as it is sent, or why it cannot be."""
    try:
        body = msgspec.json.encode(compose(message))
    except InvalidArgumentError as error:
        # Results may be kept for long; a traceback would keep the frames of the whole batch.
        return error.with_traceback(None)
    if len(body) > _ROOM:
        return InvalidArgumentError(f"The message is larger than a whole batch: {len(body):,} bytes")
    return body


def _result(index: int, judged: tuple[str, str] | APIError | InvalidArgumentError) -> BatchResult:
    if isinstance(judged, tuple):
        return BatchResult(index=index, id=judged[0], status=judged[1])
    return BatchResult(index=index, status="refused", error=judged)
