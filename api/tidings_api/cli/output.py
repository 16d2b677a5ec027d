"""What commands share: their options, and how they answer on stdout."""

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
        print(_json(value) if as_json else text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandFailed(f"the answer can't be written: {error.strerror}") from error


def _json(value: object) -> str:
    """One line, with times as the API writes them."""
    return msgspec.json.encode(_plain(msgspec.to_builtins(value, builtin_types=(datetime,)))).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return timestamp(int(value.timestamp() * 1000))
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


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
