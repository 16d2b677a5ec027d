"""Write `constraints.txt`: one tested version of everything that both distributions need.

Both are resolved together, with the tools of development, so that one file serves `make install`,
the tests and the image. It has versions only: no index and no path.
"""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
HEADER = "# One tested version of everything, by `make constraints`; the ranges are in pyproject.toml.\n"


def requirements() -> Iterator[str]:
    """All requirements of both distributions, extras and build systems, except for each other."""
    for path in (ROOT / "pyproject.toml", ROOT / "sdk" / "pyproject.toml"):
        document = tomllib.loads(path.read_text())
        project = document["project"]
        extras = project.get("optional-dependencies", {}).values()
        yield from document["build-system"]["requires"]
        for group in (project["dependencies"], *extras):
            yield from (requirement for requirement in group if not requirement.startswith("tidings"))


def main() -> None:
    """Resolve all requirements. Versions in the file are kept, unless `--upgrade` is given."""
    command = [
        *(sys.executable, "-m", "piptools", "compile", "-", "--output-file", str(CONSTRAINTS)),
        *("--quiet", "--no-header", "--no-annotate", "--strip-extras", "--resolver=backtracking"),
        *("--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links", *sys.argv[1:]),
    ]
    subprocess.run(command, input="\n".join(requirements()), text=True, check=True, cwd=ROOT)
    pins = [line for line in CONSTRAINTS.read_text().splitlines(keepends=True) if not line.startswith("#")]
    CONSTRAINTS.write_text(HEADER + "".join(pins).strip() + "\n")


if __name__ == "__main__":
    main()
