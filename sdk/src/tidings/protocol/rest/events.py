"""Reading events."""

from typing import Annotated

from msgspec import Meta, Struct

from tidings.protocol import limits
from tidings.protocol.events import Event
from tidings.protocol.names import ID_PATTERN

Consumer = Annotated[
    str,
    Meta(
        pattern=ID_PATTERN,
        max_length=limits.CONSUMER_LENGTH,
        description="The name of a consumer, whose position is on the server.",
    ),
]


class EventList(Struct, frozen=True):
    """Events. `next` is what the next request gives as `after`; null for a consumer."""

    events: list[Event]
    next: str | None


class AcknowledgeEvents(Struct, frozen=True, forbid_unknown_fields=True):
    """The events of a consumer that were processed."""

    consumer: Consumer
    ids: Annotated[tuple[str, ...], Meta(max_length=limits.EVENTS_MAXIMUM)]


class EventsAcknowledged(Struct, frozen=True):
    """How many of the events the consumer held until now."""

    acknowledged: int
