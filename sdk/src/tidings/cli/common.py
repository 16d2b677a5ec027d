"""What the commands share: whom they act as, and how they print."""

import sys
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

DEFAULT_URL = "http://127.0.0.1:8000"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Common:
    """Where to, as whom, and for whom to print."""

    url: Annotated[str, Parameter(env_var="TIDINGS_URL", help="The API's URL.")] = DEFAULT_URL
    key: Annotated[
        str | None,
        Parameter(env_var="TIDINGS_KEY", help="A key, `TENANT.KID.SECRET`.", show_default=False),
    ] = None
    json: Annotated[bool, Parameter(negative="", help="Print one JSON object per line, for scripts.")] = False

    def require_key(self) -> str:
        """The key. Raises ConfigurationError where there is none."""
        from tidings import ConfigurationError  # noqa: PLC0415 - loaded by then, and not for --help

        if not self.key:
            raise ConfigurationError(
                "There is no key: give --key or set TIDINGS_KEY. `tidings-server dev` prints one"
            )
        return self.key


def print_json(value: Any) -> None:
    """One object on a line of its own, at once."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """A word to the person at the terminal, beside what a script reads."""
    print(text, file=sys.stderr, flush=True)
