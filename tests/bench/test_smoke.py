"""The benchmark measures everything that it reports, on a small scale."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import centrifugo
from bench.bars import BARS
from bench.references import compiler
from tests.support.tree import ROOT


@pytest.mark.timeout(400)  # a dozen servers start and stop, one after the other
@pytest.mark.skipif(compiler() is None, reason="one of the references is a C program")
def test_measures_everything_that_has_a_bar(tmp_path: Path) -> None:
    """A quick run succeeds, loses no notification, and has a verdict for every bar."""
    subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--output", tmp_path], cwd=ROOT, check=True, timeout=360
    )

    (written,) = tmp_path.glob("*.json")
    result: dict[str, Any] = json.loads(written.read_text())
    # The bars against Centrifugo need its binary.
    bars = [bar for bar in BARS if bar.reference not in centrifugo.FIGURES]
    assert [verdict["bar"]["measurement"] for verdict in result["bars"]] == [bar.measurement for bar in bars]
    assert written.with_suffix(".md").read_text().count("| at ") == len(bars)
