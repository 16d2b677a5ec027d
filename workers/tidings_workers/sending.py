"""Sending, whatever the transport: from the JSON of a notification to the answer.

The API and the gateway call these functions, so both refuse the same notifications, for the same reasons.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct

from tidings.protocol import limits
from tidings.protocol.errors import FieldError
from tidings.protocol.names import IDEMPOTENCY_KEY_RULE, is_idempotency_key
from tidings.protocol.notifications import Sent, Target
from tidings.protocol.times import timestamp
from tidings_workers import json_text, metrics
from tidings_workers.refused import Refused, refusal_of
from tidings_workers.store import Acceptance, Idempotency, StorageUnavailable, Store
from tidings_workers.store.content import PostedNotification, PostedPublication
from tidings_workers.strict_json import INVALID, BodyDecoder, check_well_formed

# The request that an idempotency key of one notification names, over HTTP and over a socket.
ONE_NOTIFICATION: Final = "notifications"

# The header that names a request.
KEY_HEADER: Final = "Idempotency-Key"
KEY_RULE: Final = f"{IDEMPOTENCY_KEY_RULE}, bare or quoted."

_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\["\\])*)"').fullmatch
_ESCAPE: Final = re.compile(r"\\(.)")

_decode: Final = BodyDecoder(PostedNotification).decode
_decode_publication: Final = BodyDecoder(PostedPublication).decode
# The same JSON in another order or spacing is the same request.
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Answer(Struct, frozen=True):
    """The answer to one send. `replayed`: an earlier request with the same key was accepted."""

    sent: Sent
    replayed: bool


def decode(body: bytes | msgspec.Raw, base: str = "#") -> PostedNotification:
    """The notification in a JSON text. `base` is the JSON pointer of the text in a larger one.

    Raises Refused: `malformed_json`, `too_large`, or `invalid_request` with all faults.
    """
    if memoryview(body).nbytes > limits.NOTIFICATION_BYTES:
        check_well_formed(body)
        raise Refused("too_large", f"The notification is larger than {limits.NOTIFICATION_BYTES:,} bytes.")
    notification = _decode(body, base)
    check(notification, base)
    return notification


def decode_publication(body: bytes | msgspec.Raw, topic: str, base: str) -> PostedNotification:
    """The notification to a topic in a JSON text without `to`. `base` and errors as in `decode`."""
    if memoryview(body).nbytes > limits.NOTIFICATION_BYTES:
        check_well_formed(body)
        raise Refused("too_large", f"The notification is larger than {limits.NOTIFICATION_BYTES:,} bytes.")
    publication = _decode_publication(body, base)
    fields = {name: getattr(publication, name) for name in publication.__struct_fields__}
    notification = PostedNotification(to=Target(topics=(topic,)), **fields)
    check(notification, base)
    return notification


def check(notification: PostedNotification, base: str = "#") -> None:
    """Check the rules that the types can't express. Raises Refused (`invalid_request`) with all faults."""
    to = notification.to
    errors = []
    if to.topics:
        if to.all or to.users or to.groups or to.exclude:
            detail = "Name topics alone: a send to topics has no users, groups, all or exclude."
            errors.append(FieldError(f"{base}/to/topics", detail))
    elif not (to.all or to.users or to.groups):
        errors.append(FieldError(f"{base}/to", "Name at least one of users, groups, topics, or all: true."))
    data = b"" if notification.data is UNSET else bytes(notification.data)
    if data and data != b"null":
        _check_data(data, f"{base}/data", errors)
    elif not (notification.title or notification.body):
        errors.append(FieldError(base, "Give at least one of title, body and data."))
    if errors:
        raise Refused("invalid_request", INVALID, tuple(errors))


def _check_data(data: bytes, pointer: str, errors: list[FieldError]) -> None:
    if not data.startswith(b"{"):
        errors.append(FieldError(pointer, "This must be an object."))
    elif json_text.exceeds_double(data):
        errors.append(FieldError(pointer, "A number in it is too large for a double: send it as a string."))


def bare_key(header: str) -> str:
    """The key of a header `Idempotency-Key`. Raises Refused (`invalid_request`) for an invalid one."""
    quoted = _QUOTED(header.strip())
    bare = _ESCAPE.sub(r"\1", quoted[1]) if quoted else header.strip()
    if not is_idempotency_key(bare):
        raise Refused("invalid_request", f"The {KEY_HEADER} must be {KEY_RULE}")
    return bare


class RequestDigest:
    """The digest of a request that an idempotency key names: its route and its parts, in order."""

    def __init__(self, route: str) -> None:
        self._digest = hashlib.sha256(route.encode())

    def add(self, part: Any) -> None:
        """Add a part, decoded or Raw."""
        if isinstance(part, PostedNotification) and part.data is not UNSET:
            data = msgspec.Raw(json_text.canonical(bytes(part.data)))
            part = msgspec.structs.replace(part, data=data)
        encoded = _encode(part)
        self._digest.update(b"%d\n" % len(encoded))
        self._digest.update(encoded)

    def named(self, key: str) -> Idempotency:
        """The request under a key, which `is_idempotency_key` accepts."""
        return Idempotency(key, self._digest.digest())


def idempotency(key: str, notification: PostedNotification) -> Idempotency:
    """One notification under an idempotency key, which `is_idempotency_key` accepts."""
    digest = RequestDigest(ONE_NOTIFICATION)
    digest.add(notification)
    return digest.named(key)


async def send(
    store: Store, tenant: str, notification: PostedNotification, named: Idempotency | None
) -> Answer:
    """Send one notification, and count it. It is durable on return; see `Sends.send` for order and errors."""
    acceptance = await store.sends.send(tenant, (notification,), idempotency=named)
    count([acceptance])
    return _answer(store, acceptance)


async def send_each(
    store: Store, tenant: str, requests: Sequence[tuple[PostedNotification, Idempotency | None]]
) -> list[Answer | Refused]:
    """Send the notifications of several requests, each as by `send`, with one call of the store.

    Each gets its own answer or refusal, in order. It raises nothing for an unavailable store.
    """
    try:
        outcomes = await store.sends.send_each(tenant, requests)
    except StorageUnavailable as error:
        return [refusal_of(error)] * len(requests)
    count([outcome for outcome in outcomes if isinstance(outcome, Acceptance)])
    return [
        _answer(store, outcome) if isinstance(outcome, Acceptance) else refusal_of(outcome)
        for outcome in outcomes
    ]


async def send_all(
    store: Store, tenant: str, notifications: Sequence[PostedNotification], named: Idempotency
) -> None:
    """Send notifications of one request in order, and count them. Raises the errors of `Sends.send`."""
    count([await store.sends.send(tenant, notifications, idempotency=named)])


def count(acceptances: Sequence[Acceptance]) -> None:
    """Count accepted notifications, and the requests that repeat an earlier one."""
    metrics.ACCEPTED.inc(sum(len(acceptance.ids) for acceptance in acceptances))
    replayed = sum(acceptance.replayed for acceptance in acceptances)
    if replayed:
        metrics.REPLAYED.inc(replayed)


def _answer(store: Store, acceptance: Acceptance) -> Answer:
    sent = Sent(
        id=acceptance.ids[0],
        status="accepted",
        durability=store.durability,
        accepted_at=timestamp(acceptance.accepted_at),
    )
    return Answer(sent, acceptance.replayed)
