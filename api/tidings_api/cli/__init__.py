"""The command `tidings-server`.

Exit codes: 0 done; 1 it could not be done, stderr says why in one line; 2 wrong usage;
78 the configuration is wrong, so trying again can't help; 130 interrupted.
"""

import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and exit; nothing but a set TIDINGS_LOG_LEVEL=debug shows a traceback."""
    try:
        # Here, not above: a Ctrl-C while they load is no traceback either.
        from tidings_api.cli.app import run  # noqa: PLC0415

        code = run()
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        # Whoever read our output has gone. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)
