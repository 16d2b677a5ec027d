"""The command `tidings-server`.

Exit codes: 0 done; 1 not done, stderr says why in one line; 2 wrong usage; 78 the configuration is
wrong, so another try can't help; 130 interrupted. docs/operations.md has the same table.
"""

import contextlib
import os
import sys
from typing import Final, NoReturn

EXIT_USAGE: Final = 2
_EXIT_INTERRUPTED: Final = 130


def main() -> NoReturn:
    """Run the command line and exit; nothing but a set TIDINGS_LOG_LEVEL=debug shows a traceback."""
    if sys.stdout is None:  # closed by the shell: `>&-`
        print(
            "tidings-server: standard output is closed: redirect it to /dev/null where it is not wanted",
            file=sys.stderr,
        )
        sys.exit(1)
    try:
        # Here, not above: a Ctrl-C while they load is no traceback either.
        from tidings_api.cli.app import run  # noqa: PLC0415

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = _EXIT_INTERRUPTED
    except BrokenPipeError:
        code = 1
    sys.exit(_written(code))


def _written(code: int) -> int:
    """Write what is buffered of the answer; the exit code, which is 1 where that fails."""
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
    """Keep Python from flushing once more at its exit what can't be written, with a traceback."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
