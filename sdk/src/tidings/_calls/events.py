"""Reading events."""

from collections.abc import Iterable
from typing import Final

import msgspec

from tidings._calls.call import Call, decoded, query, segment
from tidings._errors import InvalidArgumentError
from tidings.protocol.events import EVENT_TYPES
from tidings.protocol.rest import AcknowledgeEvents, EventList, EventsAcknowledged

PATH: Final = "/v1/events"

_read: Final = decoded(EventList)
_acknowledged: Final = decoded(EventsAcknowledged)


def type_names(types: Iterable[str] | str) -> str | None:
    """The types as a parameter; None for all. Raises InvalidArgumentError for an unknown one."""
    names = [types] if isinstance(types, str) else list(types)
    for name in names:
        if name not in EVENT_TYPES:
            known = ", ".join(EVENT_TYPES)
            raise InvalidArgumentError(f"{name!r} is no type of an event. The types are {known}")
    return ",".join(names) or None


def read(
    types: str | None, consumer: str | None, after: str | None, wait: int, limit: int
) -> Call[EventList]:
    """`GET /v1/events`."""
    if consumer is not None:
        segment("consumer", consumer)
    parts = query(types=types, consumer=consumer, after=after, wait=wait, limit=limit)
    return Call(method="GET", path=PATH, scope="events", query=parts, read=_read)


def acknowledge(consumer: str, ids: Iterable[str]) -> Call[EventsAcknowledged]:
    """`POST /v1/events/ack`."""
    body = msgspec.json.encode(AcknowledgeEvents(consumer, tuple(ids)))
    return Call(method="POST", path=f"{PATH}/ack", scope="events", body=body, read=_acknowledged)
