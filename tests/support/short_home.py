"""Where the stores of tests keep their files."""

import shutil
import tempfile
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")  # noqa: S108  mkdtemp makes the directory
_ROOM: Final = 4 << 30


def short_home() -> Path:
    """A new directory of mode 0700 whose path leaves room for a unix socket's 107 bytes.

    It is in memory where there is room. A disk that other programs keep busy stops a store for seconds,
    because it waits for its append-only file. Then a test that counts seconds counts those of the disk.
    """
    in_memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _ROOM
    return Path(tempfile.mkdtemp(prefix="td", dir=_MEMORY if in_memory else "/tmp"))  # noqa: S108  as above
