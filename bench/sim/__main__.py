"""`python -m bench.sim`: from costs measured here to ten million connections, as a page.

`measure FILE` writes the costs; `page FILE` prints the tables of docs/scaling.md from them.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from cyclopts import App
from msgspec import Struct

from bench.curves.curve import Sizes
from bench.machine import Machine
from bench.processes import Cores, pinned
from bench.sim.measure import Checked, measured
from bench.sim.model import Costs, Setup, load, simulate

app = App(name="sim", help="A model of large installations, from costs measured here.")

# Calls of one tick share a script call. A busy process is busy for about this long.
_TICK_SECONDS: Final = 0.005
_FULL: Final = 0.6
_GB: Final = 1024**3


class Measured(Struct, frozen=True):
    """The costs of this machine, and how well they predict two and three gateways."""

    measured_at: datetime
    machine: Machine
    costs: Costs
    checked: list[Checked]


@app.command
def measure(file: Path, *, quick: bool = False) -> None:
    """Measure the costs and write them."""
    sizes = Sizes(Cores.choose(), quick)
    with pinned(sizes.cores.load):
        costs, checked = measured(sizes)
    found = Measured(datetime.now(UTC), Machine.here(), costs, checked)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    page(file)


@app.command
def page(file: Path) -> None:
    """Print the tables."""
    found = msgspec.json.decode(file.read_bytes(), type=Measured)
    costs = found.costs
    print("\n".join([*_unit_costs(costs), "", *_checks(found.checked), "", *_sizes(costs)]))


def _unit_costs(costs: Costs) -> list[str]:
    rows = ["| unit | cost |", "|---|---:|"]
    for name in costs.__struct_fields__:
        unit = "bytes" if name.endswith("bytes") else "us"
        rows.append(f"| `{name}` | {getattr(costs, name):,.1f} {unit} |")
    return rows


def _checks(checked: list[Checked]) -> list[str]:
    rows = [
        "| gateways | batch | Valkey, measured | by the model | gateways, measured | by the model |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for each in checked:
        numbers = (each.valkey, each.valkey_by_model, each.gateway, each.gateway_by_model)
        cells = " | ".join(f"{number:,.1f} us" for number in numbers)
        rows.append(f"| {each.gateways} | {each.batch} | {cells} |")
    return rows


def chosen(connections: int, sends: float, costs: Costs) -> Setup:
    """The smallest installation that carries the load with each core at 60 % at most.

    Partitions are twice the shards, and 16 at least. More shards need more partitions, and these more calls
    and feeds, so the three are grown together until they suffice.
    """
    shards = gateways = apis = 1
    while True:
        partitions = max(16, 2 * shards)
        setup = Setup(connections, sends, partitions, shards, gateways, apis)
        used = load(setup, costs, _TICK_SECONDS)
        grown = tuple(
            max(count, round(count * share / _FULL + 0.5)) if share > _FULL else count
            for count, share in ((shards, used.shard), (gateways, used.gateway), (apis, used.api))
        )
        if grown == (shards, gateways, apis):
            return setup
        shards, gateways, apis = grown


def _sizes(costs: Costs) -> list[str]:
    heads = (
        "connections",
        "sends/s",
        "APIs",
        "shards",
        "partitions",
        "gateways",
        "memory of a gateway",
        "a day in a shard",
        "busiest shard",
        "busiest gateway",
        "p50",
        "p99",
    )
    rows = [f"| {' | '.join(heads)} |", "|---:" * len(heads) + "|"]
    for connections, sends in (
        (10_000, 1_000),
        (100_000, 10_000),
        (1_000_000, 100_000),
        (10_000_000, 1_000_000),
    ):
        setup = chosen(connections, sends, costs)
        ran = simulate(setup, costs, ticks=100, tick_seconds=_TICK_SECONDS)
        memory = connections * costs.connection_bytes / setup.gateways / _GB
        stored = sends * 86_400 * costs.notification_bytes / setup.shards / _GB
        rows.append(
            f"| {connections:,} | {sends:,} | {setup.apis:,} | {setup.shards:,} | {setup.partitions:,} "
            f"| {setup.gateways:,} | {memory:,.2f} GB | {stored:,.0f} GB "
            f"| {ran.busiest_shard:.0%} | {ran.busiest_gateway:.0%} | {ran.p50_ms:,.1f} ms "
            f"| {ran.p99_ms:,.1f} ms |"
        )
    return rows


if __name__ == "__main__":
    sys.exit(app())
