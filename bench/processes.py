"""Placement and cost of processes, and the other work of their core: all from /proc."""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Cores(Struct, frozen=True):
    """The core of the servers and that of the load; the same one on a machine with one core."""

    server: int
    load: int

    @classmethod
    def choose(cls) -> "Cores":
        """The last core for the servers, the first for the load: interrupts tend to be on the first."""
        usable = sorted(os.sched_getaffinity(0))
        return cls(server=usable[-1], load=usable[0])


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """Runs each process that starts in the block on one core, and this thread until the end."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def descendants(root: int) -> list[int]:
    """A process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def command_line(pid: int) -> list[str]:
    """The command line of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")


def resident_bytes(pid: int) -> int:
    """The memory that a process occupies (VmRSS)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process, in steps of a clock tick."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS


def busy_seconds(core: int) -> float:
    """The seconds that a core was not idle since the boot, stolen time included."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *columns = line.split()
        if name == f"cpu{core}":
            # user nice system idle iowait irq softirq steal; guests are within user
            counted = [int(column) for column in columns[:8]]
            return (sum(counted) - counted[3] - counted[4]) / _TICKS
    raise LookupError(f"/proc/stat knows no core {core}")


def _stat(pid: int) -> list[str]:
    # The name is in brackets and may have any character; the text after the last bracket can be split.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


class Usage(Struct, frozen=True):
    """The resources that a part of a run used.

    `cpu` is the CPU time in seconds of each process on the server's side. `foreign` is the seconds in which
    the servers' core worked for other processes, `load` the share of time in which the load side was busy.
    """

    seconds: float
    cpu: dict[str, float]
    foreign: float
    load: float

    @property
    def core_seconds(self) -> float:
        """CPU time of the server's side; at least one clock tick when it was too short to measure."""
        return max(sum(self.cpu.values()), 1 / _TICKS)

    @property
    def available(self) -> float:
        """The seconds in which the servers' core was available to the servers."""
        return self.seconds - self.foreign


class Meter:
    """Measures from its creation until `read`. `processes` names every process of the server's side."""

    def __init__(self, processes: Mapping[str, int], cores: Cores) -> None:
        self._processes = dict(processes)
        self._core = cores.server
        self._cpu = self._spent()
        self._busy = busy_seconds(self._core)
        self._load = time.process_time()
        self._started = time.monotonic()

    def read(self) -> Usage:
        """The usage so far. Raises FileNotFoundError when one of the processes has stopped."""
        seconds = time.monotonic() - self._started
        load = time.process_time() - self._load
        busy = busy_seconds(self._core) - self._busy
        cpu = {name: after - self._cpu[name] for name, after in self._spent().items()}
        foreign = min(max(busy - sum(cpu.values()), 0.0), seconds)
        return Usage(seconds, cpu, foreign, load / seconds)

    def _spent(self) -> dict[str, float]:
        return {name: cpu_seconds(pid) for name, pid in self._processes.items()}
