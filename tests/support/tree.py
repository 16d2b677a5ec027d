"""The source tree as a fresh clone has it: what git tracks."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tracked(under: str = ".") -> list[str]:
    """Paths, relative to `ROOT`, of the tracked files under a path, those deleted since left out."""
    command = ["git", "ls-files", "-z", "--", under]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [name for name in listing.split("\0") if name and (ROOT / name).is_file()]
