"""Events: what happened, as webhooks, sinks and readers of `GET /v1/events` receive it."""

from typing import Any, Final, Literal, get_args

from msgspec import Struct

from tidings.protocol.names import Timestamp

EventType = Literal[
    "notification.stored",
    "notification.delivered",
    "notification.seen",
    "notification.read",
    "notification.archived",
    "notification.recalled",
    "notification.expired",
    "notification.action",
    "user.online",
    "user.offline",
    "connection.opened",
    "connection.closed",
    "message.received",
    "webhook.disabled",
]

EVENT_TYPES: Final[tuple[str, ...]] = get_args(EventType)

EVENT_PATTERNS: Final = [*EVENT_TYPES, *sorted({f"{kind.split('.')[0]}.*" for kind in EVENT_TYPES}), "*"]
"""The types, `user.*` for all that begin with `user.` and likewise for others, and `*` for all."""

EVENTS_LOST: Final = "events_lost"
"""The type of the notice that events are gone which the reader has not read. Its data is `{"count": n}`."""


class Event(Struct, frozen=True):
    """Something that happened.

    `id` is the same on every reading. `type` is one of `EVENT_TYPES`, and `data` depends on it. The type
    `events_lost` says that `count` events were removed before they were read.
    """

    id: str
    type: str
    timestamp: Timestamp
    data: dict[str, Any]
