"""The page of the SDK on a package index: its programs run, and it lists the requirements."""

import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from tests.docs.answers import differences
from tests.docs.documents import examples
from tests.support.stack import clean_environment, running_stack
from tests.support.tree import ROOT

SDK = ROOT / "sdk"


def test_the_programs_of_the_page_run(tmp_path: Path) -> None:
    """Each program, saved to a file, prints the documented output without a warning."""
    with running_stack(tmp_path) as stack:
        environment = clean_environment(TIDINGS_URL=stack.api, TIDINGS_KEY=stack.key)
        programs = [example for example in examples(SDK / "README.md") if example.language == "python"]
        assert len(programs) == 2
        for program in programs:
            done = subprocess.run(
                [sys.executable, "-W", "error", "-c", program.code],
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, "")
            assert program.answer is not None
            assert list(differences(*program.answer, done.stdout)) == []


def test_the_package_is_described() -> None:
    """The metadata has the page, keywords and Pythons, and no requirement excludes newer packages."""
    project = tomllib.loads((SDK / "pyproject.toml").read_text())["project"]
    assert project["readme"] == "README.md"
    assert project["keywords"]
    for version in ("3.11", "3.12", "3.13", "3.14"):
        assert f"Programming Language :: Python :: {version}" in project["classifiers"]
    ranges = {found.name: found.specifier for found in map(Requirement, project["dependencies"])}
    assert "15.0.1" in ranges["websockets"]
    for name in ("websockets", "msgspec", "anyio"):
        assert "0.99" in ranges[name] if name == "msgspec" else "99" in ranges[name]
