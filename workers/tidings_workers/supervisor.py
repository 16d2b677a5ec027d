"""The supervisor of one machine: starts the store and the parts, restarts them, and stops all in order.

The parts are child processes of the same executable. A process that stops unexpectedly is restarted at
once. If it fails repeatedly, the pauses grow from 0.1 s to 5 s, so a part that can't start costs no CPU.
When the configuration of a part is wrong, or a part was not ready once in five tries, all processes stop.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from tidings_workers import metrics
from tidings_workers.config import EXIT_CONFIGURATION
from tidings_workers.embedded import EmbeddedStartFailed, EmbeddedValkey
from tidings_workers.logs import get_logger
from tidings_workers.operator import forget_process
from tidings_workers.processes import ReadyPipe, spawn, stop_process

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 5.0
# A process that ran this long was healthy: its next restart is immediate.
HEALTHY_SECONDS: Final = 5.0
START_TRIES: Final = 5

# Time after the drain, for all parts together. With the default drain of 8 s, all stop within 10 s.
STOP_SECONDS: Final = 1.5
RANK_SECONDS: Final = 0.75

_log = get_logger(__name__)


class PartFailed(Exception):
    """A part can't be started. Its output on stderr says why."""


class Part(Struct, frozen=True, kw_only=True):
    """One child to keep running. Parts stop in the order of `rank`, lower ones first."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    rank: int


class Backoff:
    """The pause before each restart: none after a healthy run, and doubled after each further failure."""

    def __init__(self) -> None:
        self._failures = 0

    def after(self, ran_seconds: float) -> float:
        """The pause in seconds after a run of this length."""
        self._failures = 0 if ran_seconds >= HEALTHY_SECONDS else self._failures + 1
        if self._failures <= 1:
            return 0.0
        return min(FIRST_PAUSE_SECONDS * 2.0 ** (self._failures - 2), LONGEST_PAUSE_SECONDS)


class Supervisor:
    """Keeps `parts` running, and `valkey` if the store is embedded.

    `before_parts` runs once, when the store answers; `on_ready` runs once, when every part is ready. Set
    `kill_now` during the stop to kill the parts that still run.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        valkey: EmbeddedValkey | None,
        drain_seconds: float,
        before_parts: Callable[[], Awaitable[None]],
        on_ready: Callable[[], Awaitable[None]],
    ) -> None:
        self._valkey = valkey
        self._drain_seconds = drain_seconds
        self._before_parts = before_parts
        self._on_ready = on_ready
        self._children = [_Child(part) for part in parts]
        self.kill_now = asyncio.Event()

    @property
    def unready(self) -> list[str]:
        """The names of the parts that are not serving now."""
        return [child.part.name for child in self._children if not child.ready.is_set()]

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, then stop everything: parts by rank, the store last.

        Raises PartFailed or EmbeddedStartFailed when it can't start; no process is left running then.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._until(stop))
                group.create_task(self._start(group, stop))
        except* _Stopped:
            pass
        except* (PartFailed, EmbeddedStartFailed) as failures:
            raise _first(failures) from None
        finally:
            await self._stop_parts()
            if self._valkey is not None:
                await self._valkey.stop()

    async def _start(self, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        # redis-py may swallow the cancellation, so check `stop` as well.
        if self._valkey is not None:
            await self._valkey.start()
            if stop.is_set():
                return
            group.create_task(self._keep_valkey(self._valkey))
        await self._before_parts()
        if stop.is_set():
            return
        for child in self._children:
            group.create_task(child.keep_running())
        for child in self._children:
            await child.ready.wait()
        await self._on_ready()

    async def _until(self, stop: asyncio.Event) -> None:
        await stop.wait()
        raise _Stopped

    async def _stop_parts(self) -> None:
        """Stop the parts rank by rank. Later ranks get the time that earlier ones did not use."""
        deadline = time.monotonic() + self._drain_seconds + STOP_SECONDS
        for rank in sorted({child.part.rank for child in self._children}):
            reserve = RANK_SECONDS if rank == 0 else 0.0
            seconds = max(deadline - reserve - time.monotonic(), RANK_SECONDS)
            async with asyncio.TaskGroup() as group:
                for child in self._children:
                    if child.part.rank == rank:
                        group.create_task(child.stop(seconds, self.kill_now))

    async def _keep_valkey(self, valkey: EmbeddedValkey) -> None:
        backoff = Backoff()
        started = time.monotonic()
        while True:
            code = await self._watch(valkey)
            pause = backoff.after(time.monotonic() - started)
            _log.warning("store stopped unexpectedly, restarting it", code=code, pause=pause)
            metrics.RESTARTS.labels(process="valkey").inc()
            await asyncio.sleep(pause)
            started = time.monotonic()
            try:
                await valkey.start()
            except EmbeddedStartFailed as error:  # it was not started, or has stopped again
                _log.warning("store not started", reason=str(error))

    async def _watch(self, valkey: EmbeddedValkey) -> int:
        async with asyncio.TaskGroup() as group:
            syncing = group.create_task(self._sync(valkey))
            code = await valkey.wait()
            syncing.cancel()
        return code

    async def _sync(self, valkey: EmbeddedValkey) -> None:
        try:
            await valkey.run_sync()
        except OSError:
            # It is unknown which writes are on disk. A restart reads the file, and fails if it can't.
            _log.exception("sync of the store failed, killing it")
            valkey.kill()


class _Stopped(Exception):
    """Cancels the TaskGroup of a supervisor whose `stop` is set."""


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = failures
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class _Child:
    def __init__(self, part: Part) -> None:
        self.part = part
        self.ready = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._was_ready = False

    async def keep_running(self) -> None:
        backoff = Backoff()
        tries = 0
        while True:
            started = time.monotonic()
            try:
                code: int | None = await self._run()
            except OSError as error:
                _log.warning("part not started", part=self.part.name, reason=error.strerror or str(error))
                code = None
            tries += 1
            if code == EXIT_CONFIGURATION or (not self._was_ready and tries >= START_TRIES):
                fault = "can't start" if code is None else f"can't start (exit code {code})"
                raise PartFailed(f"the {self.part.name} {fault}: see its lines above")
            pause = backoff.after(time.monotonic() - started)
            _log.warning(
                "part stopped unexpectedly, restarting it", part=self.part.name, code=code, pause=pause
            )
            metrics.RESTARTS.labels(process=self.part.name).inc()
            await asyncio.sleep(pause)

    async def _run(self) -> int:
        pipe = ReadyPipe()
        try:
            self._process = await spawn(
                self.part.command,
                death_signal=signal.SIGKILL,
                environment={**self.part.environment, **pipe.environment},
                descriptors=(pipe.descriptor,),
            )
        except BaseException:
            pipe.discard()
            raise
        finally:
            pipe.started()
        try:
            if await pipe.wait():
                self._was_ready = True
                self.ready.set()
            return await self._process.wait()
        finally:
            self.ready.clear()
            if self._process.returncode is not None:
                forget_process(self._process.pid)

    async def stop(self, seconds: float, kill_now: asyncio.Event) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        async with asyncio.TaskGroup() as group:
            killing = group.create_task(_kill_when(kill_now, process))
            in_time = await stop_process(process, seconds)
            killing.cancel()
        if not in_time:
            _log.warning("part did not stop in time and was killed", part=self.part.name)


async def _kill_when(kill_now: asyncio.Event, process: asyncio.subprocess.Process) -> None:
    await kill_now.wait()
    with contextlib.suppress(ProcessLookupError):
        process.kill()
