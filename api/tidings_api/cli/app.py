"""Runs one command line of `tidings-server`, and explains its error."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final

# Each process of an installation runs one of them. A part takes no options, so its process loads neither the
# parser of command lines nor the modules of another part.
_PARTS: Final = {"api", "archiver", "bridge", "dispatcher", "gateway"}


def run(words: Sequence[str]) -> int:
    """Run one command line, without the program's name, and return its exit code.

    An error is one line on stderr.
    """
    try:
        return _command(words)()
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the last place to turn it into a line for the operator
        return _explain(error)


def _command(words: Sequence[str]) -> Callable[[], int]:
    if len(words) == 1 and words[0] in _PARTS:
        part: Callable[[], int] = getattr(import_module("tidings_api.cli.parts"), words[0])
        return part
    from tidings_api.cli import command_line  # noqa: PLC0415 - a part needs none

    return lambda: command_line.run(words)


def _explain(error: Exception) -> int:
    from tidings_api.cli.problems import code_for, line_for  # noqa: PLC0415 - only a failure needs it

    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if os.environ.get("TIDINGS_LOG_LEVEL") == "debug":
        traceback.print_exception(error)
    print(f"tidings-server: {line_for(error)}", file=sys.stderr)
    return code_for(error)
