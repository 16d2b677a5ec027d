"""Results as JSON for programs and as a page for people."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct

from bench.bars import Verdict, judge
from bench.machine import Machine
from bench.measurement import Measurement
from bench.scale import Scale


class Result(Struct, frozen=True):
    """One run: every measurement of every round, and the verdicts."""

    measured_at: datetime
    machine: Machine
    scale: Scale
    rounds: list[dict[str, Measurement]]
    bars: list[Verdict]

    @classmethod
    def of(cls, scale: Scale, rounds: Sequence[Mapping[str, Measurement]]) -> "Result":
        """The result of rounds that were measured on this machine."""
        values = [{name: one.value for name, one in taken.items()} for taken in rounds]
        return cls(datetime.now(UTC), Machine.here(), scale, [dict(taken) for taken in rounds], judge(values))


def write(result: Result, directory: Path, only: Sequence[str] = ()) -> Path:
    """Write `<date>-<workloads, unless all>-<machine>.json` and `.md`; returns the path of the page."""
    directory.mkdir(parents=True, exist_ok=True)
    words = [f"{result.measured_at:%Y-%m-%d}", *only, result.machine.slug]
    page = directory / f"{'-'.join(words)}.md"
    data = msgspec.json.format(msgspec.json.encode(result), indent=1)
    page.with_suffix(".json").write_bytes(data + b"\n")
    page.write_text(markdown(result))
    return page


def markdown(result: Result) -> str:
    """The page as Markdown."""
    machine = result.machine
    libraries = ", ".join(f"{name} {version}" for name, version in machine.libraries.items())
    lines = [
        f"# Benchmark of {result.measured_at:%Y-%m-%d}",
        "",
        (
            f"{machine.processor}, {machine.cores} cores, {machine.memory_gb} GB, Linux {machine.kernel}, "
            f"Python {machine.python}. {libraries}."
        ),
        "",
        (
            f"Medians of {len(result.rounds)} interleaved rounds. All servers, store included, on one core, "
            "the load on another. docs/benchmarks.md explains each row."
        ),
        "",
        "| bar | target | reached | |",
        "|---|---:|---:|---|",
        *(_verdict(verdict) for verdict in result.bars),
        "",
        "| figure | median | lowest | highest | unit | load core busy | server core taken by others |",
        "|---|---:|---:|---:|---|---:|---:|",
        *_figures(result.rounds),
        "",
        "CPU time of each process per unit, in microseconds:",
        "",
        *_costs(result.rounds),
    ]
    return "\n".join(lines) + "\n"


def _verdict(verdict: Verdict) -> str:
    bar = verdict.bar
    name = bar.measurement + (f" / {bar.reference.removeprefix('reference: ')}" if bar.reference else "")
    sign = "at most" if bar.at_most else "at least"
    met = "met" if verdict.met else "**missed**"
    return f"| {name} | {sign} {_number(bar.target)} | {_number(verdict.reached)} | {met} |"


def _names(rounds: Sequence[Mapping[str, Measurement]]) -> list[str]:
    return list(dict.fromkeys(name for taken in rounds for name in taken))


def _figures(rounds: Sequence[Mapping[str, Measurement]]) -> list[str]:
    lines = []
    for name in _names(rounds):
        taken = [measured[name] for measured in rounds if name in measured]
        values = [one.value for one in taken]
        load = _median_detail(taken, "load_core_used")
        foreign = _median_detail(taken, "server_core_foreign")
        numbers = " | ".join(map(_number, (median(values), min(values), max(values))))
        lines.append(f"| {name} | {numbers} | {taken[0].unit} | {_share(load)} | {_share(foreign)} |")
    return lines


def _costs(rounds: Sequence[Mapping[str, Measurement]]) -> list[str]:
    parts = ("supervisor", "api", "dispatcher", "gateway", "valkey", "server")
    lines = ["| figure | " + " | ".join(parts) + " |", "|---|" + "---:|" * len(parts)]
    for name in _names(rounds):
        taken = [measured[name] for measured in rounds if name in measured]
        costs = [_median_detail(taken, f"us_{part}") for part in parts]
        if any(cost is not None for cost in costs):
            cells = ["" if cost is None else f"{cost:,.2f}" for cost in costs]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _median_detail(taken: Sequence[Measurement], detail: str) -> float | None:
    found = [one.details[detail] for one in taken if detail in one.details]
    return median(found) if found else None


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
