"""The items of a gateway's feed, as scripts write them (see publish.lua).

A gateway of another version may read them: add fields at the end, with a default. `base` is that of the log
where the change happened. `changes` is the number of changes of that log, this one included (see `Facts`).
"""

from typing import Final

import msgspec
from msgspec import Struct


class Appended(Struct, array_like=True, frozen=True, tag="n"):
    """A notification was appended. `exclude`: user ids separated by commas, or empty."""

    base: str
    position: int
    content: str
    expires: int
    exclude: str


class Removed(Struct, array_like=True, frozen=True, tag="r"):
    """A notification was recalled."""

    base: str
    position: int
    id: str
    changes: int


class Joined(Struct, array_like=True, frozen=True, tag="j"):
    """The user joined `group`: entries of its log after `position` belong to the user.

    `number` is that of the joining by the group's clock; 0 from earlier versions.
    """

    base: str
    position: int
    group: str
    changes: int
    number: int = 0


class Left(Struct, array_like=True, frozen=True, tag="l"):
    """The user left `group`: entries of its log after `position` do not belong to the user.

    `number` is that of the leaving by the group's clock; 0 from earlier versions.
    """

    base: str
    position: int
    group: str
    changes: int
    number: int = 0


class Hidden(Struct, array_like=True, frozen=True, tag="h"):
    """One position of a log is hidden from the user."""

    base: str
    position: int
    log_base: str
    changes: int


class Kicked(Struct, array_like=True, frozen=True, tag="k"):
    """The gateway must close these connections of the user with `code`. They are no longer registered."""

    base: str
    connections: list[str]
    code: int


class Erased(Struct, array_like=True, frozen=True, tag="e"):
    """The user was erased, with the entries of the user's log up to `position`."""

    base: str
    position: int
    changes: int


class Departed(Struct, array_like=True, frozen=True, tag="d"):
    """Users left a group: entries of its log after `position` do not belong to them. Empty: all members left.

    It is in the feed of the group before any later send to the group. The users' own `Left` follows. `number`
    is the last of these leavings by the group's clock; 0 from earlier versions.
    """

    base: str
    position: int
    users: list[str]
    number: int = 0


class ExpiredOrRetired(Struct, array_like=True, frozen=True, tag="x"):
    """Entries expired, or retention removed them.

    Every entry up to `floor` has been removed. `retired` is the last position that retention removed, or 0.
    """

    base: str
    positions: list[int]
    changes: int
    floor: int = 0
    retired: int = 0


class Marked(Struct, array_like=True, frozen=True, tag="s"):
    """The user's state changed. `change` is the JSON of a `Change`; `origin` as it was given to `mark`.

    Gateways of an earlier version do not send the change to the connection `origin`.
    """

    base: str
    version: int
    change: str
    origin: str
    changes: int


FeedItem = (
    Appended | Removed | Joined | Left | Hidden | Departed | Kicked | Erased | ExpiredOrRetired | Marked
)
decode_feed: Final = msgspec.msgpack.Decoder(list[FeedItem]).decode
