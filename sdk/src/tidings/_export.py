"""The export of sent notifications, for both clients: a stream of lines, each decoded when it is taken."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from typing import Final

import httpx
import msgspec

from tidings._async_pool import AsyncPool
from tidings._calls.call import Answer, Call
from tidings._exchange import Done, Exchange, Failure, Retry
from tidings._models import SentNotification
from tidings._pool import Pool
from tidings._wire import answer_of, failure_of
from tidings.protocol.rest import ExportFault

_FAULT: Final = b'{"error":'

_decode: Final = msgspec.json.Decoder(SentNotification).decode
_decode_fault: Final = msgspec.json.Decoder(ExportFault).decode


class Lines:
    """Splits the chunks of an answer into lines, and decodes them."""

    def __init__(self, exchange: Exchange[None]) -> None:
        self._exchange = exchange
        self._rest = b""

    def add(self, chunk: bytes, status: int) -> Iterator[SentNotification]:
        """The notifications of the lines that end in this chunk. Raises the APIError of the last line.

        Raises UnreadableAnswerError for a line that is not one of the API.
        """
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            try:
                if line.startswith(_FAULT):
                    raise self._exchange.ended(_decode_fault(line).error)
                yield _decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise self._exchange.unreadable(str(error), status) from error

    def end(self, status: int) -> None:
        """The answer has ended. Raises UnreadableAnswerError if its last line has no end."""
        if self._rest:
            raise self._exchange.unreadable("its last line has no end", status)


def export(
    exchange: Exchange[None],
    call: Call[None],
    pool: Callable[[], Pool],
    token: Callable[[bool], str],
    sleep: Callable[[float], None],
    limits: httpx.Timeout,
) -> Generator[SentNotification]:
    """The notifications of an export. Retries end with the first byte of the answer."""
    renew = False
    while True:
        with pool().alone() as http:
            exchange.begin()
            request = _request(http, exchange, call, token(renew), limits)
            has_begun = False
            try:
                response = http.send(request, stream=True)
                try:
                    if response.is_success:
                        has_begun = True
                        lines = Lines(exchange)
                        for chunk in response.iter_bytes():
                            yield from lines.add(chunk, response.status_code)
                        lines.end(response.status_code)
                        return
                    response.read()
                finally:
                    response.close()
                outcome: Answer | Failure = answer_of(response)
            except httpx.RequestError as error:
                outcome = failure_of(error, limits)
                if has_begun:
                    raise exchange.failed(outcome) from error
        step = _next(exchange, outcome)
        renew = step.renew
        sleep(step.wait)


async def export_async(
    exchange: Exchange[None],
    call: Call[None],
    pool: Callable[[], Awaitable[AsyncPool]],
    token: Callable[[bool], Awaitable[str]],
    sleep: Callable[[float], Awaitable[None]],
    limits: httpx.Timeout,
) -> AsyncGenerator[SentNotification]:
    """As `export`."""
    renew = False
    while True:
        async with (await pool()).alone() as http:
            exchange.begin()
            request = _request(http, exchange, call, await token(renew), limits)
            has_begun = False
            try:
                response = await http.send(request, stream=True)
                try:
                    if response.is_success:
                        has_begun = True
                        lines = Lines(exchange)
                        async for chunk in response.aiter_bytes():
                            for each in lines.add(chunk, response.status_code):
                                yield each
                        lines.end(response.status_code)
                        return
                    await response.aread()
                finally:
                    await response.aclose()
                outcome: Answer | Failure = answer_of(response)
            except httpx.RequestError as error:
                outcome = failure_of(error, limits)
                if has_begun:
                    raise exchange.failed(outcome) from error
        step = _next(exchange, outcome)
        renew = step.renew
        await sleep(step.wait)


def _request(
    http: httpx.Client | httpx.AsyncClient,
    exchange: Exchange[None],
    call: Call[None],
    token: str,
    limits: httpx.Timeout,
) -> httpx.Request:
    return http.build_request(
        call.method,
        exchange.url,
        params=call.query or None,
        headers=exchange.headers(token),
        timeout=limits,
    )


def _next(exchange: Exchange[None], outcome: Answer | Failure) -> Retry:
    """The next try, after a refusal. Raises as `Exchange.next_step`."""
    step = exchange.next_step(outcome)
    assert not isinstance(step, Done)  # noqa: S101  a success is read as a stream
    return step
