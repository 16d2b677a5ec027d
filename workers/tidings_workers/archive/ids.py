"""Ids of notifications, in the forms that the databases hold. Pure."""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

LAST_ID: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"
"""No id is higher."""

_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_TIMES: Final = 1 << 48


class Ids(NamedTuple):
    """How a database takes and gives ids."""

    stored: Callable[[str], Any]
    read: Callable[[Any], str]


def _text_of(value: bytes) -> str:
    text = value.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _bytes_of(text: str) -> bytes:
    return bytes.fromhex(text.replace("-", ""))


AS_BYTES: Final = Ids(_bytes_of, _text_of)
"""The 16 bytes of the UUID, which have the order of the texts."""
AS_UUIDS: Final = Ids(str, str)
"""The values of a driver that takes texts and gives UUIDs."""


def is_id(text: str) -> bool:
    """Whether a text is an id. Another one is in no archive."""
    return _ID(text) is not None


def milliseconds_of_id(notification: str) -> int:
    """The time in an id, as `store.ids.milliseconds_of_id`: the store is above this package."""
    return int(notification[:8] + notification[9:13], 16)


def first_id(at: int) -> str:
    """The lowest id of a millisecond: each id of this or a later one is at least as high."""
    digits = f"{min(at, _TIMES - 1):012x}"
    return f"{digits[:8]}-{digits[8:]}-0000-0000-000000000000"
