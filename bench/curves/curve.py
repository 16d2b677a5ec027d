"""A curve: the CPU time of one unit of work, at several sizes."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import Struct

from bench.inbox.calls import main_thread_seconds
from bench.processes import Cores
from bench.server import Server

Cost = dict[str, float]
"""Microseconds of CPU time per unit of work, by process."""


class Point(Struct, frozen=True):
    """One size and its figure: microseconds of CPU time per unit unless the curve says otherwise."""

    size: float
    value: float
    parts: Cost = {}


class Curve(Struct, frozen=True):
    """The figures of one subject. `lines` has the points of each kind of work by its name."""

    name: str
    title: str
    size: str
    unit: str
    lines: dict[str, list[Point]]


class Sizes(Struct, frozen=True):
    """The place of a run, and whether the sizes are tiny: a test of the curves themselves."""

    cores: Cores
    quick: bool

    def of(self, sizes: Sequence[int]) -> Sequence[int]:
        """These sizes, or the first two of them."""
        return sizes[:2] if self.quick else sizes

    def times(self, count: int) -> int:
        """How often to repeat."""
        return max(count // 10, 2) if self.quick else count


class Spent:
    """CPU time since its creation, of the server's processes and of this one, which does an API's work."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = processes
        self._before = self._read()

    def per(self, units: float) -> Cost:
        """Microseconds per unit of work."""
        return {name: (now - self._before[name]) / units * 1e6 for name, now in self._read().items()}

    def _read(self) -> dict[str, float]:
        used = {name: main_thread_seconds(pid) for name, pid in self._processes.items()}
        return used | {"caller": time.process_time()}


def point(size: float, cost: Cost) -> Point:
    """The point of a cost: its sum."""
    return Point(size, sum(cost.values()), cost)


async def least(running: Server, call: Callable[[], Awaitable[object]], times: int) -> Cost:
    """The least cost of single calls, which other work of the machine disturbs least."""
    processes = {"valkey": running.processes["valkey"]}
    await call()
    costs = []
    for _ in range(times):
        spent = Spent(processes)
        await call()
        costs.append(spent.per(1))
    return min(costs, key=lambda cost: sum(cost.values()))
