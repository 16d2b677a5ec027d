"""`python -m bench`: measure Tidings and its references, and write the results."""

import gc
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter, validators

from bench import connections, direct, fanout, latency, references, report, sender
from bench.centrifugo import Centrifugo
from bench.inbox import memory, states
from bench.inbox import workload as inbox
from bench.kinds import EVENTS, STOMP
from bench.measurement import Bench, Measurement, Workload
from bench.processes import Cores, pinned
from bench.profiling import Profiler, unprofiled
from bench.scale import FULL, QUICK

_IDLE: Final[tuple[Workload, ...]] = (
    partial(connections.idle, kind=STOMP),
    partial(connections.idle, kind=EVENTS),
)
# In the order of a round: each workload is next to its reference.
_WORKLOADS: Final[dict[str, tuple[Workload, ...]]] = {
    "fanout": (references.send_loop, fanout.steady, references.broadcast),
    "burst": (fanout.burst, references.broadcast),
    "direct": (references.bare_handler, direct.single),
    "batch": (direct.batch, references.bare_handler),
    "sender": (references.bare_handler, sender.sender),
    "connections": (references.bare_handler, connections.connections),
    "latency": (latency.latency,),
    "kinds": (
        fanout.steady,
        partial(fanout.steady, kind=STOMP),
        partial(fanout.steady, kind=EVENTS),
        fanout.burst,
        partial(fanout.burst, kind=STOMP),
        partial(fanout.burst, kind=EVENTS),
        *_IDLE,
    ),
    "inbox": (inbox.inbox, memory.memory),
    "states": (states.states,),
}
# Memory hardly varies, and times of the inbox are medians of many calls: the first round has them.
_ONCE: Final[frozenset[Workload]] = frozenset({*_IDLE, inbox.inbox, memory.memory})
# They compare designs. The others measure the product.
_ONLY_WHEN_NAMED: Final = {"states"}
_RESULTS: Final = Path(__file__).with_name("results")

app = App(name="bench", help="Measure Tidings and its references on this machine.")


@app.default
def bench(
    only: Annotated[
        list[str] | None, Parameter(help=f"Workloads to measure: {', '.join(_WORKLOADS)}.")
    ] = None,
    *,
    rounds: Annotated[int, Parameter(validator=validators.Number(gte=1), help="Interleaved rounds.")] = 5,
    quick: Annotated[
        bool, Parameter(negative="", help="Tiny numbers, as a test of the benchmark itself.")
    ] = False,
    output: Annotated[Path | None, Parameter(help="Directory for the results.")] = None,
    profile: Annotated[Path | None, Parameter(help="Directory for profiles by py-spy.")] = None,
    centrifugo: Annotated[
        Path | None,
        Parameter(
            validator=validators.Path(exists=True, dir_okay=False),
            help="A binary of Centrifugo, to measure it beside Tidings.",
        ),
    ] = None,
) -> int:
    """Measure, and write the results.

    A whole run is written to bench/results, or to --output. A part of a run is written only with --output.
    """
    unknown = set(only or ()) - set(_WORKLOADS)
    if unknown:
        print(f"bench: there is no {', '.join(sorted(unknown))}: {', '.join(_WORKLOADS)}", file=sys.stderr)
        return 2
    if references.compiler() is None:
        print("bench: no C compiler (cc), so there is no C loop to compare with", file=sys.stderr)
    setup = Bench(Cores.choose(), QUICK if quick else FULL, Profiler(profile) if profile else unprofiled)
    groups = {**_WORKLOADS}
    if centrifugo is not None:
        peer = Centrifugo(centrifugo.absolute())
        groups["direct"] += (peer.single,)
        groups["batch"] += (peer.batch,)
        groups["latency"] += (peer.latency,)
    names = only or [name for name in groups if name not in _ONLY_WHEN_NAMED]
    workloads = list(dict.fromkeys(one for name in names for one in groups[name]))
    gc.disable()
    with pinned(setup.cores.load):
        taken = [_round(setup, workloads)]
        repeated = [workload for workload in workloads if workload not in _ONCE]
        taken += [_round(setup, repeated) for _ in range(0 if quick else rounds - 1)]
    result = report.Result.of(setup.scale, taken)
    print(report.markdown(result))
    if output is None and only is None and not quick and profile is None:
        output = _RESULTS
    if output is not None:
        print(f"written to {report.write(result, output, only or ())}", file=sys.stderr)
    return 0


def _round(setup: Bench, workloads: Sequence[Workload]) -> dict[str, Measurement]:
    taken: dict[str, Measurement] = {}
    for workload in workloads:
        began = time.monotonic()
        for measured in workload(setup):
            print(f"{measured.name}: {measured.value:,.2f} {measured.unit}", file=sys.stderr)
            taken[measured.name] = measured
        print(f"  {time.monotonic() - began:.0f} s", file=sys.stderr)
    return taken


if __name__ == "__main__":
    sys.exit(app())
