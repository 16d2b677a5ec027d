"""The command `tidings`: send, listen, look into inboxes and mark what is in them, from a shell.

Each subcommand is imported only when it runs. Exit codes: 0 done; 1 it could not be done, stderr says
why in one line; 2 wrong usage.
"""

import os
import sys
from typing import NoReturn

from cyclopts import App, CycloptsError

import tidings
from tidings.cli.common import WrongUsageError

app = App(
    name="tidings",
    help="Send notifications and watch them arrive.",
    help_epilogue="TIDINGS_URL and TIDINGS_KEY say where and as whom; `tidings-server dev` prints both.",
    version=lambda: tidings.__version__,
    result_action="return_value",
)
app.command("tidings.cli.send:send", name="send", help="Send a notification.")
app.command("tidings.cli.listen:listen", name="listen", help="Print a user's notifications as they come.")
app.command("tidings.cli.inbox:inbox", name="inbox", help="Print a user's inbox, newest first.")
app.command("tidings.cli.mark:mark", name="mark", help="Mark what is in a user's inbox.")
app.command("tidings.cli.sent:sent", name="sent", help="Print what was sent, newest first.")
app.command("tidings.cli.receipts:receipts", name="receipts", help="Print who got, saw and read it.")
app.command("tidings.cli.presence:presence", name="presence", help="Print whether a user is online.")


def main() -> NoReturn:
    """Run the command line and exit, never with a traceback for what can go wrong outside."""
    try:
        code = app(exit_on_error=False)
    except CycloptsError:
        code = 2
    except WrongUsageError as error:
        print(f"tidings: {error}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        # Whoever read our output has gone. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except tidings.TidingsError as error:
        print(f"tidings: {' '.join(str(error).split())}", file=sys.stderr)
        code = 1
    sys.exit(code or 0)
