"""The commands of `tidings-server`, and their options.

A command's module is imported only when the command runs. So small commands start fast.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from cyclopts import App, CycloptsError

from tidings_api.cli import EXIT_USAGE
from tidings_workers.addresses import masked

_EPILOGUE: Final = (
    "`tidings-server config` lists every setting; `tidings-server doctor` checks an installation."
)


def _version() -> str:
    try:
        return version("tidings-server")
    except PackageNotFoundError:
        return "not installed"


_COMMANDS: Final = {
    "dev": "dev:dev",
    "api": "parts:api",
    "dispatcher": "parts:dispatcher",
    "archiver": "parts:archiver",
    "gateway": "parts:gateway",
    "bridge": "bridge:bridge",
    "config": "settings:config",
    "doctor": "doctor:doctor",
    "archive": "archive:app",
    "tenants": "tenants:app",
    "keys": "keys:app",
    "token": "token:token",
    "restored": "restored:restored",
}


def _app(words: Sequence[str]) -> App:
    app = App(
        name="tidings-server",
        help="Tidings: a realtime notification service that anyone can host.",
        help_epilogue=_EPILOGUE,
        version=_version,
        result_action="return_value",
    )
    # The list of all commands shows the first line of each docstring, so it needs all modules.
    lists = not any(word in _COMMANDS or word == "--version" for word in words)
    for name, place in _COMMANDS.items():
        module, _, attribute = f"tidings_api.cli.{place}".partition(":")
        app.command(
            getattr(import_module(module), attribute) if lists else f"{module}:{attribute}", name=name
        )
    app.register_install_completion_command(
        add_to_startup=False, help="Install completion for the shell that you use (bash, zsh, fish)."
    )
    return app


def run(words: Sequence[str]) -> int:
    """Run one command line, without the program's name, and return its exit code.

    Wrong usage is one line on stderr. Raises the errors of the command.
    """
    try:
        return _app(words)(words, exit_on_error=False, print_error=False) or 0
    except CycloptsError as error:
        from tidings_api.cli.usage import in_words  # noqa: PLC0415 - only wrong usage needs it

        print(f"tidings-server: {masked(in_words(error))}", file=sys.stderr)
        return EXIT_USAGE
