"""The reason why a body is not JSON, in plain words."""

import re
from typing import Final

# An escaped high surrogate without a low one behind it. It is searched only when it may be the fault.
_LONE_HALF: Final = re.compile(rb"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])", re.DOTALL)
_SEARCHED_BYTES: Final = 64 * 1024
_LONE: Final = "a string has a lone surrogate, which is half of an escaped pair such as \\ud83d\\ude00"


def reason(text: bytes, error: Exception) -> str:
    """The reason why `text` is not JSON, as the end of a sentence. `error` is the decoder's."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not valid UTF-8"
    message = str(error).removeprefix("JSON is malformed: ").rstrip(".")
    if "surrogate" in message:
        return _LONE
    if "truncated" in message or "hex escape" in message:
        return _LONE if _LONE_HALF.search(text, 0, _SEARCHED_BYTES) else "it ends too early"
    return message
