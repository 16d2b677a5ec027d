"""Copies the files that `npm run build` makes in `sdk/browser` into the API's package, or compares them.

The copies are tracked, so that a server is installed without Node; `--check` finds outdated ones.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
BUILT: Final = ROOT / "sdk" / "browser" / "dist"
SERVED: Final = ROOT / "api" / "tidings_api" / "static"
# The served name, and the name in the build.
FILES: Final = {
    "widget.js": "tidings.js",
    "widget.mjs": "widget.mjs",
    "parts.mjs": "parts.mjs",
    "toasts.mjs": "toasts.mjs",
    "tidings.mjs": "tidings.mjs",
}


def main() -> int:
    """Copy the files. With --check compare them; the exit code is 1 when a copy differs."""
    parser = argparse.ArgumentParser(prog="python tools/browser_files.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of copying")
    check = parser.parse_args().check
    stale = [name for name, built in FILES.items() if not _same(SERVED / name, BUILT / built)]
    for name in stale:
        if check:
            sys.stderr.write(
                f"{(SERVED / name).relative_to(ROOT)} differs from its sources: run make browser\n"
            )
        else:
            SERVED.mkdir(exist_ok=True)
            (SERVED / name).write_bytes((BUILT / FILES[name]).read_bytes())
    return 1 if check and stale else 0


def _same(served: Path, built: Path) -> bool:
    return served.is_file() and served.read_bytes() == built.read_bytes()


if __name__ == "__main__":
    sys.exit(main())
