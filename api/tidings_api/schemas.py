"""Writes the documents of the public interface to `openapi/`, or compares them with the code."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tidings_api.app import describe
from tidings_api.asyncapi import describe_realtime, describe_types

DOCUMENTS: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "openapi.json": describe,
    "asyncapi.json": describe_realtime,
    "schema.json": describe_types,
}


def stale(directory: Path) -> list[str]:
    """The documents in `directory` that are missing or differ from the code."""
    return [
        name
        for name, make in DOCUMENTS.items()
        if not (directory / name).is_file() or (directory / name).read_text() != _text(make())
    ]


def write(directory: Path) -> None:
    """Write all documents into `directory`."""
    directory.mkdir(exist_ok=True)
    for name, make in DOCUMENTS.items():
        (directory / name).write_text(_text(make()))


def main() -> int:
    """Write the documents. With --check compare them; the exit code is 1 when one is stale."""
    parser = argparse.ArgumentParser(prog="python -m tidings_api.schemas", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("--directory", type=Path, default=Path("openapi"))
    options = parser.parse_args()
    if not options.check:
        write(options.directory)
        return 0
    names = stale(options.directory)
    for name in names:
        sys.stderr.write(
            f"{options.directory / name} differs from the code: run python -m tidings_api.schemas\n"
        )
    return 1 if names else 0


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
