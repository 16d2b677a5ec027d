"""Why a body is not JSON, in words."""

import re
from typing import Final

# A high half that has no low one behind it. Looked for only where it may be what is wrong.
_LONE_HALF: Final = re.compile(rb"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])", re.DOTALL)
_LOOKED_AT: Final = 64 * 1024
_LONE: Final = "a string has a lone surrogate, which is half of an escaped pair such as \\ud83d\\ude00"


def reason(text: bytes, error: Exception) -> str:
    """Why a text is not JSON, as the end of a sentence."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not valid UTF-8"
    said = str(error).removeprefix("JSON is malformed: ").rstrip(".")
    if "surrogate" in said:
        return _LONE
    if "truncated" in said or "hex escape" in said:
        return _LONE if _LONE_HALF.search(text, 0, _LOOKED_AT) else "it ends too early"
    return said
