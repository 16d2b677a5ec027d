"""The embedded store's directory: one process uses it at a time, and only its owner may read it.

It has the signing secrets of all tenants.

An flock(2) that the process's Valkey inherits locks the directory. So it is free only when both have
stopped, also after a SIGKILL.
"""

import contextlib
import fcntl
import os
import sys
import time
from pathlib import Path
from stat import S_IMODE
from typing import Final

import msgspec
from msgspec import Struct

from tidings_workers.data_state import (
    Addresses,
    DataDirectoryUnusable,
    State,
    boot_id,
    read_state,
    socket_path,
    usable,
    write_state,
)
from tidings_workers.logs import get_logger

# A directory with one of these is a store's.
_OURS: Final = frozenset({"lock", "state.json", "appendonlydir", "valkey.log"})
# A new directory may have these: one is a file system's own, the others keep it in a repository.
_HARMLESS: Final = frozenset({"lost+found", ".gitignore", ".gitkeep"})

_log = get_logger(__name__)


class DataDirectoryInUse(Exception):
    """Another process uses the directory. The text names the process and the cure."""


class _Holder(Struct):
    pid: int
    command: str
    valkey: int | None = None


class DataDirectory:
    """A directory that only this process uses, from `acquire` to `release`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.lock = lock
        self._state: State | None = None

    @classmethod
    def acquire(cls, path: Path, seconds: float = 3) -> "DataDirectory":
        """Create the directory if it is missing, restrict it to its owner (mode 0700), and lock it.

        When the process that locked it was killed, waits at most `seconds` for that process's Valkey to
        stop. Raises DataDirectoryInUse and DataDirectoryUnusable; the latter also for a directory with
        files of another program, which it does not change.
        """
        path = path.absolute()
        with usable(path):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_foreign(path)
            _keep_private(path)
            lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + seconds
        while not _lock(lock):
            holder = _holder(lock)
            if holder is None or _is_running(holder.pid) or time.monotonic() > deadline:
                os.close(lock)
                raise DataDirectoryInUse(_in_use(path, holder))
            time.sleep(0.02)
        directory = cls(path, lock)
        try:
            directory.name_valkey(None)
        except DataDirectoryUnusable:
            os.close(lock)
            raise
        return directory

    def name_valkey(self, pid: int | None) -> None:
        """Write this process, its command and its Valkey `pid` into the lock file, for DataDirectoryInUse."""
        command = " ".join(sys.argv)[:500].encode(errors="replace").decode()
        holder = _Holder(pid=os.getpid(), command=command, valkey=pid)
        with usable(self.path):
            os.ftruncate(self.lock, 0)
            os.pwrite(self.lock, msgspec.json.encode(holder), 0)

    def begin(self, durability: str) -> State:
        """Note that the store runs from now on. The state has its socket, and whether data may be lost.

        Up to one second of writes may be lost if the machine rebooted while the store was running with a
        durability other than `always`.
        """
        before = read_state(self.path)
        boot = boot_id()
        suspect = before is not None and (
            before.suspect or (not before.clean and before.boot != boot and before.durability != "always")
        )
        with usable(self.path):
            socket = str(socket_path(self.path, before))
        self._state = State(
            boot=boot,
            clean=False,
            suspect=suspect,
            durability=durability,
            socket=socket,
            addresses=before.addresses if before is not None else None,
        )
        write_state(self.path, self._state)
        return self._state

    def loss_reported(self) -> None:
        """Note that clients learn of a possible loss, because the store has a new epoch."""
        self._amend(suspect=False)

    def write_addresses(self, addresses: Addresses) -> None:
        """Note the addresses of the parts that work on this store."""
        self._amend(addresses=addresses)

    def stopped_cleanly(self) -> None:
        """Note that everything is on disk and the store has stopped."""
        self._amend(clean=True)

    def discard_socket(self) -> None:
        """Remove the socket and the directory that was created for it. One in the data directory stays."""
        if self._state is not None and (socket := Path(self._state.socket)).parent != self.path:
            socket.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                socket.parent.rmdir()

    def release(self) -> None:
        """Unlock. Other processes get the lock only when the Valkey that inherited it has stopped."""
        os.close(self.lock)

    def _amend(self, **changes: bool | Addresses) -> None:
        if self._state is None:
            raise RuntimeError("call begin() first")
        self._state = msgspec.structs.replace(self._state, **changes)
        write_state(self.path, self._state)


def _refuse_foreign(path: Path) -> None:
    """Raise DataDirectoryUnusable for a directory of another program, such as /tmp or a home directory."""
    names = {entry.name for entry in os.scandir(path)}
    if names & _OURS or not (others := names - _HARMLESS):
        return
    raise DataDirectoryUnusable(
        f"the data directory {path} has files of another program ({min(others)}): choose a new or an empty "
        "directory, such as one inside it, with --data or TIDINGS_DATA"
    )


def _keep_private(path: Path) -> None:
    """Make the directory and our files readable by their owner only. Raises DataDirectoryUnusable."""
    status = path.stat()
    if not status.st_mode & 0o077:
        return
    try:
        path.chmod(S_IMODE(status.st_mode) & ~0o077)
    except PermissionError as error:
        raise DataDirectoryUnusable(
            f"the data directory {path} is readable by other users (mode {S_IMODE(status.st_mode):o}) and "
            f"belongs to user {status.st_uid}: choose a directory of your own, such as one inside it, with "
            "--data or TIDINGS_DATA"
        ) from error
    _log.warning(
        "data directory closed to other users",
        directory=str(path),
        was=f"{S_IMODE(status.st_mode):o}",
        cure="if other users could log in here, create new keys: they may have read the old ones",
    )
    files = [path / name for name in ("lock", "state.json", "valkey.log", "valkey.log.1", "appendonlydir")]
    for file in (*files, *(path / "appendonlydir").glob("*")):
        with contextlib.suppress(FileNotFoundError):
            file.chmod(S_IMODE(file.stat().st_mode) & ~0o077)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> _Holder | None:
    try:
        return msgspec.json.decode(os.pread(descriptor, 4096, 0), type=_Holder)
    except msgspec.DecodeError:
        return None


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _in_use(path: Path, holder: _Holder | None) -> str:
    if holder is None:
        return f"the data directory {path} is in use by another process: choose another with --data"
    if holder.valkey is not None and not _is_running(holder.pid):
        return (
            f"the data directory {path} is in use by process {holder.valkey}, the Valkey of process "
            f"{holder.pid}, which has stopped: stop it (kill {holder.valkey})"
        )
    return (
        f"the data directory {path} is in use by process {holder.pid} ({holder.command}): "
        f"stop it (kill {holder.pid}), or choose another directory with --data"
    )
