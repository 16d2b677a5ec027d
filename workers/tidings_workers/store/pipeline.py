"""The pipeline to Redis: all commands of one tick of the event loop are sent as one batch.

A round trip costs much more than a command. So no command is sent alone: while one batch runs, the next one
collects the commands of all callers. Under load this is a group commit.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, cast

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from tidings_workers import metrics
from tidings_workers.addresses import is_cluster
from tidings_workers.store import clients
from tidings_workers.store.breaker import Breaker
from tidings_workers.store.connections import COMMAND_SECONDS
from tidings_workers.store.errors import StorageUnavailable
from tidings_workers.store.keys import META, tag
from tidings_workers.store.lua import DIGESTS, load_missing
from tidings_workers.store.outage import Outage
from tidings_workers.store.reader import Reader
from tidings_workers.store.reasons import WRONG_SERVER, is_wrong_server, unavailable
from tidings_workers.store.round_trips import Argument, RoundTrips, packed

BATCHES_IN_FLIGHT: Final = 2
BATCH_COMMANDS: Final = 2_000


class _Start(NamedTuple):
    """The first words of a command, and the same words packed."""

    words: tuple[Argument, ...] = ()
    packed: bytes = b""


_EMPTY: Final = _Start()


@lru_cache(4096)
def _start_of_script(script: str, partition: int) -> _Start:
    words = ("EVALSHA", DIGESTS[script], 1, tag(partition))
    return _Start(words, packed(words))


class _Call:
    __slots__ = ("arguments", "durable", "future", "start")

    def __init__(
        self, start: _Start, arguments: Sequence[Argument], future: asyncio.Future[Any], *, durable: bool
    ) -> None:
        self.start = start
        self.arguments = arguments
        self.future = future
        self.durable = durable

    @property
    def words(self) -> tuple[Argument, ...]:
        return (*self.start.words, *self.arguments)

    def packed(self) -> bytes:
        start = self.start
        count = len(start.words) + len(self.arguments)
        return b"*%d\r\n%b%b" % (count, start.packed, packed(self.arguments))

    def fail(self, failure: StorageUnavailable) -> None:
        if not self.future.done():
            _fail(self.future, failure)


def _resolve(calls: Sequence[_Call], answers: Sequence[Any], url: str) -> None:
    for call, answer in zip(calls, answers, strict=True):
        if isinstance(answer, BaseException):
            call.fail(unavailable(answer, url))
        elif not call.future.done():
            call.future.set_result(answer)


def _fail(future: asyncio.Future[Any], failure: StorageUnavailable) -> None:
    # An error object for each future: raising adds a traceback to it.
    own = StorageUnavailable(str(failure), failure.reason)
    own.__cause__ = failure.__cause__
    future.set_exception(own)
    # A caller that waits for several calls gets the first failure. Reading it here keeps asyncio from logging
    # the others.
    future.exception()


class Pipeline:
    """Commands of one process, in shared batches. Not for blocking commands.

    Commands of one tick run in their order. Those of different ticks may overlap, so a caller that needs an
    order awaits each.

    When a command gets no answer in time, or the answer of a replica, all pending and all later commands fail
    at once, until the server has answered a probe (`Breaker`).
    """

    def __init__(self, url: str, name: str, outage: Outage | None = None) -> None:
        self.url = url
        self.name = name
        self.client = clients.connect(url, name)
        self.cluster = is_cluster(url)
        self.wait_for_fsync = False
        # A cluster has one connection for each of its nodes, and redis-py finds the node of a command.
        self._round_trips = (
            RoundTrips(self.client.connection_pool) if isinstance(self.client, Redis) else None
        )
        # The forms in which redis-py gives the replies of some commands.
        self._conversions: Mapping[Any, Callable[[Any], Any]] = self.client.response_callbacks
        self._outage = outage or Outage()
        self._breaker = Breaker(self.client, self._outage, self._probe)
        self._pending: list[_Call] = []
        self._in_flight: dict[asyncio.Task[None], list[_Call]] = {}
        self._scheduled = False

    @property
    def generation(self) -> int:
        """See `Source`."""
        return self._breaker.generation

    async def close(self) -> None:
        """Wait for the commands that were issued, then close the connections."""
        self._breaker.stop()
        while self._in_flight or self._pending:
            if self._in_flight:
                await asyncio.wait(self._in_flight)
            else:
                self._start_next_batch()
        await self._breaker.wait_dropped()
        await clients.close(self.client)

    def run(
        self, script: str, partition: int, *arguments: Argument, durable: bool = False
    ) -> asyncio.Future[Any]:
        """Run a script in the slot of a partition. The future gets its reply, or StorageUnavailable.

        `durable` waits for the fsync that the durability `always` promises, where the server does not sync
        each write.
        """
        return self._issue(_start_of_script(script, partition), arguments, durable=durable)

    def call(self, *arguments: Argument, durable: bool = False) -> asyncio.Future[Any]:
        """Issue one command. The future gets its reply, or StorageUnavailable."""
        return self._issue(_EMPTY, arguments, durable=durable)

    def _issue(self, start: _Start, arguments: Sequence[Argument], *, durable: bool) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._breaker.failure is not None:
            _fail(future, self._breaker.failure)
            return future
        self._pending.append(_Call(start, arguments, future, durable=durable))
        if not self._scheduled and len(self._in_flight) < BATCHES_IN_FLIGHT:
            self._schedule()
        return future

    async def writable(self) -> None:
        """Return when the server accepts writes; raises StorageUnavailable. Writes nothing."""
        await self.call("EVALSHA", DIGESTS["writable"], 1, META)

    async def load_scripts(self) -> None:
        """Load on every primary the scripts that one of them lacks."""
        await load_missing(self.client)

    def reader(self, name: str) -> Reader:
        """A connection of its own for blocking reads."""
        return Reader(self, self.url, f"{self.name}-{name}", clients.known_nodes(self.client))

    def report_failure(self, error: BaseException) -> StorageUnavailable:
        """Count a failure of `client` or a reader, and return it in words.

        When the server is no primary, every connection is dropped.
        """
        failure = unavailable(error, self.url)
        self._outage.failed(failure)
        if failure.reason in WRONG_SERVER and self._breaker.failure is None and not self.cluster:
            self._fail_all(failure)
        return failure

    # Batches

    def _schedule(self) -> None:
        self._scheduled = True
        asyncio.get_running_loop().call_soon(self._start_next_batch)

    def _start_next_batch(self) -> None:
        self._scheduled = False
        calls, self._pending = self._pending[:BATCH_COMMANDS], self._pending[BATCH_COMMANDS:]
        if calls:
            self._start(calls)

    def _start(self, calls: list[_Call], *, probe: bool = False) -> None:
        batch = asyncio.get_running_loop().create_task(self._run_batch(calls, probe=probe))
        self._in_flight[batch] = calls
        batch.add_done_callback(self._batch_done)

    def _batch_done(self, batch: asyncio.Task[None]) -> None:
        self._in_flight.pop(batch, None)
        if self._pending and not self._scheduled:
            self._schedule()

    async def _run_batch(self, calls: list[_Call], *, probe: bool) -> None:
        started = time.monotonic()
        try:
            answers = await self._execute(calls)
            failed = [answer for answer in answers if isinstance(answer, BaseException)]
            if any(isinstance(answer, NoScriptError) for answer in failed):
                await self.load_scripts()
                answers = await self._repeat(calls, answers)
                failed = [answer for answer in answers if isinstance(answer, BaseException)]
        except Exception as error:  # noqa: BLE001 - whatever it is, all callers of the batch get it
            failure = unavailable(error, self.url)
            answers = [failure] * len(calls)
            self._fail_all(failure)
        except BaseException:
            for call in calls:
                call.future.cancel()
            raise
        else:
            metrics.STORE_SECONDS.observe(time.monotonic() - started)
            if failed or self._breaker.failure is not None:
                await self._handle_errors(failed, probe=probe)
            else:
                self._outage.answered()
        _resolve(calls, answers, self.url)

    async def _execute(self, calls: list[_Call]) -> list[Any]:
        if not (self.wait_for_fsync and any(call.durable for call in calls)):
            return await self._exchange(calls)
        # WAITAOF covers only the writes of its own connection, so it is part of the batch.
        arguments = ("WAITAOF", 1, 0, int(COMMAND_SECONDS * 500))
        wait = _Call(_EMPTY, arguments, asyncio.get_running_loop().create_future(), durable=False)
        *answers, synced = await self._exchange([*calls, wait])
        if isinstance(synced, BaseException) or synced[0] < 1:
            failure = StorageUnavailable("The store did not confirm a write on its disk in time.", "disk")
            answers = [
                failure if call.durable else answer for call, answer in zip(calls, answers, strict=True)
            ]
        return answers

    async def _exchange(self, calls: list[_Call]) -> list[Any]:
        """The replies to all calls, in order. No transaction: each script is atomic."""
        if self._round_trips is None:
            pipeline: Any = self.client.pipeline(transaction=False)
            for call in calls:
                pipeline.execute_command(*call.words)
            return await cast("Awaitable[list[Any]]", pipeline.execute(raise_on_error=False))
        commands = b"".join([call.packed() for call in calls])
        answers = await self._round_trips.run(commands, len(calls))
        for index, call in enumerate(calls):
            if not call.start.words and not isinstance(answers[index], BaseException):
                convert = self._conversions.get(call.arguments[0])
                if convert is not None:
                    answers[index] = convert(answers[index])
        return answers

    async def _repeat(self, calls: list[_Call], answers: list[Any]) -> list[Any]:
        missing = [index for index, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        again = await self._execute([calls[index] for index in missing])
        for index, answer in zip(missing, again, strict=True):
            answers[index] = answer
        return answers

    # Failures

    async def _handle_errors(self, failed: list[BaseException], *, probe: bool) -> None:
        """Act on a batch with errors among its answers, or on one that ran while the breaker is open."""
        # A node of a cluster that is no primary names the right one, and redis-py follows.
        wrong = None if self.cluster else next(filter(is_wrong_server, failed), None)
        if wrong is not None:
            self._fail_all(unavailable(wrong, self.url))
            return
        if failed:
            self._outage.failed(unavailable(failed[0], self.url))
        await self._breaker.answered(probe=probe)

    def _fail_all(self, failure: StorageUnavailable) -> None:
        """Open the breaker and fail every call that waits for an answer."""
        self._breaker.open(failure)
        waiting, self._pending = self._pending, []
        # Other batches lose their connections, and would wait for a second timeout on new ones.
        current = asyncio.current_task()
        for batch, calls in self._in_flight.items():
            if batch is not current:
                waiting += calls
        for call in waiting:
            call.fail(failure)

    def _probe(self) -> None:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        # No caller waits for it; its batch handles its failure.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        probe = _Call(_EMPTY, ("EVALSHA", DIGESTS["writable"], 1, META), future, durable=False)
        self._start([probe], probe=True)
