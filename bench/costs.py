"""`python -m bench.costs`: the CPU time of hot paths, compared with the recorded one.

A cost is CPU time of all processes of the server per unit of work, in units of a bare request: the CPU time
that a Litestar handler takes which stores nothing, in the same run. So the speed of the machine cancels out.
Other work on the machine makes a cost higher and never lower, so the lowest of several rounds counts. Rounds
are added while a cost is too high.
"""

import gc
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import App, Parameter
from msgspec import Struct

from bench import connections, direct, fanout, references
from bench.machine import Machine
from bench.measurement import Bench, Measurement, Workload
from bench.processes import Cores, pinned
from bench.profiling import unprofiled
from bench.scale import SHORT

_PATHS: Final[tuple[Workload, ...]] = (
    direct.single,
    direct.batch,
    fanout.steady,
    fanout.burst,
    connections.connections,
)
FILE: Final = Path(__file__).with_name("costs.json")
_ROUNDS: Final = 2
_MOST_ROUNDS: Final = 6
_LIMIT: Final = 1.15
# The share of the kernel in a cost differs between processors.
_LIMIT_ELSEWHERE: Final = 1.5

app = App(name="costs", help="Compare the CPU time of hot paths with the recorded one.")


class Recorded(Struct, frozen=True):
    """The accepted costs in bare requests by the name of their figure, and the processor they hold for."""

    processor: str
    bare_requests: dict[str, float]


@app.default
def check(
    *,
    record: Annotated[bool, Parameter(negative="", help="Accept the costs of this run.")] = False,
) -> int:
    """Measure, and print each cost beside the recorded one. Fails when one is over its limit."""
    recorded = msgspec.json.decode(FILE.read_bytes(), type=Recorded)
    processor = Machine.here().processor
    limit = _LIMIT if processor == recorded.processor else _LIMIT_ELSEWHERE
    setup = Bench(Cores.choose(), SHORT, unprofiled)
    gc.disable()
    with pinned(setup.cores.load):
        rounds = [_round(setup) for _ in range(_ROUNDS)]
        while (over := over_limit(rounds, recorded, limit)) and len(rounds) < _MOST_ROUNDS and not record:
            rounds.append(_round(setup))
    costs = lowest(rounds)
    print(_table(costs, recorded.bare_requests, len(rounds)))
    if record:
        data = msgspec.json.encode(Recorded(processor, costs))
        FILE.write_bytes(msgspec.json.format(data, indent=1) + b"\n")
        return 0
    for name in over:
        print(f"costs: {name} is over {limit:g} of the recorded cost", file=sys.stderr)
    return 1 if over else 0


def over_limit(rounds: Sequence[Mapping[str, float]], recorded: Recorded, limit: float) -> list[str]:
    """The figures that cost too much. One without a record is none of them, so that it can be recorded."""
    accepted = recorded.bare_requests
    return [name for name, cost in lowest(rounds).items() if cost > limit * accepted.get(name, cost)]


def _round(setup: Bench) -> dict[str, float]:
    measured: list[Measurement] = [*references.bare_handler(setup)]
    for workload in _PATHS:
        measured += workload(setup)
    # A figure is work per second of CPU time, so its inverse is the CPU time of one unit.
    return {one.name: 1 / one.value for one in measured if one.unit.endswith("/core-second")}


def lowest(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The cost of each path in bare requests. Each round has the CPU seconds per unit by name."""
    seconds = {name: min(taken[name] for taken in rounds) for name in rounds[0]}
    bare = seconds.pop(references.BARE_HANDLER)
    return {name: float(f"{cost / bare:.3g}") for name, cost in seconds.items()}


def _table(costs: Mapping[str, float], recorded: Mapping[str, float], rounds: int) -> str:
    lines = [f"CPU time in bare requests, the lowest of {rounds} rounds:", ""]
    for name, cost in costs.items():
        before = recorded.get(name)
        ratio = "new" if before is None else f"{cost / before:.2f} of {before:g}"
        lines.append(f"  {name:28} {cost:<8g} {ratio}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(app())
