"""The embedded store's directory: who holds it, where its socket is, whether it ended in order.

It holds the signing secrets of all tenants, so only its owner may look into it.

One process at a time works on a directory, by an flock(2) that its Valkey inherits: the lock is
free only when both have ended, however they ended.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE, S_ISDIR
from typing import Final
from urllib.parse import quote

import msgspec
import structlog
from msgspec import Struct

# A unix socket's path is at most 107 bytes on Linux and 103 on macOS.
SOCKET_PATH_BYTES: Final = 103
# Any one of these shows that a directory is a store's.
_OURS: Final = frozenset({"lock", "state.json", "appendonlydir", "valkey.log"})
# An empty directory may have these: a file system's own, and what keeps it in a repository.
_HARMLESS: Final = frozenset({"lost+found", ".gitignore", ".gitkeep"})

_log = structlog.get_logger(__name__)


class DataDirectoryInUse(Exception):
    """Another process works on the directory; the text names it and says what to do."""


class DataDirectoryUnusable(Exception):
    """The directory can't be made or written; the text says why."""


class _Holder(Struct):
    pid: int
    command: str
    valkey: int | None = None


class Addresses(Struct, frozen=True, kw_only=True):
    """Where the parts of the last `dev` on a directory listen: as the settings of these names."""

    host: str
    port: int
    realtime_host: str
    realtime_port: int
    operator_host: str
    operator_port: int


class State(Struct, kw_only=True):
    """What has to outlive the process, in ``state.json``.

    `addresses` are those of the last `dev`. `boot` is the boot of the machine in which the store last ran.
    `suspect` says that the end of what was acknowledged may be missing, until `DataDirectory.settle`.
    """

    boot: str
    clean: bool
    suspect: bool
    durability: str
    socket: str
    addresses: Addresses | None = None


class DataDirectory:
    """A directory that this process alone works on, from `acquire` to `release`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.lock = lock
        self._state: State | None = None

    @classmethod
    def acquire(cls, path: Path, seconds: float = 3) -> "DataDirectory":
        """Make the directory if need be, keep all others out (mode 0700), and lock it.

        A directory with files of others is left as it is: DataDirectoryUnusable. Waits at most `seconds`
        for the Valkey of a holder that was killed. Raises DataDirectoryInUse and DataDirectoryUnusable.
        """
        path = path.absolute()
        with _usable(path):
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
        """Note the process that inherited the lock, for the message to whoever finds it locked."""
        command = " ".join(sys.argv)[:500].encode(errors="replace").decode()
        holder = _Holder(pid=os.getpid(), command=command, valkey=pid)
        with _usable(self.path):
            os.ftruncate(self.lock, 0)
            os.pwrite(self.lock, msgspec.json.encode(holder), 0)

    def begin(self, durability: str) -> State:
        """Note that the store runs from now on; the state says where, and whether data may be lost.

        Lost may be the last second before a power failure: the machine was booted anew and the
        store had neither ended in order nor synced each write.
        """
        before = read_state(self.path)
        boot = boot_id()
        suspect = before is not None and (
            before.suspect or (not before.clean and before.boot != boot and before.durability != "always")
        )
        with _usable(self.path):
            socket = str(self._socket(before))
        self._state = State(
            boot=boot,
            clean=False,
            suspect=suspect,
            durability=durability,
            socket=socket,
            addresses=before.addresses if before is not None else None,
        )
        self._write(self._state)
        return self._state

    def settle(self) -> None:
        """Note that a possible loss has been dealt with (the store has a new epoch)."""
        self._amend(suspect=False)

    def serves(self, addresses: Addresses) -> None:
        """Note where the parts that work on this store listen."""
        self._amend(addresses=addresses)

    def ended_in_order(self) -> None:
        """Note that everything is on disk and the store has ended."""
        self._amend(clean=True)

    def discard_socket(self) -> None:
        """Remove the socket and the directory made for it; one inside the data directory may stay."""
        if self._state is not None and (socket := Path(self._state.socket)).parent != self.path:
            socket.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                socket.parent.rmdir()

    def release(self) -> None:
        """Unlock. The Valkey that inherited the lock has to have ended for others to get it."""
        os.close(self.lock)

    def _socket(self, before: State | None) -> Path:
        here = self.path / "valkey.sock"
        if len(os.fsencode(here)) <= SOCKET_PATH_BYTES and _is_text(here):
            return here
        prefix = f"tidings-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]}-"
        if before is not None:
            known = Path(before.socket)
            if known.parent.name.startswith(prefix) and _is_private(known.parent):
                return known
        return Path(tempfile.mkdtemp(prefix=prefix, dir=_runtime())) / here.name

    def _amend(self, **changes: bool | Addresses) -> None:
        if self._state is None:
            raise RuntimeError("begin() comes first")
        self._state = msgspec.structs.replace(self._state, **changes)
        self._write(self._state)

    def _write(self, state: State) -> None:
        beside = self.path / "state.json.new"
        with _usable(self.path):
            with open(beside, "wb", opener=private) as file:
                file.write(msgspec.json.encode(state))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path / "state.json")
            directory = os.open(self.path, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)


def socket_url(socket: str) -> str:
    """Give the URL of a unix socket, whatever characters its path has."""
    return f"unix://{quote(socket)}"


def private(path: str, flags: int) -> int:
    """Open a file that only its owner may read, as an `opener`."""
    return os.open(path, flags, 0o600)


@contextlib.contextmanager
def _usable(path: Path) -> Iterator[None]:
    """Say in words what the disk refuses."""
    try:
        yield
    except OSError as error:
        raise _unusable(path, error) from error


def _refuse_foreign(path: Path) -> None:
    """Raise DataDirectoryUnusable for a directory that is used for something else, such as /tmp or a home."""
    names = {entry.name for entry in os.scandir(path)}
    if names & _OURS or not (others := names - _HARMLESS):
        return
    raise DataDirectoryUnusable(
        f"the data directory {path} has files of something else ({min(others)}): choose a new or an empty "
        "directory, such as one inside it, with --data or TIDINGS_DATA"
    )


def _keep_private(path: Path) -> None:
    """Close the directory and our files in it to others. Raises DataDirectoryUnusable if that can't be."""
    status = path.stat()
    if not status.st_mode & 0o077:
        return
    try:
        path.chmod(S_IMODE(status.st_mode) & ~0o077)
    except PermissionError as error:
        raise DataDirectoryUnusable(
            f"the data directory {path} may be read by others (mode {S_IMODE(status.st_mode):o}) and belongs "
            f"to user {status.st_uid}, so that can't be changed: choose a directory of your own, such as "
            "one inside it, with --data or TIDINGS_DATA"
        ) from error
    _log.warning(
        "data directory closed to other users",
        directory=str(path),
        was=f"{S_IMODE(status.st_mode):o}",
        cure="if others could log in here, make new keys: the old ones may have been read",
    )
    files = [path / name for name in ("lock", "state.json", "valkey.log", "valkey.log.1", "appendonlydir")]
    for file in (*files, *(path / "appendonlydir").glob("*")):
        with contextlib.suppress(FileNotFoundError):
            file.chmod(S_IMODE(file.stat().st_mode) & ~0o077)


def _is_text(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def has_store(path: Path) -> bool:
    """Whether a store was made in this directory. Raises DataDirectoryUnusable when that can't be seen."""
    try:
        (path / "state.json").stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _unusable(path.absolute(), error) from error
    return True


def read_state(path: Path) -> State | None:
    """Read what a directory says of its store, without holding it; None when nothing has run there."""
    try:
        return msgspec.json.decode((path / "state.json").read_bytes(), type=State)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise _unusable(path, error) from error
    except (OSError, msgspec.DecodeError) as error:
        raise DataDirectoryUnusable(
            f"{path / 'state.json'} can't be read ({error}): restore it, or delete it if a loss of the last "
            "second before a power failure is out of the question"
        ) from error


def _unusable(path: Path, error: OSError) -> DataDirectoryUnusable:
    if error.errno == errno.ENOSPC:
        return DataDirectoryUnusable(
            f"the disk of the data directory {path} is full: make room, or choose another with --data or "
            "TIDINGS_DATA"
        )
    return DataDirectoryUnusable(
        f"the data directory {path} can't be used ({error.strerror}): "
        "choose another with --data or TIDINGS_DATA"
    )


def boot_id() -> str:
    """Name the current boot of this machine."""
    linux = Path("/proc/sys/kernel/random/boot_id")
    if linux.exists():
        return linux.read_text().strip()
    command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - a constant


def _is_private(directory: Path) -> bool:
    # In a shared directory such as /tmp somebody else could have taken the name since.
    try:
        status = directory.lstat()
    except OSError:
        return False
    return S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077


def _runtime() -> str:
    ours = os.environ.get("XDG_RUNTIME_DIR", "")
    return ours if os.access(ours, os.W_OK) and len(ours) < SOCKET_PATH_BYTES // 2 else "/tmp"  # noqa: S108 - mkdtemp


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
        return f"the data directory {path} is held by another process: choose another with --data"
    if holder.valkey is not None and not _is_running(holder.pid):
        return (
            f"the data directory {path} is held by process {holder.valkey}, the Valkey that process "
            f"{holder.pid} left behind: end it (kill {holder.valkey})"
        )
    return (
        f"the data directory {path} is held by process {holder.pid} ({holder.command}): "
        f"end it (kill {holder.pid}), or choose another directory with --data"
    )
