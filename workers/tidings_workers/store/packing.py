"""Arguments and replies of scripts as bytes."""

from typing import Any, Final

import msgspec

pack: Final = msgspec.msgpack.Encoder().encode


def text(value: Any) -> str:
    """A reply of Redis as text."""
    return value.decode() if isinstance(value, bytes) else str(value)
