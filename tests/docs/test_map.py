"""The paths in the map of the code exist."""

import re

from tests.support.tree import ROOT, tracked

_PATH = re.compile(r"`([\w.-]+(?:/[\w.-]+)*/?)`")


def named(text: str) -> set[str]:
    """The paths that a document names: code spans with a slash or the suffix of a file of ours."""
    return {path for path in _PATH.findall(text) if "/" in path or path.endswith((".py", ".md", ".toml"))}


def test_each_path_of_the_map_exists() -> None:
    """CONTRIBUTING.md names only files and directories that a clone has."""
    files = tracked()
    paths = named((ROOT / "CONTRIBUTING.md").read_text())
    assert len(paths) > 40
    missing = [
        path
        for path in sorted(paths)
        if not any(f"{name}/".startswith(f"{path.rstrip('/')}/") for name in files)
    ]
    assert missing == []
