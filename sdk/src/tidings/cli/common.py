"""Options and output that the commands share."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from tidings.protocol.plain import to_plain

if TYPE_CHECKING:
    from tidings import Counts, Tidings

DEFAULT_URL = "http://127.0.0.1:8000"
RETRIES = 4


class WrongUsageError(Exception):
    """Options that exclude each other, or that are missing."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Common:
    """The options of every command: the API's URL, the key, retries and the form of the output."""

    url: Annotated[str, Parameter(env_var="TIDINGS_URL", help="The API's URL.")] = DEFAULT_URL
    key: Annotated[
        str | None,
        Parameter(
            help="A key, `TENANT.KID.SECRET`, instead of TIDINGS_KEY; `ps` shows it to everyone.",
            show_default=False,
        ),
    ] = None
    key_file: Annotated[
        str | None,
        Parameter(
            help="A file that holds the key, `-` for standard input.",
            show_default=False,
            allow_leading_hyphen=True,
        ),
    ] = None
    retries: Annotated[
        int, Parameter(help="How often to try again if no answer arrives.", validator=Number(gte=0))
    ] = RETRIES
    json: Annotated[
        bool, Parameter(negative="", show_default=False, help="Print one JSON object per line, for scripts.")
    ] = False

    @property
    def address(self) -> str:
        """The API's URL; an empty TIDINGS_URL counts as none."""
        return self.url.strip() or DEFAULT_URL

    def require_key(self) -> str:
        """The key. Raises WrongUsageError if there is none, or if both options are given."""
        if self.key and self.key_file:
            raise WrongUsageError("--key and --key-file exclude each other. Give one of them")
        key = self.key or (_read(self.key_file) if self.key_file else os.environ.get("TIDINGS_KEY"))
        if not key:
            raise WrongUsageError(
                "There is no key. Set TIDINGS_KEY, or give --key-file or --key; "
                "`tidings-server dev` prints one"
            )
        return key

    def client(self) -> "Tidings":
        """A client that acts for the tenant."""
        from tidings import Tidings  # noqa: PLC0415 - not for --help

        return Tidings(self.address, key=self.require_key(), retries=self.retries)


def _read(path: str) -> str:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise WrongUsageError(f"The key file {path} cannot be read: {reason}") from None
    if not text.strip():
        raise WrongUsageError(f"The key file {path} is empty")
    return text.strip()


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Owner:
    """The options that choose an inbox: a user with a key, or a user's own token."""

    user: Annotated[str | None, Parameter(help="Whose inbox.", show_default=False)] = None
    token: Annotated[
        str | None, Parameter(help="A user's own token, instead of a key and --user.", show_default=False)
    ] = None

    def client(self, common: Common) -> "Tidings":
        """A client that has access to the inbox."""
        from tidings import Tidings  # noqa: PLC0415 - as above

        return Tidings(common.address, key=self.key(common), token=self.token, retries=common.retries)

    def key(self, common: Common) -> str | None:
        """The key; None with a token. Raises WrongUsageError without a user and a token, or with both."""
        if (self.user is None) == (self.token is None):
            raise WrongUsageError("The inbox needs one user. Give --user, or a user's own --token")
        return None if self.token is not None else common.require_key()


def in_words(counts: "Counts") -> str:
    """Counts as text."""
    return f"{counts.unseen:,} unseen, {counts.unread:,} unread"


def plural(number: int, word: str) -> str:
    """`1 member`, `2 members`."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def print_json(value: Any) -> None:
    """Print one object in the shape of the API, on its own line, and flush."""
    sys.stdout.write(msgspec.json.encode(to_plain(value)).decode() + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Print a line for people on stderr: a script reads stdout."""
    print(text, file=sys.stderr, flush=True)
