"""Moves the messages of one source into the store: the same loop for every broker."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from tidings_workers.bridge import accepting
from tidings_workers.bridge.brokers import Broker, BrokerConnection
from tidings_workers.bridge.configuration import AnySource
from tidings_workers.bridge.loop import Blocked, Loop, Stopped
from tidings_workers.bridge.messages import Message, Request, error_headers, request_of
from tidings_workers.bridge.status import Status
from tidings_workers.logs import get_logger, one_line
from tidings_workers.refused import Refused
from tidings_workers.store import StorageUnavailable, Store

WATCH_SECONDS: Final = 5.0
STORAGE_PAUSE_SECONDS: Final = 0.25
# A message that raises an unexpected error is a dead letter at this one.
MOST_ERRORS: Final = 3

_log = get_logger(__name__)


class SourceWorker(Loop):
    """The work of one source: it receives, accepts and acknowledges."""

    def __init__(
        self,
        source: AnySource,
        broker: Broker,
        store: Store,
        status: Status,
        has_tenant: Callable[[], bool],
        stop: asyncio.Event,
    ) -> None:
        super().__init__(source, status, has_tenant, stop)
        self._source = source
        self._broker = broker
        self._store = store
        # The key of the message that is counted already, and blocks the source.
        self._blocking = ""

    async def _try(self) -> None:
        async with self._broker.connection() as connection:
            self._status.lags(await connection.lag())
            self._status.works()
            watching = asyncio.create_task(self._watch(connection))
            try:
                while True:
                    messages = await self._until_stop(connection.receive(), watching)
                    await self._carry_out(connection, messages)
            finally:
                watching.cancel()
                # The fault of a connection that has ended for another reason, too, is not logged.
                await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self, connection: BrokerConnection) -> None:
        """Raise BrokerError when the connection does not work, also while no message arrives."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            self._status.lags(await connection.lag())

    async def _carry_out(self, connection: BrokerConnection, messages: Sequence[Message]) -> None:
        """Accept messages and acknowledge them, up to the first that blocks the source. Raises Blocked."""
        decoded = [self._decoded(message) for message in messages]
        count = len(messages)
        if self._source.dead_letter is None:
            count = next((index for index, each in enumerate(decoded) if isinstance(each, Refused)), count)
        requests = [each for each in decoded[:count] if isinstance(each, Request)]
        outcomes = iter(await self._accepted(requests))
        for index, (message, each) in enumerate(zip(messages, decoded, strict=True)):
            refused = each if isinstance(each, Refused) else next(outcomes)
            if refused is None:
                continue
            if self._source.dead_letter is None:
                if index:
                    await self._acknowledge(connection, messages[:index], decoded)
                raise self._blocked(message, refused)
            await connection.set_aside(message, error_headers(refused))
            self._status.refuses(message.place, refused.code, _reason(refused), self._source.dead_letter)
            decoded[index] = refused
        await self._acknowledge(connection, messages, decoded)

    async def _acknowledge(
        self, connection: BrokerConnection, messages: Sequence[Message], decoded: Sequence[Request | Refused]
    ) -> None:
        await connection.acknowledge(messages)
        self._blocking = ""
        accepted = sum(isinstance(each, Request) for each in decoded[: len(messages)])
        if accepted:
            self._status.accepts(accepted)

    def _blocked(self, message: Message, refused: Refused) -> Blocked:
        if self._blocking != message.key:
            self._blocking = message.key
            self._status.refuses(message.place, refused.code, _reason(refused), None)
        return Blocked(
            f"{message.place} is not valid ({refused.code}: {_reason(refused)}): remove it from the broker, "
            "or set dead_letter for this source"
        )

    def _decoded(self, message: Message) -> Request | Refused:
        try:
            return request_of(message, self._source.format)
        except Refused as refused:
            return refused
        except Exception as error:  # noqa: BLE001 - one message never stops the others
            return self._poison(error)

    async def _accepted(self, requests: Sequence[Request]) -> list[Refused | None]:
        """The outcomes of requests; one that raises an unexpected error is refused after the others."""
        try:
            return await self._durable(requests)
        except (Stopped, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - as above
            if len(requests) > 1:
                return [(await self._accepted([request]))[0] for request in requests]
            poison = error
        for _ in range(MOST_ERRORS - 1):
            try:
                return await self._durable(requests)
            except (Stopped, asyncio.CancelledError):
                raise
            except Exception as error:  # noqa: BLE001 - as above
                poison = error
        return [self._poison(poison)]

    def _poison(self, error: Exception) -> Refused:
        _log.error("message failed", source=self._source.name, exc_info=error)
        return Refused("internal_error", f"The message raised an error: {one_line(error)}")

    async def _durable(self, requests: Sequence[Request]) -> list[Refused | None]:
        """Accept, and repeat it while the storage is away. Raises Stopped when `stop` is set then."""
        while True:
            try:
                if self._has_tenant():
                    found = await accepting.accept(self._store, self._source.tenant, requests)
                    if self._status.paused:
                        self._status.works()
                    return found
                await self._until_stop(self._tenant())
            except StorageUnavailable as error:
                self._status.pauses("storage", f"{error} {error.cure}")
                await self._sleep(STORAGE_PAUSE_SECONDS)
                if self._stop.is_set():
                    raise Stopped from None


def _reason(refused: Refused) -> str:
    return error_headers(refused)["tidings-error-detail"]
