"""A SQLite connection on a thread of its own, with a limit of time for each job."""

import asyncio
import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from tidings_workers.archive.errors import (
    ArchiveError,
    ArchiveMisconfigured,
    ArchiveUnavailable,
    NoArchiveYet,
)

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]

# A statement waits for other processes for this part of the limit; then SQLite reports that it is locked.
_WAIT: Final = 0.8
_CACHE_KILOBYTES: Final = 16_000

_RESTORE: Final = "restore it from a backup, or move it away, and an empty archive is created"
_BROKEN: Final = {"SQLITE_CORRUPT": "is damaged", "SQLITE_NOTADB": "is not a SQLite database"}
# The connection works after these.
_HARMLESS: Final = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_INTERRUPT"})
_LATER: Final = {
    "SQLITE_BUSY": "is locked by another process: the call may be repeated; end a process that holds it",
    "SQLITE_LOCKED": "is locked by another process: the call may be repeated; end a process that holds it",
    "SQLITE_FULL": "can't grow: make space on its disk",
    "SQLITE_IOERR": "can't be read or written: look at its disk",
    "SQLITE_NOMEM": "can't be used: there is no memory left",
}


class SqliteThread:
    """Runs jobs one after the other. The connection opens with the first one, and again after a fault."""

    def __init__(self, path: Path, limit: float) -> None:
        self.path = path
        self.limit = limit
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="archive")
        self._connection: sqlite3.Connection | None = None
        # Guards the connection against an interruption of the job after the one that was meant.
        self._lock = threading.Lock()
        self._running: object | None = None
        self._is_closed = False

    async def run(self, job: Job[T], *, create: bool = False, limit: float | None = None) -> T:
        """The result of a job. With `create` a file that does not exist is made.

        Raises ArchiveUnavailable or ArchiveMisconfigured.
        """
        seconds = self.limit if limit is None else limit
        if self._is_closed:
            raise ArchiveUnavailable(f"the archive {self.path} is closed: open it again")
        token = object()
        work = asyncio.get_running_loop().run_in_executor(
            self._threads, self._run, token, job, create, seconds
        )
        try:
            done, _ = await asyncio.wait([work], timeout=seconds)
            if done:
                return work.result()
            raise ArchiveUnavailable(f"{self.path} does not answer within {seconds:g} s: repeat the call")
        finally:
            if not work.done():
                work.cancel()
                self._interrupt(token)

    async def close(self) -> None:
        """Close the connection after the running job, whose statement is interrupted."""
        if self._is_closed:
            return
        self._is_closed = True
        with self._lock:
            if self._running is not None and self._connection is not None:
                self._connection.interrupt()
        await asyncio.get_running_loop().run_in_executor(self._threads, self._disconnect)
        self._threads.shutdown(wait=False)

    def is_writable(self) -> bool:
        """Whether this user may write the file, and make the files beside it."""
        return os.access(self.path, os.W_OK) and os.access(self.path.absolute().parent, os.W_OK)

    def _interrupt(self, token: object) -> None:
        with self._lock:
            if self._running is token and self._connection is not None:
                self._connection.interrupt()

    def _run(self, token: object, job: Job[T], create: bool, seconds: float) -> T:  # noqa: FBT001 - called by the executor
        with self._lock:
            self._running = token
        try:
            connection = self._connected(create=create, seconds=seconds)
            try:
                return job(connection)
            finally:
                if connection.in_transaction:
                    connection.rollback()
        except sqlite3.Error as error:
            if _code(error) not in _HARMLESS:
                self._disconnect()
            raise self._translated(error, create=create) from error
        finally:
            with self._lock:
                self._running = None

    def _connected(self, *, create: bool, seconds: float) -> sqlite3.Connection:
        wait = int(seconds * _WAIT * 1000)
        if self._connection is None:
            mode = "rwc" if create else "rw"
            if create:
                self._make_private()
            opened = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode={mode}",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
            with self._lock:
                self._connection = opened
            opened.execute(f"pragma busy_timeout = {wait}")
            if create:
                # The file keeps both. The first one, by which it can shrink, has to precede the first table.
                opened.execute("pragma auto_vacuum = incremental")
                opened.execute("pragma journal_mode = wal")
            # An erased content is overwritten, not only unlinked.
            opened.execute("pragma secure_delete = on")
            # A commit is on disk before Redis may forget what it has.
            opened.execute("pragma synchronous = full")
            opened.execute(f"pragma cache_size = -{_CACHE_KILOBYTES}")
        else:
            self._connection.execute(f"pragma busy_timeout = {wait}")
        return self._connection

    def _make_private(self) -> None:
        """Make the file for its owner alone: it has what users received. SQLite reports the faults."""
        with contextlib.suppress(OSError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))

    def _disconnect(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _translated(self, error: sqlite3.Error, *, create: bool) -> ArchiveError:
        name, code = getattr(error, "sqlite_errorname", ""), _code(error)
        if code in _BROKEN:
            return ArchiveMisconfigured(f"{self.path} {_BROKEN[code]}: {_RESTORE}")
        if code in _LATER:
            return ArchiveUnavailable(f"{self.path} {_LATER[code]}")
        if code == "SQLITE_INTERRUPT":
            return ArchiveUnavailable(f"{self.path} does not answer in time: repeat the call")
        if name == "SQLITE_READONLY_DBMOVED":
            return ArchiveUnavailable(f"{self.path} was replaced: repeat the call")
        if code == "SQLITE_READONLY":
            return ArchiveMisconfigured(
                f"{self.path} can't be written: give this user the right to write the file and its directory"
            )
        if code in {"SQLITE_CANTOPEN", "SQLITE_PERM"}:
            return self._cannot_open(create=create)
        if "no such table" in str(error):
            return NoArchiveYet(f"{self.path} has no archive yet: `tidings-server archiver` makes it")
        return ArchiveMisconfigured(
            f"{self.path} can't be used ({name or 'no code'}: {error}): look at the file, or {_RESTORE}"
        )

    def _cannot_open(self, *, create: bool) -> ArchiveError:
        folder = self.path.absolute().parent
        if not folder.is_dir():
            return ArchiveMisconfigured(f"the directory {folder} of the archive does not exist: create it")
        if self.path.is_dir():
            return ArchiveMisconfigured(f"{self.path} is a directory: name a file")
        if not self.path.exists() and create:
            return ArchiveMisconfigured(
                f"{self.path} can't be created: give this user the right to write to {folder}"
            )
        if not self.path.exists():
            return NoArchiveYet(f"{self.path} does not exist yet: `tidings-server archiver` makes it")
        return ArchiveMisconfigured(
            f"{self.path} can't be opened: give this user the right to read and write it and {folder}"
        )


def _code(error: sqlite3.Error) -> str:
    """The name of the error's code. That of an extended code, SQLITE_BUSY_SNAPSHOT, begins with it."""
    return "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])
