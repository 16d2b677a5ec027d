"""`make run` reports what it does, and its errors show the options for `make run`."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.stack import clean_environment
from tests.support.tree import ROOT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A directory with the Makefile and the files that its rules need."""
    for name in ("Makefile", "pyproject.toml", "sdk/pyproject.toml", "constraints.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def make(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = clean_environment()
    # These are set by a `make` that runs these tests.
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "ARGS"):
        environment.pop(name, None)
    return subprocess.run(
        ["make", *words],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_port_in_use_is_explained_in_words_of_make(checkout: Path) -> None:
    """Under make an error about a port shows how to pass the option through make."""
    (checkout / ".venv").symlink_to(sys.prefix)
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        ended = make(checkout, "--assume-old=.venv/.installed", "run", f"ARGS=--port {port} --data d")
    assert ended.returncode == 2
    lines = ended.stderr.splitlines()
    assert lines[0] == f"starting Tidings, data in {checkout / 'd'}"
    assert f'make run ARGS="--port {port + 1000}"' in lines[1]


@pytest.mark.parametrize(("code", "ends"), [(0, True), (1, False)])
def test_installing_says_how_long_it_takes(checkout: Path, code: int, *, ends: bool) -> None:
    """There is a line before the installation and one with its seconds after it, but none after a failure."""
    python = checkout / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\nexit {code}\n")
    python.chmod(0o700)
    (checkout / ".venv").mkdir()
    ended = make(checkout, "BIN=bin", "install")
    assert ended.returncode == (0 if code == 0 else 2)
    assert ended.stderr.startswith("installing Tidings into .venv")
    assert ("installed after" in ended.stderr) is ends
    assert (checkout / ".venv" / ".installed").exists() is ends


def test_both_suites_run_and_report(checkout: Path) -> None:
    """When the browser's tests fail, Python's tests still run, and `make test` fails."""
    python = checkout / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "ran $*"\n')
    python.chmod(0o755)
    (checkout / ".venv/.developed").touch()
    # There is no sdk/browser here, so its tests fail.
    done = make(checkout, "test")
    assert done.stdout.count("ran -m pytest") == 3  # those beside the browser's tests, and the others
    assert done.returncode != 0
    assert make(checkout, "test", "ARGS=tests/house").returncode == 0
