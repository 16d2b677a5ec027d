"""Common parts of commands: options, and answers on stdout."""

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from tidings.protocol.times import timestamp
from tidings_api.cli.errors import CommandFailed

JsonOption = Annotated[bool, Parameter(name="--json", negative="", help="Answer with one line of JSON.")]
DataOption = Annotated[
    Path | None,
    Parameter(
        name="--data",
        help="Directory of the embedded store, running or not. Default: the store of REDIS_URL, else the one "
        "in TIDINGS_DATA (./.tidings).",
    ),
]
TenantOption = Annotated[str, Parameter(name="--tenant", help="The tenant's id.")]


def answer(value: object, text: str, *, as_json: bool) -> None:
    """Print the answer of a command: `value` as JSON, or `text` for people.

    Raises CommandFailed when stdout can't be written, and BrokenPipeError when its reader has stopped.
    """
    try:
        print(_json(value) if as_json else text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandFailed(f"the answer can't be written: {error.strerror}") from error


def _json(value: object) -> str:
    """One line of JSON, with times in the format of the API."""
    return msgspec.json.encode(_plain(msgspec.to_builtins(value, builtin_types=(datetime,)))).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return timestamp(int(value.timestamp() * 1000))
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def note(text: str) -> None:
    """Print a hint to stderr, so that stdout has only the answer and can be piped."""
    print(text, file=sys.stderr)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Headings and rows as text. A column is as wide as its widest cell; the last one is not padded."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (headings, *rows)
    )
    return "\n".join(lines)
