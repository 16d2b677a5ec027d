"""Users: their presence, and their erasure."""

from typing import Literal

from msgspec import Struct

from tidings.protocol.names import Timestamp, UserId


class OpenConnection(Struct, frozen=True):
    """One open connection; `device` is null when its client named none."""

    connection: str
    device: str | None
    connected_at: Timestamp


class Presence(Struct, frozen=True):
    """The presence of a user: online or not, and the open connections.

    `last_seen_at` is the current time while the user is online, else the time when the last connection
    closed; null for a user who never connected.
    """

    online: bool
    connections: list[OpenConnection]
    last_seen_at: Timestamp | None


class Erased(Struct, frozen=True, omit_defaults=True):
    """The data of a user that were erased: the number of each kind.

    `pending` names what may still have data of the user: `history`. Repeat the request later.
    """

    user: UserId
    notifications: int
    marks: int
    memberships: int
    devices: int
    connections: int
    erased_at: Timestamp
    pending: tuple[Literal["history"], ...] = ()
