"""The outputs of a session: events for the application, and what its link or a caller has to do."""

import msgspec

from tidings._listen.errors import FrameRefusedError
from tidings._listen.events import Changed, Connected
from tidings.protocol.frames import (
    CaughtUp,
    Delivered,
    ErrorFrame,
    Gap,
    Joined,
    Left,
    Recalled,
    Reply,
    Subscribed,
    Unsubscribed,
)

Event = (
    Connected | Delivered | CaughtUp | Gap | Joined | Left | Changed | Recalled | ErrorFrame | Subscribed
    | Unsubscribed
)  # fmt: skip


class RefreshWanted(msgspec.Struct, frozen=True):
    """The token expires in `seconds`: send `refresh` with another one."""

    seconds: int


class Answered(msgspec.Struct, frozen=True):
    """The answer to the frame `ref`: its result, or the error that refused it."""

    ref: str
    result: Changed | Reply | FrameRefusedError


class Refused(msgspec.Struct, frozen=True):
    """The server refused to subscribe to a topic."""

    topic: str
    error: FrameRefusedError


Output = Event | RefreshWanted | Answered | Refused
