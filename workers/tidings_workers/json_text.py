"""Checks of JSON text that do not decode its values.

The length of a text does not limit the cost of decoding it: one number such as 1e308 takes up to 20 us.
So text that is only forwarded stays text. Each check here takes less than 0.1 us per byte.
"""

import math
import re
from array import array
from itertools import accumulate
from typing import Final

import msgspec

_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_BRACKETS: Final = b"[]{}"
_NO_BRACKETS: Final = bytes(set(range(256)) - set(_BRACKETS))
# An opening bracket is 1, a closing one -1 as a signed byte.
_STEPS: Final = bytes.maketrans(_BRACKETS, b"\x01\xff\x01\xff")
# Turns each digit into a zero, so that a search finds numbers by their form.
_FORMS: Final = bytes.maketrans(b"123456789E", b"000000000e")
_LONG_EXPONENT: Final = b"0e000"
# With an exponent of at most two digits, a number beyond a double has at least 209 digits.
_LONG_NUMBER: Final = b"0" * 200

_skip: Final = msgspec.json.Decoder(msgspec.Raw).decode
# Decimal numbers stay text, so they are not computed. Whole numbers are exact.
_loosely: Final = msgspec.json.Decoder(float_hook=msgspec.Raw).decode
_in_order: Final = msgspec.json.Encoder(order="deterministic").encode


def is_utf8(text: bytes) -> bool:
    """Whether the bytes are UTF-8 without surrogates."""
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def check_form(text: bytes) -> None:
    """Raise msgspec.DecodeError, UnicodeDecodeError or RecursionError unless the text is JSON."""
    _skip(text)
    if not text.isascii():
        text.decode()


def nests_deeper(text: bytes, levels: int) -> bool:
    """Whether arrays and objects of well-formed text nest deeper than `levels`."""
    # Most texts have fewer brackets than that, so they can't nest deeper.
    if text.count(b"[") + text.count(b"{") <= levels:
        return False
    steps = array("b", _STRING.sub(b"", text).translate(_STEPS, _NO_BRACKETS))
    return max(accumulate(steps), default=0) > levels


def exceeds_double(text: bytes) -> bool:
    """Whether well-formed text has a number beyond the range of a double, which most receivers can't read."""
    forms = text.translate(_FORMS, b"+")
    if _LONG_EXPONENT not in forms and _LONG_NUMBER not in forms:
        return False
    numbers = _NUMBER.findall(_STRING.sub(b" ", text).decode("ascii"))
    return math.inf in map(abs, map(float, set(numbers)))


def canonical(text: bytes) -> bytes:
    """A form that does not depend on the order of keys and on spaces. `text` is well-formed."""
    try:
        return _in_order(_loosely(text))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return text
