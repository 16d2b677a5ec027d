"""The start of a process, which disables the search for cycles while it imports."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tidings_api.cli import app, development, parts
from tidings_workers import logs


@pytest.fixture(autouse=True)
def disabled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As after the start; the process of the tests gets its own values back."""
    threshold = gc.get_threshold()
    monkeypatch.setattr(logs, "configure", lambda *_, **__: None)
    gc.disable()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)
    gc.enable()


async def serve(*_: Any) -> None:
    """A part that ends at once."""


def run_dev(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seen: Callable[..., None]) -> None:
    monkeypatch.setattr(development, "run", seen)
    # `dev` sets it for its parts.
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    app.run(["dev", "--data", str(tmp_path)])


def run_part(monkeypatch: pytest.MonkeyPatch, _: Path, seen: Callable[..., None]) -> None:
    def serving(*_: Any) -> Any:
        seen()
        return serve()

    monkeypatch.setattr(parts, "_serve", serving)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    app.run(["dispatcher"])


@pytest.mark.parametrize("run", [run_dev, run_part])
def test_a_process_that_stays_collects_cycles(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`dev` and a part have the search for cycles enabled when they serve."""
    found: list[bool] = []
    run(monkeypatch, tmp_path, lambda *_: found.append(gc.isenabled()))
    assert found == [True]
