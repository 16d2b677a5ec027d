"""Arguments and replies of scripts as bytes."""

from typing import Any, Final

import msgspec

pack: Final = msgspec.msgpack.Encoder().encode


class Packed(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A request to a script, or an item of one, as the list of its fields.

    The names and their order are those in the header of the script. A process calls only the scripts of its
    own version, so a field may have any place.
    """

    # Without the garbage collector, of which these are in no cycle, they cost as little as lists.


def text(value: Any) -> str:
    """A reply of Redis as text."""
    return value.decode() if isinstance(value, bytes) else str(value)
