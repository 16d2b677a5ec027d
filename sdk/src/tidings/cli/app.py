"""The commands, each in a module that is imported when it runs, and the exit code for each error."""

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
    "TIDINGS_URL and TIDINGS_KEY are the API's URL and the key; `tidings-server dev` prints both. `ps` shows "
    "a --key on the command line to every user of the machine: TIDINGS_KEY and --key-file are safer."
)

_COMMANDS = {
    "send": ("send:send", "Send a notification, or many from a file."),
    "get": ("get:get", "Print a notification that was sent, with its receipts."),
    "recall": ("recall:recall", "Recall notifications: remove them from every inbox and open client."),
    "sent": ("sent:sent", "Print sent notifications, newest first."),
    "export": ("export:export", "Write all sent notifications, oldest first, as lines of JSON."),
    "receipts": ("receipts:receipts", "Print the users who received, saw and read a notification."),
    "listen": ("listen:listen", "Print a user's notifications as they arrive."),
    "events": ("events:events", "Print what happened as it happens: reads, connections, messages."),
    "inbox": ("inbox:inbox", "Print a user's inbox, newest first."),
    "mark": ("mark:mark", "Mark items of a user's inbox."),
    "snooze": ("snooze:snooze", "Hide items of a user's inbox until a time."),
    "act": ("act:act", "Use an action of a notification."),
    "groups": ("groups:app", "List, change and delete groups."),
    "token": ("token:token", "Make a token for a user's browser or app."),
    "presence": ("presence:presence", "Print whether a user is online."),
    "disconnect": ("users:disconnect", "Close a user's connections; the clients do not reconnect."),
    "erase": ("users:erase", "Erase all data of a user."),
}


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
    """Run one command line, without the name of the program. Returns its exit code."""
    if sys.stdout is None:  # the shell closed it: `>&-`
        _print_error("Standard output is closed. Redirect it to /dev/null if you do not need it")
        return FAILED
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal with another encoding shows escapes for characters that it does not have.
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
        _print_error(in_words(error) if isinstance(error, CycloptsError) else str(error))
        return WRONG_USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader closed the pipe, as `head` does.
        _discard_output()
        return FAILED
    except OSError as error:
        _discard_output()
        _print_error(f"The output cannot be written: {error.strerror or error}")
        return FAILED
    except tidings.TidingsError as error:
        _print_error(str(error))
        return FAILED
    return code or DONE


def _print_error(text: str) -> None:
    print(f"tidings: {' '.join(text.split())}", file=sys.stderr)


def _discard_output() -> None:
    """Send further output to /dev/null: Python flushes at exit, and would print a traceback."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
