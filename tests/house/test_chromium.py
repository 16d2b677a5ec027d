"""The script that finds or installs a browser for the tests."""

import shutil
import subprocess
from pathlib import Path

from tests.support.tree import ROOT

SCRIPT = ROOT / "tools/chromium"


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    """Run it with these environment variables only."""
    return subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, timeout=30, check=False)


def commands(directory: Path, *names: str) -> str:
    """A search path with only these commands and those that the script needs."""
    for name in ("bash", "cat", *names):
        if found := shutil.which(name):
            (directory / name).symlink_to(found)
        else:
            (directory / name).write_text("#!/bin/sh\n")
            (directory / name).chmod(0o755)
    return str(directory)


def test_an_installed_one_is_used(tmp_path: Path) -> None:
    """A browser on the search path is used, and nothing is installed."""
    told = run(PATH=commands(tmp_path, "chromium"))
    assert (told.returncode, told.stdout.strip()) == (0, str(tmp_path / "chromium"))


def test_one_that_is_named_is_used(tmp_path: Path) -> None:
    """CHROMIUM takes precedence over the search path."""
    own = shutil.which("true")
    assert own
    assert run(PATH=commands(tmp_path, "chromium"), CHROMIUM=own).stdout.strip() == own


def test_a_missing_one_that_is_named_is_an_error(tmp_path: Path) -> None:
    """A wrong CHROMIUM is an error, and no other browser is used."""
    told = run(PATH=commands(tmp_path, "chromium"), CHROMIUM="/nowhere/chrome")
    assert (told.returncode, told.stdout) == (1, "")
    assert "/nowhere/chrome" in told.stderr


def test_without_any_it_says_what_to_do(tmp_path: Path) -> None:
    """Without a browser, and without a way to install one, it fails with the cures."""
    told = run(PATH=commands(tmp_path))
    assert (told.returncode, told.stdout) == (1, "")
    assert "apt-get install chromium" in told.stderr
    assert "CHROMIUM=" in told.stderr
