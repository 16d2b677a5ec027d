"""The commands, each a module that is imported only when it runs, and the errors that they end with."""

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from cyclopts import App, CycloptsError

import tidings
from tidings.cli.common import WrongUsageError
from tidings.cli.wording import in_words

DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130

_ENVIRONMENT = (
    "TIDINGS_URL and TIDINGS_KEY say where and as whom; `tidings-server dev` prints both. `ps` shows a --key "
    "on the command line to every user of the machine: TIDINGS_KEY and --key-file are safer."
)

_COMMANDS = {
    "send": ("send:send", "Send a notification, or many from a file."),
    "get": ("get:get", "Print a notification that was sent, with its receipts."),
    "recall": ("recall:recall", "Take notifications back, from every inbox and open client."),
    "sent": ("sent:sent", "Print what was sent, newest first."),
    "receipts": ("receipts:receipts", "Print who received, saw and read it."),
    "listen": ("listen:listen", "Print a user's notifications as they arrive."),
    "inbox": ("inbox:inbox", "Print a user's inbox, newest first."),
    "mark": ("mark:mark", "Mark what is in a user's inbox."),
    "groups": ("groups:app", "List, change and delete groups."),
    "token": ("token:token", "Make a token for a user's browser or app."),
    "presence": ("presence:presence", "Print whether a user is online."),
    "disconnect": ("users:disconnect", "Close a user's connections; the clients stay away."),
    "erase": ("users:erase", "Delete all that is kept of a user."),
}

_WRONG = (CycloptsError, WrongUsageError, tidings.InvalidArgumentError, tidings.ConfigurationError)


def _app() -> App:
    app = App(
        name="tidings",
        help="Send notifications and watch them arrive.",
        help_epilogue=_ENVIRONMENT,
        version=lambda: tidings.__version__,
        result_action="return_value",
    )
    for name, (place, text) in _COMMANDS.items():
        app.command(f"tidings.cli.{place}", name=name, help=text)
    app.register_install_completion_command(
        add_to_startup=False, help="Install completion for the shell that you use (bash, zsh, fish)."
    )
    return app


def run(words: Sequence[str]) -> int:
    """Run one command line, without the program's name; its exit code."""
    if sys.stdout is None:  # closed by the shell: `>&-`
        _say("Standard output is closed. Redirect it to /dev/null where it is not wanted")
        return FAILED
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal of another encoding shows escapes for what it cannot show.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _app()(words, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except (
        CycloptsError,
        WrongUsageError,
        tidings.InvalidArgumentError,
        tidings.ConfigurationError,
    ) as error:
        _say(in_words(error) if isinstance(error, CycloptsError) else str(error))
        return WRONG_USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe has closed it, as `head` does.
        _forget_output()
        return FAILED
    except OSError as error:
        _forget_output()
        _say(f"The output cannot be written: {error.strerror or error}")
        return FAILED
    except tidings.TidingsError as error:
        _say(str(error))
        return FAILED
    return code or DONE


def _say(text: str) -> None:
    print(f"tidings: {' '.join(text.split())}", file=sys.stderr)


def _forget_output() -> None:
    """Python flushes once more at exit, and would print a traceback for the same error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
