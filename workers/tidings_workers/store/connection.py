"""The connection to Redis: clients, scripts by digest, and one shared pipeline per loop tick.

A lone round trip costs a Python process 150 to 200 us, most of it bookkeeping, so nothing here
sends alone: all commands that callers issue in one tick of the event loop go out as one pipeline,
and while one is under way the next one fills up. Under load this is a group commit.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Awaitable, Sequence
from importlib.resources import files
from typing import Any, Final, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError, NoScriptError, RedisError  # noqa: A004 - redis' own

from tidings_workers import metrics
from tidings_workers.store.errors import UNREACHABLE, StorageUnavailable
from tidings_workers.store.keys import META, tag

Client = Redis | RedisCluster
Argument = str | bytes | int
StreamEntry = tuple[bytes, dict[bytes, bytes]]

COMMAND_SECONDS: Final = 2.0
BLOCK_SECONDS: Final = 2.0
PIPELINES_IN_FLIGHT: Final = 2
PIPELINE_COMMANDS: Final = 2_000
# How long after a failure the storage is asked again whether it answers.
PAUSE_SECONDS: Final = 0.2


# A write to a connection that has just been reset is a RuntimeError on uvloop.
_DROPPED: Final = cast("tuple[type[RedisError], ...]", (ConnectionError, RuntimeError))


def _script(name: str, *parts: str) -> tuple[str, str]:
    folder = files("tidings_workers.store") / "scripts"
    text = "\n".join((folder / f"{part}.lua").read_text() for part in (*parts, name))
    return name, text


SCRIPTS: Final = dict(
    (
        _script("accept", "append"),
        _script("apply", "append"),
        _script("recall", "append"),
        _script("plan", "append"),
        _script("stored", "append"),
        _script("members", "append"),
        _script("disband", "append"),
        _script("probe", "append"),
        _script("delivered", "append"),
        _script("watch", "append", "facts"),
        _script("attach", "append", "facts", "view", "sessions"),
        _script("leave", "append", "sessions"),
        _script("kick", "append", "sessions"),
        _script("presence", "append", "sessions"),
        _script("erase", "append"),
        _script("mark", "append"),
        _script("survey", "append"),
        _script("receipts", "append"),
        _script("progress", "append"),
        _script("sweep", "append"),
        _script("read_view", "view"),
        _script("read", "categories"),
        _script("positions", "categories"),
        *map(_script, ("due", "lost")),
        *map(
            _script,
            (
                "claim",
                "unwatch",
                "erase_log",
                "acknowledge",
                "heads",
                "lease",
                "release",
                "seek",
                "locate",
                "ended",
            ),
        ),
    )
)
DIGESTS: Final = {name: hashlib.sha1(text.encode()).hexdigest() for name, text in SCRIPTS.items()}  # noqa: S324 - Redis names scripts so


def is_cluster(url: str) -> bool:
    """Whether the URL names a cluster: ``redis+cluster://`` or ``rediss+cluster://``."""
    return url.split("://", 1)[0].endswith("+cluster")


def connect(url: str, name: str, *, socket_seconds: float = COMMAND_SECONDS, connections: int = 8) -> Client:
    """A client with explicit timeouts. It connects when first used.

    A dropped connection is retried once at once: every script may be repeated. A timeout is not: a
    server that does not answer now won't in the next try, and the tries of reading, of connecting
    and of the handshake would multiply to ten seconds.
    """
    retry = Retry(ConstantBackoff(0.01), 1, supported_errors=_DROPPED)
    if is_cluster(url):
        return RedisCluster.from_url(
            url.replace("+cluster", "", 1),
            client_name=name,
            socket_timeout=socket_seconds,
            socket_connect_timeout=COMMAND_SECONDS,
            retry=retry,
            legacy_responses=False,
        )
    pool = BlockingConnectionPool.from_url(
        url,
        client_name=name,
        max_connections=connections,
        timeout=COMMAND_SECONDS,
        socket_timeout=socket_seconds,
        socket_connect_timeout=COMMAND_SECONDS,
        retry=retry,
        legacy_responses=False,
    )
    # Not Redis(connection_pool=...): that leaves the pool open when the client closes.
    return Redis.from_pool(pool)


class _Call:
    __slots__ = ("arguments", "durable", "future")

    def __init__(self, arguments: Sequence[Argument], future: asyncio.Future[Any], *, durable: bool) -> None:
        self.arguments = arguments
        self.future = future
        self.durable = durable

    def fail(self, error: BaseException) -> None:
        if not self.future.done():
            failure = StorageUnavailable(f"the storage does not answer: {error}")
            failure.__cause__ = error
            _refuse(self.future, failure)


def _refuse(future: asyncio.Future[Any], failure: StorageUnavailable) -> None:
    """Fail a call. Who waits for several hears of the first; the others are no news for the log."""
    future.set_exception(failure)
    future.exception()


class Connection:
    """Commands of one process, in shared pipelines. Not for blocking commands.

    Order: commands issued in one tick run in their order; those of different ticks may overlap, so
    a caller that needs an order awaits.

    Once a command got no answer in time, all that wait and all that come are refused at once, until
    the storage has answered a question of our own: no caller waits for a second timeout.
    """

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.name = name
        self.client = connect(url, name)
        self.cluster = is_cluster(url)
        self.wait_for_fsync = False
        self._pending: list[_Call] = []
        self._flights: set[asyncio.Task[None]] = set()
        self._scheduled = False
        self._closing = False
        self._away = False
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
        await self.client.aclose()

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
        if self._away:
            _refuse(future, StorageUnavailable("the storage does not answer"))
            return future
        self._pending.append(_Call(arguments, future, durable=durable))
        if not self._scheduled and len(self._flights) < PIPELINES_IN_FLIGHT:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._launch)
        return future

    def _lost(self, error: BaseException) -> None:
        """Refuse everybody, and ask again in a moment."""
        waiting, self._pending = self._pending, []
        for call in waiting:
            call.fail(error)
        self._away = True
        if self._retrial is not None:
            self._retrial.cancel()
        if not self._closing:
            self._retrial = asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._ask)

    def _ask(self) -> None:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        # Nobody waits for it; its failure is the flight's, which has dealt with it.
        future.add_done_callback(lambda asked: asked.cancelled() or asked.exception())
        self._pending.append(_Call(("HGET", META, "epoch"), future, durable=False))
        self._launch()

    def _launch(self) -> None:
        self._scheduled = False
        calls, self._pending = self._pending[:PIPELINE_COMMANDS], self._pending[PIPELINE_COMMANDS:]
        if calls:
            flight = asyncio.get_running_loop().create_task(self._fly(calls))
            self._flights.add(flight)
            flight.add_done_callback(self._landed)

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        if self._pending and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._launch)

    async def _fly(self, calls: list[_Call]) -> None:
        started = time.monotonic()
        try:
            answers = await self._execute(calls)
            if any(isinstance(answer, NoScriptError) for answer in answers):
                await self.load_scripts()
                answers = await self._repeat(calls, answers)
        except Exception as error:  # noqa: BLE001 - whatever it is, all that wait have to hear of it
            metrics.STORE_ERRORS.inc()
            self._lost(error)
            answers = [error] * len(calls)
        except BaseException:
            for call in calls:
                call.future.cancel()
            raise
        else:
            metrics.STORE_SECONDS.observe(time.monotonic() - started)
            self._away = False
        for call, answer in zip(calls, answers, strict=True):
            if isinstance(answer, BaseException):
                call.fail(answer)
            elif not call.future.done():
                call.future.set_result(answer)

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
                failure = StorageUnavailable("the write could not be confirmed on disk")
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

    def reader(self, name: str) -> "Reader":
        """A connection of its own for blocking reads."""
        return Reader(self.url, f"{self.name}-{name}")


class Reader:
    """Blocking reads of streams on a connection of their own."""

    def __init__(self, url: str, name: str) -> None:
        self._client = connect(url, name, socket_seconds=BLOCK_SECONDS + 5, connections=1)

    async def read(self, positions: dict[str, str], count: int) -> dict[str, list[StreamEntry]]:
        """Entries after these ids, per stream; empty when none came in time.

        On a cluster all streams have to be in one slot. Raises StorageUnavailable.
        """
        try:
            answer: dict[bytes, Any] = await cast("Any", self._client).xread(
                positions, count=count, block=int(BLOCK_SECONDS * 1000)
            )
        except UNREACHABLE as error:
            message = f"the storage does not answer: {error}"
            raise StorageUnavailable(message) from error
        # RESP3 wraps the entries of a stream in one more list.
        return {
            key.decode(): entries[0] if entries and isinstance(entries[0], list) else entries
            for key, entries in (answer or {}).items()
        }

    async def close(self) -> None:
        """Close the connection, also while it is broken.

        To its end, however often the caller is cancelled meanwhile: half of it leaves a socket open,
        on which uvloop waits for ever when it closes.
        """
        closing = asyncio.ensure_future(self._client.aclose())
        interrupted: asyncio.CancelledError | None = None
        while not closing.done():
            try:
                await asyncio.wait([closing])
            except asyncio.CancelledError as error:
                interrupted = error
        with contextlib.suppress(*UNREACHABLE):
            closing.result()
        if interrupted is not None:
            raise interrupted
