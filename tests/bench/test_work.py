"""The work of hot paths: counted, so that a path that does more is found beside any other work."""

import subprocess
import sys

from bench import work
from tests.support.tree import ROOT


def test_hot_paths_do_no_more_than_recorded() -> None:
    """A hot path takes at most 1.15 of the recorded calls and commands; else `make work ARGS=--record`."""
    command = [sys.executable, "-m", "bench.work"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr


def test_path_that_does_more_is_named() -> None:
    """A path that takes 16 % more calls or commands than recorded is named with both figures."""
    accepted = {"send": work.Work(100, 10)}
    assert work.over_limit({"send": work.Work(114, 11.4)}, accepted) == []
    (calls,) = work.over_limit({"send": work.Work(116, 10)}, accepted)
    (commands,) = work.over_limit({"send": work.Work(100, 11.6)}, accepted)
    assert calls == "send takes 116 calls per unit, and 100 are recorded"
    assert commands == "send takes 11.6 commands per unit, and 10 are recorded"


def test_each_path_is_recorded() -> None:
    """Sends, fan-out, connections and resumes are compared."""
    assert set(work.recorded().paths) == {
        "connections opened",
        "everybody resumes",
        "direct, one per request",
        "direct, batch",
        "fan-out, steady",
        "fan-out, burst",
    }
