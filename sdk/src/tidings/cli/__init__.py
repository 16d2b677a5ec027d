"""The command `tidings`: send notifications, listen, read inboxes and mark their items, from a shell.

Exit codes: 0 success; 1 failure, with the reason on one line of stderr; 2 wrong usage; 130 interrupted.
"""

import sys
from typing import NoReturn

_MISSING = (
    "tidings: the command needs packages that are not installed.\nInstall them: pip install 'tidings[cli]'\n"
)


def main() -> NoReturn:
    """Run the command line and exit. Errors of usage, files and the server give no traceback."""
    try:
        from tidings.cli.app import run  # noqa: PLC0415 - an extra of the distribution
    except ModuleNotFoundError as error:
        if error.name not in {"cyclopts", "rich"}:
            raise
        sys.stderr.write(_MISSING)
        sys.exit(1)
    sys.exit(run(sys.argv[1:]))
