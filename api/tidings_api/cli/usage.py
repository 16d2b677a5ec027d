"""The error line for wrong usage of `tidings-server`."""

import re
from difflib import get_close_matches
from typing import Final

from cyclopts import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    UnknownCommandError,
    UnusedCliTokensError,
    ValidationError,
)

_KINDS: Final = {int: "a whole number", float: "a number"}


def in_words(error: CycloptsError) -> str:
    """The fault of a command line, and the command that shows its usage."""
    command = " ".join(("tidings-server", *(error.command_chain or ())))
    fault = " ".join(_fault(error).split()).rstrip(".")
    return f"{fault}{'' if fault.endswith('?') else '.'} See `{command} --help`"


def _fault(error: CycloptsError) -> str:
    name = error.argument.name if error.argument is not None else ""
    match error:
        case MissingArgumentError():
            return f"{name} needs a value" if error.keyword else f"{name} is missing"
        case UnusedCliTokensError():
            return f"too many arguments: {' '.join(error.unused_tokens or ())}"
        case CoercionError(msg=None) if error.target_type in _KINDS and error.token is not None:
            return f"{name} takes {_KINDS[error.target_type]}, not {error.token.value!r}"
        case ValidationError() if error.__cause__ is not None:
            return f"{name}: {_bounds(str(error.__cause__))}"
        case UnknownCommandError():
            word = (error.unused_tokens or [""])[0]
            names = [] if error.app is None else [name for name in error.app if not name.startswith("-")]
            near = get_close_matches(word, names, n=1)
            return f"there is no command {word!r}" + (f". Did you mean {near[0]!r}?" if near else "")
        case _:
            text = str(error)
            return text[:1].lower() + text[1:]


def _bounds(text: str) -> str:
    text = re.sub(r"Must be >= (\d+)", r"it must be \1 or more", text)
    return re.sub(r"Must be <= (\d+)", r"it must be \1 or less", text)
