"""The commands of `tidings-server`, each a module that is imported only when it runs.

So `--help` and the operator's small commands start fast, and a part loads nothing of another part.
"""

import os
import sys
import traceback
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from cyclopts import App, CycloptsError

from tidings_workers.config import EXIT_CONFIGURATION, ConfigurationError

_EPILOGUE: Final = (
    "`tidings-server config` lists every setting; `tidings-server doctor` checks an installation."
)


def _version() -> str:
    try:
        return version("tidings-server")
    except PackageNotFoundError:
        return "not installed"


app = App(
    name="tidings-server",
    help="Tidings: a realtime notification service that anyone can host.",
    help_epilogue=_EPILOGUE,
    version=_version,
    result_action="return_value",
)
app.command("tidings_api.cli.dev:dev", name="dev")
app.command("tidings_api.cli.parts:api", name="api")
app.command("tidings_api.cli.parts:dispatcher", name="dispatcher")
app.command("tidings_api.cli.parts:gateway", name="gateway")
app.command("tidings_api.cli.settings:config", name="config")
app.command("tidings_api.cli.doctor:doctor", name="doctor")
app.command("tidings_api.cli.tenants:app", name="tenants")
app.command("tidings_api.cli.keys:app", name="keys")
app.command("tidings_api.cli.token:token", name="token")


def run() -> int:
    """Run the command of `sys.argv`; its exit code. Errors are said in one line on stderr."""
    try:
        return app(exit_on_error=False) or 0
    except CycloptsError:
        return 2  # it has been said
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the last place to turn it into a line for the operator
        return _explain(error)


def _explain(error: Exception) -> int:
    from tidings_api.cli.problems import line_for  # noqa: PLC0415 - only a failure needs it

    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if os.environ.get("TIDINGS_LOG_LEVEL") == "debug":
        traceback.print_exception(error)
    print(f"tidings-server: {line_for(error)}", file=sys.stderr)
    return EXIT_CONFIGURATION if isinstance(error, ConfigurationError) else 1
