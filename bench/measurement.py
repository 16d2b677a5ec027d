"""The measurement of a workload, and the parameters of a run."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from msgspec import Struct

from bench.processes import Cores, Usage
from bench.scale import Scale


class Measurement(Struct, frozen=True):
    """One figure of one round, with the facts to judge it."""

    name: str
    value: float
    unit: str
    details: dict[str, float] = {}


class Bench(Struct, frozen=True):
    """The place and the size of a run. `profiling` wraps the measured part of a workload."""

    cores: Cores
    scale: Scale
    profiling: Callable[[str, Mapping[str, int]], AbstractContextManager[None]]


Workload = Callable[[Bench], Sequence[Measurement]]


def details(usage: Usage, count: float) -> dict[str, float]:
    """The cost of a number of things: microseconds of each process per thing, and the load of the cores."""
    return {
        "count": count,
        "seconds": usage.seconds,
        "server_core_foreign": usage.foreign / usage.seconds,
        "server_core_used": usage.core_seconds / usage.seconds,
        "load_core_used": usage.load,
        **{f"us_{name}": cpu / count * 1e6 for name, cpu in usage.cpu.items()},
    }
