"""Profiles: py-spy on every Python process of the server during a measurement.

A profiled run costs the servers a little, so its figures are not for publishing.
"""

import contextlib
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

_RATE: Final = 250
_SHOWN: Final = 25
_WAIT_SECONDS: Final = 20
_NOT_PYTHON: Final = {"valkey", "server"}


class NoProfiler(Exception):
    """py-spy is not installed."""


@contextlib.contextmanager
def unprofiled(name: str, processes: Mapping[str, int]) -> Iterator[None]:
    """Measure without a profiler."""
    del name, processes
    yield


class Profiler:
    """Writes `<workload>-<process>.folded` (stacks, for flame graphs) and `.txt` (the top functions)."""

    def __init__(self, directory: Path) -> None:
        beside = Path(sys.executable).with_name("py-spy")
        found = str(beside) if beside.exists() else shutil.which("py-spy")
        if found is None:
            raise NoProfiler("install py-spy to profile: pip install py-spy")
        self._program = found
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def __call__(self, name: str, processes: Mapping[str, int]) -> Iterator[None]:
        """Profile inside the block."""
        running = []
        for part, pid in processes.items():
            if part in _NOT_PYTHON:
                continue
            folded = self._directory / f"{name}-{part}.folded"
            command = [
                self._program,
                "record",
                "--format",
                "raw",
                "--rate",
                str(_RATE),
                "--output",
                str(folded),
            ]
            running.append(
                (
                    subprocess.Popen(
                        [*command, "--pid", str(pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                    ),
                    folded,
                )
            )
        try:
            yield
        finally:
            for process, _ in running:
                process.send_signal(signal.SIGINT)
            for process, folded in running:
                process.wait(_WAIT_SECONDS)
                if folded.exists():
                    folded.with_suffix(".txt").write_text(summary(folded.read_text()))


def summary(folded: str) -> str:
    """The functions with the most samples, and those with the most samples below them."""
    own: Counter[str] = Counter()
    below: Counter[str] = Counter()
    total = 0
    for line in folded.splitlines():
        stack, _, text = line.rpartition(" ")
        count, calls = int(text), [_function(call) for call in stack.split(";")]
        total += count
        own[calls[-1]] += count
        below.update(dict.fromkeys(calls, count))
    lines = [f"{total} samples"]
    for title, counter in (("in the function itself", own), ("with its callees", below)):
        lines += ["", title]
        lines += [f"{count / total:6.1%}  {name}" for name, count in counter.most_common(_SHOWN)]
    return "\n".join(lines) + "\n"


def _function(call: str) -> str:
    """A frame without its line number: `name (file)`."""
    name, _, place = call.partition(" (")
    path = place.rstrip(")").rpartition(":")[0]
    return f"{name} ({path})" if path else call
