"""The source tree of a fresh clone: the files that git tracks."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tracked(under: str = ".") -> list[str]:
    """Paths of the tracked files under a path, relative to `ROOT`, without deleted ones."""
    command = ["git", "ls-files", "-z", "--", under]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [name for name in listing.split("\0") if name and (ROOT / name).is_file()]
