"""The command `tidings`: send, listen, look into inboxes and mark what is in them, from a shell.

Exit codes: 0 done; 1 it could not be done, stderr says why in one line; 2 wrong usage.
"""

import sys
from typing import NoReturn

_MISSING = (
    "tidings: the command needs more than the SDK brings.\nInstall it with: pip install 'tidings[cli]'\n"
)


def main() -> NoReturn:
    """Run the command line and exit, never with a traceback for what can be wrong outside."""
    try:
        from tidings.cli.app import run  # noqa: PLC0415 - an extra of the distribution
    except ModuleNotFoundError as error:
        if error.name not in {"cyclopts", "rich"}:
            raise
        sys.stderr.write(_MISSING)
        sys.exit(1)
    sys.exit(run(sys.argv[1:]))
