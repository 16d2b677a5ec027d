"""What a workload answers, and what it needs to run."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from msgspec import Struct

from bench.processes import Cores, Usage
from bench.scale import Scale


class Measurement(Struct, frozen=True):
    """One figure of one round, with what is needed to judge it."""

    name: str
    value: float
    unit: str
    details: dict[str, float] = {}


class Bench(Struct, frozen=True):
    """Where and how much to measure. `profiling` wraps the measured stretch of a workload."""

    cores: Cores
    scale: Scale
    profiling: Callable[[str, Mapping[str, int]], AbstractContextManager[None]]


Workload = Callable[[Bench], Sequence[Measurement]]


def details(usage: Usage, count: float) -> dict[str, float]:
    """What a count of things took: microseconds of each process for one, and how busy the cores were."""
    return {
        "count": count,
        "seconds": usage.seconds,
        "server_core_foreign": usage.foreign / usage.seconds,
        "server_core_used": usage.core_seconds / usage.seconds,
        "load_core_used": usage.load,
        **{f"us_{name}": cpu / count * 1e6 for name, cpu in usage.cpu.items()},
    }
