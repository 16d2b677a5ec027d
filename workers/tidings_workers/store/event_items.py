"""Events as scripts return them, and as readers get them."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from tidings.protocol.events import EVENTS_LOST
from tidings.protocol.times import timestamp
from tidings_workers.store.packing import Packed, text

_ID: Final = re.compile(r"evt_([0-9a-f]{1,13})_([0-9a-f]{1,3})_([0-9]{1,16})(?:_([0-9]{1,16}))?").fullmatch


class Event(NamedTuple):
    """An event. `at` is Unix ms, `user` whom it is about, if anybody, and `data` JSON."""

    id: str
    type: str
    at: int
    user: str | None
    data: bytes


class EventBatch(NamedTuple):
    """Events in the order of their times, and the position of the reader behind them, by partition.

    `more` says that others can be read at once. Notices of lost events are the first ones.
    """

    events: list[Event]
    positions: dict[int, int]
    more: bool


class Part(NamedTuple):
    """Numbers of one entry: `first` to `last`. With a log, its positions after `after` belong to them."""

    partition: int
    first: int
    last: int
    type: str
    data: bytes
    at: int
    log_base: str
    after: int


class Lost(NamedTuple):
    """Numbers of a partition that are gone: so many behind `after`."""

    partition: int
    after: int
    events: int


class IdsAt(Packed, frozen=True):
    """An item of ids_at.lua: positions of a log whose notifications the user may see."""

    base: str
    after: int
    up_to: int
    user: str


class _About(Struct):
    user: str | None = None


_about: Final = msgspec.json.Decoder(_About).decode


def part_of(partition: int, row: Sequence[Any]) -> Part:
    """A part from a row of read_events.lua or claim_events.lua."""
    first, last, kind, data, at, span = row
    base, after = "", 0
    if span:
        base, start, _ = text(span).rsplit(" ", 2)
        after = int(start)
    return Part(partition, int(first), int(last), text(kind), data, int(at), base, after)


def user_of(data: bytes) -> str | None:
    """The user in the data of an event."""
    return _about(data).user


def event_id(part: Part, number: int) -> str:
    """The id of the event with this number. The time keeps it apart from one of lost data."""
    return f"evt_{part.at:x}_{part.partition:x}_{number}"


def body_of(event: Event) -> bytes:
    """The JSON of an event for an application: `{"type", "timestamp", "data"}`."""
    words = event.type.encode(), timestamp(event.at).encode(), event.data
    return b'{"type":"%b","timestamp":"%b","data":%b}' % words


def place_of(identity: str) -> tuple[int, str] | None:
    """The partition of an event, and how a consumer holds it there; None when the text is not an id."""
    found = _ID(identity)
    if not found:
        return None
    at, partition, number, count = found.groups()
    member = number if count is None else f"lost {int(at, 16)} {number} {count}"
    return int(partition, 16), member


def events_of(part: Part, found: Iterable[tuple[int, str]]) -> list[Event]:
    """The events of a part. `found`: positions of its log with the ids of their notifications."""
    if part.type == EVENTS_LOST:
        # A notice of a consumer: it is acknowledged by its id, too.
        identity = f"{event_id(part, part.last)}_{int(part.data)}"
        return [Event(identity, part.type, part.at, None, b'{"count":%b}' % part.data)]
    user = user_of(part.data)
    if not part.log_base:
        return [Event(event_id(part, part.last), part.type, part.at, user, part.data)]
    return [
        Event(
            event_id(part, part.first + position - part.after - 1),
            part.type,
            part.at,
            user,
            b'%b,"notification":"%b"}' % (part.data[:-1], notification.encode()),
        )
        for position, notification in found
    ]


def lost_event(tenant: str, lost: Iterable[Lost], at: int) -> Event:
    """The notice that events are gone. It has the same id when the same numbers are read again."""
    numbers = sorted(lost)
    place = hashlib.sha256(msgspec.json.encode([tenant, numbers])).hexdigest()[:16]
    count = sum(each.events for each in numbers)
    return Event(f"evt_{place}_lost", EVENTS_LOST, at, None, b'{"count":%d}' % count)
