"""The ranges in both `pyproject.toml` and the versions in `constraints.txt` agree, on every machine."""

import re

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.tree import tracked
from tools.constraints import CONSTRAINTS, ROOT, requirements

LOCK_NAMES = re.compile(
    r"(^|/)(package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|uv\.lock|constraints\.txt)$"
)
INDEX = re.compile(r"^\s*(-i|-f|--(extra-)?index-url|--find-links|--trusted-host)\b|\bfile://", re.MULTILINE)


def pins() -> dict[str, Version]:
    lines = [line for line in CONSTRAINTS.read_text().splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): Version(text) for name, text in (line.split("==") for line in lines)}


def test_constraints_satisfy_every_range() -> None:
    """Each requirement of both distributions and their tools has one version within its range."""
    versions = pins()
    misfits = [
        requirement
        for requirement in map(Requirement, requirements())
        if versions.get(canonicalize_name(requirement.name), Version("0")) not in requirement.specifier
    ]
    assert misfits == []


def test_locks_name_no_source() -> None:
    """No tracked lock names the source of its packages, because each machine has its own index."""
    locks = [ROOT / name for name in tracked() if LOCK_NAMES.search(name)]
    assert CONSTRAINTS in locks
    sourced = [path for path in locks if '"resolved"' in (text := path.read_text()) or INDEX.search(text)]
    assert sourced == []
