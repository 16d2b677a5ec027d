"""Errors of wrong usage as one line of plain text."""

import re
from datetime import datetime
from difflib import get_close_matches

from cyclopts import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    UnknownCommandError,
    UnusedCliTokensError,
    ValidationError,
)

_KINDS = {int: "a whole number", float: "a number", datetime: "a time such as 2026-11-22T07:00:00Z"}


def in_words(error: CycloptsError) -> str:
    """The fault, and the command that shows the right usage."""
    command = " ".join(("tidings", *(error.command_chain or ())))
    fault = _fault(error).rstrip(".")
    return f"{fault}{'' if fault.endswith('?') else '.'} See `{command} --help`"


def _fault(error: CycloptsError) -> str:
    name = error.argument.name if error.argument is not None else ""
    match error:
        case MissingArgumentError():
            return f"{name} needs a value" if name.startswith("-") else f"{name} is missing"
        case UnusedCliTokensError():
            return f"Too many arguments: {' '.join(error.unused_tokens or ())}"
        case CoercionError(msg=None) if error.target_type in _KINDS and error.token is not None:
            return f"{name} takes {_KINDS[error.target_type]}, not {error.token.value!r}"
        case CoercionError() | ValidationError() if error.__cause__ is not None and str(error.__cause__):
            return f"{name}: {_bounds(str(error.__cause__))}"
        case UnknownCommandError():
            word = (error.unused_tokens or [""])[0]
            names = [] if error.app is None else [name for name in error.app if not name.startswith("-")]
            meant = get_close_matches(word, names, n=1)
            return f"There is no command {word!r}" + (f". Did you mean {meant[0]!r}?" if meant else "")
        case _:
            return str(error)


def _bounds(text: str) -> str:
    """The message of cyclopts about a number out of its range, in words."""
    text = re.sub(r"Must be >= (\d+)", r"it must be \1 or more", text)
    return re.sub(r"Must be <= (\d+)", r"it must be \1 or less", text)
