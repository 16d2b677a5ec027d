"""What commands share: their options, and how they answer on stdout."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from tidings_api.cli.errors import CommandFailed

JsonOption = Annotated[bool, Parameter(name="--json", negative="", help="Answer with one line of JSON.")]
DataOption = Annotated[
    Path | None,
    Parameter(
        name="--data",
        help="Directory of the embedded store, whether or not it is running. Without it the store is the "
        "one that REDIS_URL names, else the one in TIDINGS_DATA (default ./.tidings).",
    ),
]
TenantOption = Annotated[str, Parameter(name="--tenant", help="The tenant's id.")]


def answer(value: object, text: str, *, as_json: bool) -> None:
    """Print the answer of a command: `value` as JSON, or `text` for people.

    Raises CommandFailed when stdout can't take it, and BrokenPipeError when its reader has ended.
    """
    try:
        print(msgspec.json.encode(value).decode() if as_json else text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandFailed(f"the answer can't be written: {error.strerror}") from error


def note(text: str) -> None:
    """Say something beside the answer, on stderr, so that the answer can be piped."""
    print(text, file=sys.stderr)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows under headings in columns as wide as their widest cell; the last runs free."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (headings, *rows)
    )
    return "\n".join(lines)
