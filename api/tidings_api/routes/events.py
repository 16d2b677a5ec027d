"""Events: a long poll by position, and consumers whose readers share."""

from collections.abc import Mapping
from time import monotonic
from typing import Annotated, Final

import msgspec
from litestar import Router, get, post
from litestar.params import JSONBody, QueryParameter

from tidings.protocol import limits
from tidings.protocol.events import EVENT_TYPES, Event
from tidings.protocol.names import ID_PATTERN, ID_RULE
from tidings.protocol.pointers import one_of
from tidings.protocol.rest import AcknowledgeEvents, EventList, EventsAcknowledged
from tidings.protocol.times import timestamp
from tidings_api.authorisation import needs
from tidings_api.cursors import Cursors
from tidings_api.problems import ProblemError
from tidings_api.requests import BODY_BYTES_OPTION, Caller, OpenStore
from tidings_workers.store import Store, TooManyConsumers
from tidings_workers.store.event_items import Event as StoredEvent
from tidings_workers.store.event_items import EventBatch
from tidings_workers.store.events import READER, consumer_name

# The requests of a tenant that may wait at one process.
WAITING: Final = 200
# A consumer looks this often for events that were not acknowledged in time.
_AGAIN_SECONDS: Final = 1.0
_ACKNOWLEDGED_BYTES: Final = 128 * 1024
NOW: Final = "now"
_REFUSED: Final = "`after` is no cursor of events: give `next` of the last answer, `now`, or no `after`."

_TYPE: Final = "|".join(EVENT_TYPES).replace(".", r"\.")

After = Annotated[
    str | None,
    QueryParameter(
        description="`next` of the answer before, or `now`; absent for the first event that is kept."
    ),
]
Types = Annotated[
    str | None,
    QueryParameter(
        description="The types of events, separated by commas; absent for all. Others are passed over.",
        schema_extra={"pattern": f"^({_TYPE})(,({_TYPE}))*$"},
    ),
]
Wait = Annotated[
    int,
    QueryParameter(
        ge=0,
        le=limits.EVENTS_WAIT_MAXIMUM,
        description="Seconds that the request waits while there is no event.",
    ),
]
Limit = Annotated[
    int,
    QueryParameter(ge=1, le=limits.EVENTS_MAXIMUM, description="The highest number of events in the answer."),
]
Consumer = Annotated[
    str | None,
    QueryParameter(
        pattern=ID_PATTERN,
        max_length=limits.CONSUMER_LENGTH,
        description=f"A consumer, whose position is on the server. Its name: {ID_RULE}. Not with `after`.",
    ),
]

_positions: Final = msgspec.msgpack.Decoder(dict[int, int]).decode


@get("/v1/events", opt=needs("events"), summary="Read events")
async def read_events(
    identity: Caller,
    store: OpenStore,
    after: After = None,
    types: Types = None,
    wait: Wait = limits.EVENTS_WAIT_SECONDS,
    limit: Limit = limits.EVENTS_PAGE,
    consumer: Consumer = None,
) -> EventList:
    """Read events, the oldest first; those of one user are in order. Waits while there is none.

    The first request of a reader turns its types on: earlier events, which no reader wanted, were not
    written. They stay on until seven days after the last request. Events are kept for seven days and within
    the bytes that the operator sets; `events_lost` says how many were removed before they were read.

    With `consumer` the server keeps the position. Each event is handed out to one reader. When it is not
    acknowledged within 60 seconds by `POST /v1/events/ack`, it is handed out again.
    """
    if consumer is not None and after is not None:
        raise ProblemError("invalid_request", "Give `after` or `consumer`: a consumer has its own position.")
    cursors = Cursors(store, identity.tenant, "events", refused=_REFUSED)
    raw = cursors.read(None if after == NOW else after)
    reader = _Reader(store, identity.tenant, _types(types), limit, consumer)
    until = monotonic() + wait
    await reader.renew()
    if after == NOW:
        positions: Mapping[int, int] | None = await store.events.heads(identity.tenant)
    else:
        positions = None if raw is None else _positions(raw)
    batch = await reader.read(positions, until)
    following = None if consumer is not None else cursors.write(_packed(batch.positions))
    return EventList([_event(event) for event in batch.events], following)


@post(
    "/v1/events/ack",
    opt={**needs("events"), BODY_BYTES_OPTION: _ACKNOWLEDGED_BYTES},
    summary="Acknowledge events",
    status_code=200,
)
async def acknowledge_events(
    data: JSONBody[AcknowledgeEvents], identity: Caller, store: OpenStore
) -> EventsAcknowledged:
    """The consumer has processed these events: they are not handed out again. Idempotent.

    Ids of events that the consumer does not hold are ignored.
    """
    count = await store.events.acknowledge(identity.tenant, data.consumer, data.ids)
    return EventsAcknowledged(count)


routes: Final = Router("/", tags=["Events"], route_handlers=[read_events, acknowledge_events])


class _Reader:
    """One request for events."""

    def __init__(
        self, store: Store, tenant: str, types: frozenset[str], limit: int, consumer: str | None
    ) -> None:
        self._events = store.events
        self._tenant = tenant
        self._types = types
        self._limit = limit
        self._consumer = consumer

    async def renew(self) -> None:
        """Turn the types on. Raises ProblemError (429) for one consumer too many."""
        by = READER if self._consumer is None else consumer_name(self._consumer)
        try:
            await self._events.renew(self._tenant, by, self._types)
        except TooManyConsumers as error:
            detail = f"{error} Use one of these, or wait: one that is not read ends after seven days."
            raise ProblemError("quota_exceeded", detail) from None

    async def read(self, after: Mapping[int, int] | None, until: float) -> EventBatch:
        """The first events after a position, or none when there is none until a time. Call `renew` before."""
        while True:
            heads = await self._events.heads(self._tenant)
            batch = await self._once(after)
            left = until - monotonic()
            if batch.events or (left <= 0 and not batch.more) or self._events.is_stopping:
                return batch
            after = batch.positions
            if not batch.more:
                if self._events.waiting(self._tenant) >= WAITING:
                    detail = f"{WAITING} requests for events of this tenant wait already: use fewer readers."
                    raise ProblemError("overloaded", detail)
                longest = left if self._consumer is None else min(left, _AGAIN_SECONDS)
                await self._events.wait(self._tenant, heads, longest)

    async def _once(self, after: Mapping[int, int] | None) -> EventBatch:
        if self._consumer is None:
            return await self._events.read(self._tenant, after, self._types, self._limit)
        return await self._events.claim(self._tenant, self._consumer, self._types, self._limit)


def _types(text: str | None) -> frozenset[str]:
    """The types of a parameter; none for all of them. Raises ProblemError (422) for an unknown one."""
    types = frozenset(text.split(",")) if text is not None else frozenset[str]()
    for each in sorted(types.difference(EVENT_TYPES)):
        detail = f"query parameter types: {each!r} is no type of an event. {one_of(EVENT_TYPES)}"
        raise ProblemError("invalid_request", detail)
    return types


def _packed(positions: Mapping[int, int]) -> bytes:
    return msgspec.msgpack.encode({partition: number for partition, number in positions.items() if number})


def _event(event: StoredEvent) -> Event:
    return Event(event.id, event.type, timestamp(event.at), msgspec.json.decode(event.data))
