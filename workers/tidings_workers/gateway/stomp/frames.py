"""Frames of STOMP 1.0, 1.1 and 1.2: their parts, their limits, and their bytes.

The versions differ in the escapes of headers. Version 1.0 has none, so that a header cannot have a line end.
CONNECT, STOMP and CONNECTED have no escapes in any version.
"""

import re
from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

Version = Literal["1.0", "1.1", "1.2"]
VERSIONS: Final[tuple[Version, ...]] = ("1.2", "1.1", "1.0")

# In bytes, from the command to the NUL.
FRAME_BYTES: Final = 64 * 1024
HEADERS: Final = 64

HEARTBEAT: Final = b"\n"

# These frames are the same in every version, so they have no escapes.
UNESCAPED: Final = frozenset({"CONNECT", "STOMP", "CONNECTED"})

_ESCAPES: Final[dict[Version, dict[str, str]]] = {
    "1.0": {},
    "1.1": {"\\": "\\\\", "\n": "\\n", ":": "\\c"},
    "1.2": {"\\": "\\\\", "\n": "\\n", ":": "\\c", "\r": "\\r"},
}
_TABLES: Final = {version: str.maketrans(escapes) for version, escapes in _ESCAPES.items()}
_MEANINGS: Final = {
    version: {escape: text for text, escape in escapes.items()} for version, escapes in _ESCAPES.items()
}
_IS_SPECIAL: Final = re.compile(r"[\\\n:\r\0]").search
_ESCAPE: Final = re.compile(r"\\.?", re.DOTALL)


class StompError(Exception):
    """A frame breaks the rules of STOMP. `code` is in the table of error codes, `detail` is for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Frame(Struct, frozen=True):
    """One frame. Of repeated headers, the first is kept."""

    command: str
    headers: dict[str, str]
    body: bytes = b""


def is_representable(text: str, version: Version) -> bool:
    """Whether a header of this version can have this value. None can have a NUL."""
    return (
        "\0" not in text and ("\r" not in text or version == "1.2") and ("\n" not in text or version != "1.0")
    )


def escaped(text: str, version: Version) -> str:
    """The value of a header as it is sent. Its caller has checked `is_representable`."""
    return text.translate(_TABLES[version]) if _IS_SPECIAL(text) else text


def unescaped(text: str, version: Version) -> str:
    """The value of a received header. Raises StompError for an escape that the version does not have."""
    if version == "1.0" or "\\" not in text:
        return text
    meanings = _MEANINGS[version]

    def meaning(match: re.Match[str]) -> str:
        found = meanings.get(match[0])
        if found is None:
            raise StompError(
                "malformed_request",
                f"STOMP {version} has no escape {match[0]!r} in a header. Write a backslash as \\\\.",
            )
        return found

    return _ESCAPE.sub(meaning, text)


def lines(headers: Iterable[tuple[str, str]], version: Version) -> str:
    """The lines of headers, escaped, each with its line end."""
    return "".join([f"{escaped(name, version)}:{escaped(value, version)}\n" for name, value in headers])


def encode(command: str, headers: Iterable[tuple[str, str]], body: bytes, version: Version) -> bytes:
    """The bytes of a frame, with `content-length` and the NUL at its end."""
    if command in UNESCAPED:
        head = "".join([f"{name}:{value}\n" for name, value in headers])
    else:
        head = lines(headers, version)
    return f"{command}\n{head}content-length:{len(body)}\n\n".encode() + body + b"\0"
