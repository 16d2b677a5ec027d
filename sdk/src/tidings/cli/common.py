"""What the commands share: whom they act as, and how they print."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter

if TYPE_CHECKING:
    from tidings import Counts, Tidings

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


class WrongUsageError(Exception):
    """Options that do not go together."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Owner:
    """Whose inbox: a user's, with a key; or that of a user's own token."""

    user: Annotated[str | None, Parameter(help="Whose inbox.", show_default=False)] = None
    token: Annotated[
        str | None, Parameter(help="A user's own token, instead of a key and --user.", show_default=False)
    ] = None

    def client(self, common: Common) -> "Tidings":
        """A client that may work on the inbox."""
        from tidings import Tidings  # noqa: PLC0415 - as above

        return Tidings(common.url, key=self.key(common), token=self.token)

    def key(self, common: Common) -> str | None:
        """The key, where there is no token. Raises WrongUsageError where nobody is named, or by both."""
        if (self.user is None) == (self.token is None):
            raise WrongUsageError("Say whose inbox: give --user, or a user's own --token")
        return None if self.token is not None else common.require_key()


def in_words(counts: "Counts") -> str:
    """Counts for people."""
    return f"{counts.unseen} unseen, {counts.unread} unread"


def print_json(value: Any) -> None:
    """One object on a line of its own, at once."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """A word to the person at the terminal, beside what a script reads."""
    print(text, file=sys.stderr, flush=True)
