"""JSON text that is judged and kept without decoding its values.

Decoding has a cost that is not bounded by the length: a number such as 1e308 takes a decoder up to
20 us. So text that is only passed on stays text. Every check here takes well under 0.1 us per byte.
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
# Every digit is a zero, so that a search finds numbers by their form.
_FORMS: Final = bytes.maketrans(b"123456789E", b"000000000e")
_LONG_EXPONENT: Final = b"0e000"
# With an exponent of two digits a number needs 209 digits to be beyond a double.
_LONG_NUMBER: Final = b"0" * 200

_skip: Final = msgspec.json.Decoder(msgspec.Raw).decode
# Numbers stay text: whole ones are exact anyway, and the others are never computed.
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
    """Raises msgspec.DecodeError, UnicodeDecodeError or RecursionError unless the text is JSON."""
    _skip(text)
    if not text.isascii():
        text.decode()


def nests_deeper(text: bytes, levels: int) -> bool:
    """Whether arrays and objects of well-formed text nest deeper than that."""
    # Most texts cannot nest so deep, because they have fewer brackets than that.
    if text.count(b"[") + text.count(b"{") <= levels:
        return False
    steps = array("b", _STRING.sub(b"", text).translate(_STEPS, _NO_BRACKETS))
    return max(accumulate(steps), default=0) > levels


def exceeds_double(text: bytes) -> bool:
    """Whether well-formed text has a number beyond the range of a double, which no receiver can read."""
    forms = text.translate(_FORMS, b"+")
    if _LONG_EXPONENT not in forms and _LONG_NUMBER not in forms:
        return False
    numbers = _NUMBER.findall(_STRING.sub(b" ", text).decode("ascii"))
    return math.inf in map(abs, map(float, set(numbers)))


def canonical(text: bytes) -> bytes:
    """The same for the same JSON in another order or spacing; `text` is well-formed."""
    try:
        return _in_order(_loosely(text))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return text
