"""SUBSCRIBE and UNSUBSCRIBE of a STOMP client, read into what they ask for."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from tidings_workers.gateway.stomp.destinations import TopicName, readable
from tidings_workers.gateway.stomp.frames import Frame, StompError
from tidings_workers.gateway.stomp.headers import mode_of, need, number
from tidings_workers.gateway.stomp.wire import Subscription

SUBSCRIPTIONS: Final = 100


class Wanted(NamedTuple):
    """A new subscription, and where it starts: `after` and `rewind` as in `frames.Subscribe`."""

    subscription: Subscription
    after: int | None
    rewind: int | None


def read_subscribe(frame: Frame, existing: Mapping[str, Subscription]) -> Wanted:
    """The subscription of a client with these existing ones. Raises StompError."""
    identifier = need(frame, "id")
    destination = need(frame, "destination")
    mode = mode_of(frame)
    if identifier in existing:
        raise StompError("invalid_request", f"There is a subscription {identifier[:64]!r} already.")
    if len(existing) >= SUBSCRIPTIONS:
        raise StompError("invalid_request", f"A connection has at most {SUBSCRIPTIONS} subscriptions.")
    source = readable(destination)
    after, rewind = number(frame, "after"), number(frame, "rewind")
    if not isinstance(source, TopicName) and (after is not None or rewind is not None):
        raise StompError(
            "invalid_request",
            "after and rewind are for topics. For the inbox, CONNECT has resume and device.",
        )
    whole = frame.headers.get("tidings-body") == "notification"
    return Wanted(Subscription(identifier, destination, source, mode, whole), after, rewind)


def read_unsubscribe(frame: Frame, existing: Mapping[str, Subscription]) -> Subscription | None:
    """The existing subscription that the client names; None when there is none. Raises StompError.

    Pages end a subscription twice, and one of an earlier connection: Spring ignores that, too.
    """
    identifier = frame.headers.get("id")
    if identifier is not None:
        return existing.get(identifier)
    # STOMP 1.0 allows the destination instead.
    destination = need(frame, "destination")
    return next((each for each in existing.values() if each.destination == destination), None)
