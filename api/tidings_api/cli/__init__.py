"""The command `tidings-server`.

Exit codes: 0 success; 1 failure, with one line on stderr; 2 wrong usage; 78 wrong configuration, so a retry
can't succeed; 130 interrupted. docs/operations.md has the same table.
"""

import contextlib
import gc
import os
import sys
from typing import Final, NoReturn

EXIT_USAGE: Final = 2
_EXIT_INTERRUPTED: Final = 130


def main() -> NoReturn:
    """Run the command line and exit. A traceback is shown only with TIDINGS_LOG_LEVEL=debug."""
    if sys.stdout is None:  # closed by the shell: `>&-`
        print(
            "tidings-server: standard output is closed: redirect it to /dev/null if you do not need it",
            file=sys.stderr,
        )
        sys.exit(1)
    # Imports make no garbage: the search for cycles took a tenth of a start. A process that stays enables it.
    gc.disable()
    try:
        # Imported here, so that a Ctrl-C during the import shows no traceback.
        from tidings_api.cli.app import run  # noqa: PLC0415

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = _EXIT_INTERRUPTED
    except BrokenPipeError:
        code = 1
    sys.exit(_written(code))


def _written(code: int) -> int:
    """Flush the answer. Returns the exit code: `code`, or 1 when the flush fails."""
    try:
        sys.stdout.flush()
    except OSError as error:
        _discard_output()
        if code == 0 and not isinstance(error, BrokenPipeError):
            with contextlib.suppress(OSError):
                print(f"tidings-server: the answer can't be written: {error.strerror}", file=sys.stderr)
        return code or 1
    return code


def _discard_output() -> None:
    """Replace stdout by /dev/null, so that Python's flush at exit does not fail with a traceback."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
