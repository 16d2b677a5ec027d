"""`python -m bench.curves`: how the cost of each unit of work grows with the size of its surroundings."""

import gc
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import App, Parameter
from msgspec import Struct

from bench.curves import inboxes, plot, sends, sockets
from bench.curves.curve import Curve, Sizes
from bench.machine import Machine
from bench.processes import Cores, pinned

_CURVES: Final[dict[str, Callable[[Sizes], Curve]]] = {
    "connections": sockets.connections,
    "group-size": inboxes.group_size,
    "groups-per-user": inboxes.groups_per_user,
    "stored": inboxes.stored,
    "payload": sends.payload,
    "tenants": sends.tenants,
    "partitions": sends.partitions,
    "gateways": sockets.gateways,
    "apis": sockets.apis,
}

app = App(name="curves", help="Measure how costs grow, and draw it.")


class Measured(Struct, frozen=True):
    """One curve with its time and its machine."""

    measured_at: datetime
    machine: Machine
    curve: Curve


@app.default
def curves(
    only: Annotated[list[str] | None, Parameter(help=f"Which ones: {', '.join(_CURVES)}.")] = None,
    *,
    output: Annotated[Path, Parameter(help="Directory for <name>.json and <name>.svg.")],
    quick: Annotated[
        bool, Parameter(negative="", help="Two tiny sizes each, as a test of the curves themselves.")
    ] = False,
) -> int:
    """Measure these curves, or all."""
    unknown = set(only or ()) - set(_CURVES)
    if unknown:
        print(f"curves: there is no {', '.join(sorted(unknown))}: {', '.join(_CURVES)}", file=sys.stderr)
        return 2
    output.mkdir(parents=True, exist_ok=True)
    sizes = Sizes(Cores.choose(), quick)
    gc.disable()
    with pinned(sizes.cores.load):
        for name in only or _CURVES:
            curve = _CURVES[name](sizes)
            measured = Measured(datetime.now(UTC), Machine.here(), curve)
            text = msgspec.json.format(msgspec.json.encode(measured), indent=1)
            (output / f"{name}.json").write_bytes(text + b"\n")
            (output / f"{name}.svg").write_text(plot.svg(curve))
            for line, points in curve.lines.items():
                values = ", ".join(f"{each.size:,.0f}: {each.value:,.1f}" for each in points)
                print(f"{name}, {line}: {values}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(app())
