"""The connection to Redis: clients, scripts by digest, and one shared pipeline per loop tick.

A lone round trip costs a Python process 150 to 200 us, most of it bookkeeping, so nothing here
sends alone: all commands that callers issue in one tick of the event loop go out as one pipeline,
and while one is under way the next one fills up. Under load this is a group commit.
"""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from typing import Any, Final, cast

from redis.exceptions import NoScriptError

from tidings_workers import metrics
from tidings_workers.config import is_cluster
from tidings_workers.store import clients
from tidings_workers.store.clients import COMMAND_SECONDS
from tidings_workers.store.errors import StorageUnavailable
from tidings_workers.store.keys import META, tag
from tidings_workers.store.lua import DIGESTS, SCRIPTS
from tidings_workers.store.outage import Outage
from tidings_workers.store.reader import Reader
from tidings_workers.store.reasons import WRONG_SERVER, is_wrong_server, unavailable

Argument = str | bytes | int

PIPELINES_IN_FLIGHT: Final = 2
PIPELINE_COMMANDS: Final = 2_000
# How long after a failure the storage is asked again whether it answers.
PAUSE_SECONDS: Final = 0.2


class _Call:
    __slots__ = ("arguments", "durable", "future")

    def __init__(self, arguments: Sequence[Argument], future: asyncio.Future[Any], *, durable: bool) -> None:
        self.arguments = arguments
        self.future = future
        self.durable = durable

    def fail(self, failure: StorageUnavailable) -> None:
        if not self.future.done():
            _refuse(self.future, failure)


def _settle(calls: Sequence[_Call], answers: Sequence[Any], url: str) -> None:
    for call, answer in zip(calls, answers, strict=True):
        if isinstance(answer, BaseException):
            call.fail(unavailable(answer, url))
        elif not call.future.done():
            call.future.set_result(answer)


def _refuse(future: asyncio.Future[Any], failure: StorageUnavailable) -> None:
    """Fail a call. A caller that waits for several sees the first; the others are no news for the log."""
    # One error object for each: raising adds a traceback to it.
    own = StorageUnavailable(str(failure), failure.reason)
    own.__cause__ = failure.__cause__
    future.set_exception(own)
    future.exception()


class Connection:
    """Commands of one process, in shared pipelines. Not for blocking commands.

    Order: commands issued in one tick run in their order; those of different ticks may overlap, so
    a caller that needs an order awaits.

    Once a command got no answer in time, or the answer of a replica, all that wait and all that follow
    are refused at once, until the storage has answered a question of our own: no caller waits for a
    second timeout. By then every connection is a new one, for the address may lead to another server.
    """

    def __init__(self, url: str, name: str, outage: Outage | None = None) -> None:
        self.url = url
        self.name = name
        self.client = clients.connect(url, name)
        self.cluster = is_cluster(url)
        self.wait_for_fsync = False
        # Readers connect again when it has changed.
        self.generation = 0
        self._outage = outage or Outage()
        self._pending: list[_Call] = []
        self._flights: dict[asyncio.Task[None], list[_Call]] = {}
        self._scheduled = False
        self._closing = False
        self._failure: StorageUnavailable | None = None
        self._dropping: asyncio.Task[None] | None = None
        self._retrial: asyncio.TimerHandle | None = None

    async def close(self) -> None:
        """Let what is under way end, then close."""
        self._closing = True
        if self._retrial is not None:
            self._retrial.cancel()
        while self._flights or self._pending:
            if self._flights:
                await asyncio.wait(self._flights)
            else:
                self._launch()
        if self._dropping is not None:
            await asyncio.wait([self._dropping])
        await clients.close(self.client)

    def run(
        self, script: str, partition: int, *arguments: Argument, durable: bool = False
    ) -> asyncio.Future[Any]:
        """Run a script in the slot of a partition; the future holds its answer.

        `durable` asks for the fsync that the durability `always` promises, where the server does
        not do it by itself. Raises StorageUnavailable.
        """
        return self.call("EVALSHA", DIGESTS[script], 1, tag(partition), *arguments, durable=durable)

    def call(self, *arguments: Argument, durable: bool = False) -> asyncio.Future[Any]:
        """Issue one command. Raises StorageUnavailable."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._failure is not None:
            _refuse(future, self._failure)
            return future
        self._pending.append(_Call(arguments, future, durable=durable))
        if not self._scheduled and len(self._flights) < PIPELINES_IN_FLIGHT:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._launch)
        return future

    async def writable(self) -> None:
        """Return when the storage takes writes; raises StorageUnavailable. Writes nothing."""
        await self.call("EVALSHA", DIGESTS["writable"], 1, META)

    def report_failure(self, error: BaseException) -> StorageUnavailable:
        """Count a failure of `client` or a reader, and return it in words.

        When the server is no primary, every connection is dropped.
        """
        failure = unavailable(error, self.url)
        self._outage.failed(failure)
        if failure.reason in WRONG_SERVER and self._failure is None and not self.cluster:
            self._lost(failure)
        return failure

    def _lost(self, failure: StorageUnavailable) -> None:
        """Refuse everybody, connect again, and ask again in a moment."""
        metrics.STORE_ERRORS.inc()
        self._outage.failed(failure)
        self._failure = failure
        waiting, self._pending = self._pending, []
        # Other flights lose their connections, and would wait for a second timeout on new ones.
        here = asyncio.current_task()
        for flight, calls in self._flights.items():
            if flight is not here:
                waiting += calls
        for call in waiting:
            call.fail(failure)
        self._drop()
        if self._retrial is not None:
            self._retrial.cancel()
        if not self._closing:
            self._retrial = asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._ask)

    def _drop(self) -> None:
        self.generation += 1
        if self._dropping is None or self._dropping.done():
            self._dropping = asyncio.get_running_loop().create_task(clients.drop_connections(self.client))

    def _ask(self) -> None:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        # No caller waits for it; its failure is the flight's, which has dealt with it.
        future.add_done_callback(lambda asked: asked.cancelled() or asked.exception())
        question = _Call(("EVALSHA", DIGESTS["writable"], 1, META), future, durable=False)
        self._begin([question], asking=True)

    def _launch(self) -> None:
        self._scheduled = False
        calls, self._pending = self._pending[:PIPELINE_COMMANDS], self._pending[PIPELINE_COMMANDS:]
        if calls:
            self._begin(calls)

    def _begin(self, calls: list[_Call], *, asking: bool = False) -> None:
        flight = asyncio.get_running_loop().create_task(self._fly(calls, asking=asking))
        self._flights[flight] = calls
        flight.add_done_callback(self._landed)

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flights.pop(flight, None)
        if self._pending and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._launch)

    async def _fly(self, calls: list[_Call], *, asking: bool) -> None:
        started = time.monotonic()
        try:
            answers = await self._execute(calls)
            failed = [answer for answer in answers if isinstance(answer, BaseException)]
            if any(isinstance(answer, NoScriptError) for answer in failed):
                await self.load_scripts()
                answers = await self._repeat(calls, answers)
                failed = [answer for answer in answers if isinstance(answer, BaseException)]
        except Exception as error:  # noqa: BLE001 - whatever it is, all that wait get it
            failure = unavailable(error, self.url)
            answers = [failure] * len(calls)
            self._lost(failure)
        except BaseException:
            for call in calls:
                call.future.cancel()
            raise
        else:
            metrics.STORE_SECONDS.observe(time.monotonic() - started)
            if failed or self._failure is not None:
                await self._judge(failed, asking=asking)
            else:
                self._outage.answered()
        _settle(calls, answers, self.url)

    async def _judge(self, failed: list[BaseException], *, asking: bool) -> None:
        """Look at a flight with errors among its answers, or at one that was answered after a loss."""
        # A node of a cluster that is no primary names the right one, which redis-py follows.
        wrong = None if self.cluster else next(filter(is_wrong_server, failed), None)
        if wrong is not None:
            self._lost(unavailable(wrong, self.url))
            return
        if failed:
            self._outage.failed(unavailable(failed[0], self.url))
        # A replica answers reads too: only our own question tells it from a primary.
        if self._failure is not None and (asking or self._failure.reason not in WRONG_SERVER):
            # Of the connections that were made since the loss, some may lead where the last one did.
            self.generation += 1
            await clients.drop_connections(self.client)
            self._failure = None

    async def _execute(self, calls: list[_Call]) -> list[Any]:
        # A pipeline without a transaction: each script is atomic by itself.
        pipeline = self.client.pipeline(transaction=False)
        for call in calls:
            # redis-py types this as an awaitable, but in a pipeline it only queues.
            cast("Any", pipeline).execute_command(*call.arguments)
        fsync = self.wait_for_fsync and any(call.durable for call in calls)
        if fsync:
            # Waits for the writes of its own connection only, so it has to be in the same pipeline.
            cast("Any", pipeline).execute_command("WAITAOF", 1, 0, int(COMMAND_SECONDS * 500))
        answers = await cast("Awaitable[list[Any]]", pipeline.execute(raise_on_error=False))
        if fsync:
            synced = answers.pop()
            if isinstance(synced, BaseException) or synced[0] < 1:
                failure = StorageUnavailable("The store did not confirm a write on its disk in time.", "disk")
                answers = [
                    failure if call.durable else answer for call, answer in zip(calls, answers, strict=True)
                ]
        return answers

    async def _repeat(self, calls: list[_Call], answers: list[Any]) -> list[Any]:
        lost = [index for index, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        again = await self._execute([calls[index] for index in lost])
        for index, answer in zip(lost, again, strict=True):
            answers[index] = answer
        return answers

    async def load_scripts(self) -> None:
        """Load every script on every primary."""
        for text in SCRIPTS.values():
            await self.client.script_load(text)

    def reader(self, name: str) -> Reader:
        """A connection of its own for blocking reads."""
        return Reader(self, self.url, f"{self.name}-{name}", clients.known_nodes(self.client))
