"""Sending more messages than fit into one request: several batches at a time, results in order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from tidings._calls.batches import AnyMessage, Batch, chunked, chunked_async
from tidings._errors import InvalidArgumentError
from tidings._models import BatchResult
from tidings._progress import Meter, Progress
from tidings.protocol import limits

CONCURRENCY: Final = 4
_NUMBER: Final = 12  # characters that the number of a batch adds to an idempotency key


def check(concurrency: int, idempotency_key: str | None) -> None:
    """Raise InvalidArgumentError for arguments that are not valid, before a message is read."""
    if concurrency < 1:
        raise InvalidArgumentError(
            f"concurrency, the number of requests at a time, must be 1 or more, not {concurrency}"
        )
    longest = limits.IDEMPOTENCY_KEY_LENGTH - _NUMBER
    if idempotency_key is not None and not 1 <= len(idempotency_key) <= longest:
        raise InvalidArgumentError(
            f"The idempotency key is not valid. For send_many give one of 1 to {longest} characters"
        )


def key_of(batch: Batch, idempotency_key: str | None) -> str | None:
    """The key of one batch. The same messages with the same key make the same batches."""
    return None if idempotency_key is None else f"{idempotency_key}:{batch.start}"


def send_many(
    messages: Iterable[AnyMessage],
    deliver: Callable[[Batch], list[BatchResult]],
    *,
    concurrency: int,
    progress: Progress,
) -> Iterator[BatchResult]:
    """Results in order. At most `concurrency` batches are in memory at a time."""
    under_way: deque[Future[list[BatchResult]]] = deque()
    with (
        Meter(progress, messages) as meter,
        ThreadPoolExecutor(concurrency, thread_name_prefix="tidings-send") as pool,
    ):
        try:
            for batch in chunked(messages):
                under_way.append(pool.submit(deliver, batch))
                if len(under_way) == concurrency:
                    yield from meter.counted(under_way.popleft().result())
            while under_way:
                yield from meter.counted(under_way.popleft().result())
        finally:
            for future in under_way:
                future.cancel()


async def send_many_async(
    messages: Iterable[AnyMessage] | AsyncIterable[AnyMessage],
    deliver: Callable[[Batch], Awaitable[list[BatchResult]]],
    *,
    concurrency: int,
    progress: Progress,
) -> AsyncIterator[BatchResult]:
    """As `send_many`, on the event loop."""
    under_way: deque[asyncio.Future[list[BatchResult]]] = deque()
    with Meter(progress, messages) as meter:
        try:
            async for batch in chunked_async(messages):
                under_way.append(asyncio.ensure_future(deliver(batch)))
                if len(under_way) == concurrency:
                    for result in meter.counted(await under_way.popleft()):
                        yield result
            while under_way:
                for result in meter.counted(await under_way.popleft()):
                    yield result
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
