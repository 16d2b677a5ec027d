"""`tidings send --file`: one notification per line."""

import sys
from collections.abc import Iterator
from typing import IO, Any

import msgspec

from tidings import BatchResult
from tidings.cli.common import Common, WrongUsageError, note, print_json

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_TARGETS = {
    "users": "to_users",
    "groups": "to_groups",
    "all": "to_all",
    "exclude": "exclude",
    "topics": "to_topics",
}


def send_file(path: str, common: Common, idempotency_key: str | None) -> int:
    """Send each line. Returns 0 if the server accepted all of them, else 1."""
    if path == "-" and common.key_file == "-":
        raise WrongUsageError("Standard input cannot be both the key and the lines. Give a file for one")
    with common.client() as client, _opened(path) as lines:
        messages = _Messages(lines)
        accepted = refused = 0
        show_bar = sys.stderr.isatty() and not common.json
        for result in client.send_many(messages, progress=show_bar, idempotency_key=idempotency_key):
            line, reason = messages.line_of(result)
            accepted, refused = accepted + result.ok, refused + (not result.ok)
            if common.json:
                print_json({"line": line, **_plain(result, reason)})
            elif not result.ok:
                note(f"line {line}: {reason or result.error}")
    if not common.json:
        print(f"{accepted:,} accepted, {refused:,} refused")
    return 1 if refused else 0


def _plain(result: BatchResult, reason: str | None) -> dict[str, Any]:
    plain = result.to_dict()
    del plain["index"]
    if reason is not None:
        plain["error"] = {"code": "malformed_json", "detail": reason}
    return plain


class _Messages:
    """The messages of the lines. It keeps the line number of each message until its result arrives."""

    def __init__(self, lines: IO[bytes]) -> None:
        self._lines = lines
        self._numbers: dict[int, int] = {}
        self._reasons: dict[int, str] = {}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        index = 0
        for number, line in enumerate(self._lines, 1):
            if not line.strip():
                continue
            self._numbers[index] = number
            try:
                message = _as_keywords(_decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self._reasons[index], message = "it is not a JSON object", {}
            yield message
            index += 1

    def line_of(self, result: BatchResult) -> tuple[int, str | None]:
        """The line number of a result, and why the line is no message; None if it is one."""
        return self._numbers.pop(result.index), self._reasons.pop(result.index, None)


def _as_keywords(message: dict[str, Any]) -> dict[str, Any]:
    """The keywords of `send` for a message in the shape of the API, `{"to": {"users": [...]}, ...}`.

    A message that has the keywords already is returned unchanged.
    """
    to = message.pop("to", None)
    if not isinstance(to, dict):
        return message if to is None else {**message, "to": to}
    return {**message, **{_TARGETS.get(name, f"to.{name}"): value for name, value in to.items()}}


def _opened(path: str) -> IO[bytes]:
    if path == "-":
        return sys.stdin.buffer
    try:
        return open(path, "rb")  # noqa: PTH123 - the caller closes it
    except OSError as error:
        raise WrongUsageError(f"The file {path} cannot be read: {error.strerror}") from None
