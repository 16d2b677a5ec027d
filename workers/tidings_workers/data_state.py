"""The state of an embedded store that outlives its process: `state.json`, and the path of its socket."""

import contextlib
import errno
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISDIR
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

# A unix socket's path is at most 107 bytes on Linux and 103 on macOS.
SOCKET_PATH_BYTES: Final = 103


class DataDirectoryUnusable(Exception):
    """The directory can't be created or written. The text is the fault, a colon, and the cure."""


class Addresses(Struct, frozen=True, kw_only=True):
    """The addresses of the parts of the last `dev` on a directory, as in the settings of these names."""

    host: str
    port: int
    realtime_host: str
    realtime_port: int
    operator_host: str
    operator_port: int


class State(Struct, kw_only=True):
    """The content of ``state.json``.

    `addresses` are those of the last `dev`. `boot` is the boot of the machine in which the store last ran.
    `clean`: the store was stopped gracefully. `suspect`: the last acknowledged writes may be lost, and
    `DataDirectory.loss_reported` was not called yet.
    """

    boot: str
    clean: bool
    suspect: bool
    durability: str
    socket: str
    addresses: Addresses | None = None


def has_store(path: Path) -> bool:
    """Whether this directory has a store. Raises DataDirectoryUnusable when it can't be read."""
    try:
        (path / "state.json").stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _unusable(path.absolute(), error) from error
    return True


def read_state(path: Path) -> State | None:
    """The state of a directory's store, without the lock; None when no store has run there.

    Raises DataDirectoryUnusable.
    """
    try:
        return msgspec.json.decode((path / "state.json").read_bytes(), type=State)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise _unusable(path, error) from error
    except (OSError, msgspec.DecodeError) as error:
        raise DataDirectoryUnusable(
            f"{path / 'state.json'} can't be read ({error}): restore it, or delete it if the machine has not "
            "lost power while the store was running"
        ) from error


def write_state(path: Path, state: State) -> None:
    """Replace the state of a directory, synced to disk. Raises DataDirectoryUnusable."""
    new = path / "state.json.new"
    with usable(path):
        with open(new, "wb", opener=private) as file:
            file.write(msgspec.json.encode(state))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path / "state.json")
        directory = os.open(path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def socket_path(directory: Path, before: State | None) -> Path:
    """The path of the socket: in the directory, else in a private directory of its own that is created.

    A path in the directory may be longer than the kernel allows. `before` is the state of the last run:
    its socket directory is used again if it is still private.
    """
    here = directory / "valkey.sock"
    if len(os.fsencode(here)) <= SOCKET_PATH_BYTES and _is_text(here):
        return here
    prefix = f"tidings-{hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]}-"
    if before is not None:
        known = Path(before.socket)
        if known.parent.name.startswith(prefix) and _is_private(known.parent):
            return known
    return Path(tempfile.mkdtemp(prefix=prefix, dir=_runtime_directory())) / here.name


def socket_url(socket: str) -> str:
    """The URL of a unix socket; special characters of its path are quoted."""
    return f"unix://{quote(socket)}"


def boot_id() -> str:
    """The id of the current boot of this machine."""
    linux = Path("/proc/sys/kernel/random/boot_id")
    if linux.exists():
        return linux.read_text().strip()
    command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - a constant


def private(path: str, flags: int) -> int:
    """An `opener` for files that only their owner may read."""
    return os.open(path, flags, 0o600)


@contextlib.contextmanager
def usable(path: Path) -> Iterator[None]:
    """Raise an OSError of the block as DataDirectoryUnusable."""
    try:
        yield
    except OSError as error:
        raise _unusable(path, error) from error


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


def _is_text(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_private(directory: Path) -> bool:
    # In a shared directory such as /tmp, another user could have created this name since.
    try:
        status = directory.lstat()
    except OSError:
        return False
    return S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077


def _runtime_directory() -> str:
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    return own if os.access(own, os.W_OK) and len(own) < SOCKET_PATH_BYTES // 2 else "/tmp"  # noqa: S108 - mkdtemp
