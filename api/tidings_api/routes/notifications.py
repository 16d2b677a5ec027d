"""Sending notifications, one or many, and recalling them."""

from collections.abc import Sequence
from typing import Final

import msgspec
from litestar import Response, Router, delete, post
from litestar.params import JSONBody
from msgspec import UNSET

from tidings.protocol import limits
from tidings.protocol.errors import FieldError, problem
from tidings.protocol.notifications import Sent
from tidings.protocol.rest import BatchAnswer, BatchResult, CreateBatch
from tidings.protocol.times import timestamp
from tidings_api.authorisation import needs
from tidings_api.bodies import INVALID, BodyDecoder, check_well_formed
from tidings_api.direct import direct
from tidings_api.idempotency import IdempotencyKey, idempotency
from tidings_api.problems import ProblemError
from tidings_api.requests import BODY_BYTES_OPTION, Caller, OpenStore
from tidings_api.routes.sent import NotificationPath, get_notification, list_receipts, list_sent, no_such
from tidings_api.turns import Turn
from tidings_workers import json_text, metrics
from tidings_workers.store import Acceptance
from tidings_workers.store.content import PostedNotification

_notification: Final = BodyDecoder(PostedNotification)


@post(
    "/v1/notifications",
    opt={**needs("send"), BODY_BYTES_OPTION: limits.NOTIFICATION_BYTES},
    middleware=[direct],
    status_code=202,
    summary="Send a notification",
)
async def send(
    data: JSONBody[PostedNotification],
    identity: Caller,
    store: OpenStore,
    idempotency_key: IdempotencyKey = None,
) -> Response[Sent]:
    """Accepts a notification for users, groups or all users of the tenant. Each user receives it once.

    A 202 means that the server has it, with the durability that the answer names. It is in the
    inboxes then, if it names users alone, one group or all. With several groups, or groups and users, it is
    in the inboxes when its status is `stored`, milliseconds later.
    """
    _check(data, "#")
    claim = await idempotency(idempotency_key, "notifications", (data,))
    acceptance = await store.sends.send(identity.tenant, (data,), idempotency=claim)
    metrics.ACCEPTED.inc()
    notification_id = acceptance.ids[0]
    return Response(
        Sent(
            id=notification_id,
            status="accepted",
            durability=store.durability,
            accepted_at=timestamp(acceptance.accepted_at),
        ),
        headers={"location": f"/v1/notifications/{notification_id}", **_replayed(acceptance)},
    )


@post(
    "/v1/notifications/batch",
    opt={**needs("send"), BODY_BYTES_OPTION: limits.BATCH_BYTES, "undecoded_parts": True},
    middleware=[direct],
    status_code=202,
    summary="Send up to 1,000 notifications",
)
async def send_batch(
    data: JSONBody[CreateBatch], identity: Caller, store: OpenStore, idempotency_key: IdempotencyKey = None
) -> Response[BatchAnswer]:
    """Accepts many notifications at once. An invalid one gets its error in its place; the others are sent.

    An Idempotency-Key covers the whole batch.
    """
    items = await _decoded(data.notifications)
    valid = [item for item in items if isinstance(item, PostedNotification)]
    claim = None
    if idempotency_key is not None:
        parts = [
            raw if isinstance(item, BatchResult) else item
            for item, raw in zip(items, data.notifications, strict=True)
        ]
        claim = await idempotency(idempotency_key, "batch", parts)
    acceptance = await store.sends.send(identity.tenant, valid, idempotency=claim)
    metrics.ACCEPTED.inc(len(valid))
    ids = iter(acceptance.ids)
    results = [
        item if isinstance(item, BatchResult) else BatchResult(id=next(ids), status="accepted")
        for item in items
    ]
    return Response(BatchAnswer(results), headers=_replayed(acceptance))


@delete("/v1/notifications/{notification:str}", opt=needs("send"), summary="Recall a notification")
async def recall(notification: NotificationPath, identity: Caller, store: OpenStore) -> None:
    """Removes the notification from every inbox, count, replay and open client. Idempotent."""
    if not await store.sends.recall(identity.tenant, notification):
        raise no_such(notification)


routes: Final = Router(
    "/",
    tags=["Notifications"],
    route_handlers=[send, send_batch, list_sent, get_notification, recall, list_receipts],
)


def _check(notification: PostedNotification, base: str) -> None:
    """Check the rules that the types can't express. Raises ProblemError (422) with all faults."""
    to = notification.to
    errors = []
    if not (to.all or to.users or to.groups):
        errors.append(FieldError(f"{base}/to", "Name at least one of users, groups, or all: true."))
    data = b"" if notification.data is UNSET else bytes(notification.data)
    if data and data != b"null":
        _check_data(data, f"{base}/data", errors)
    elif not (notification.title or notification.body):
        errors.append(FieldError(base, "Give at least one of title, body and data."))
    if errors:
        raise ProblemError("invalid_request", INVALID, tuple(errors))


def _check_data(data: bytes, pointer: str, errors: list[FieldError]) -> None:
    if not data.startswith(b"{"):
        errors.append(FieldError(pointer, "This must be an object."))
    elif json_text.exceeds_double(data):
        errors.append(FieldError(pointer, "A number in it is too large for a double: send it as a string."))


async def _decoded(raws: Sequence[msgspec.Raw]) -> list[PostedNotification | BatchResult]:
    """Each item of a batch, decoded or with its error. It works in turns, so that other requests can run."""
    items = []
    turn = Turn()
    for index, raw in enumerate(raws):
        items.append(_item(index, raw))
        await turn.pause_if_over()
    return items


def _item(index: int, raw: msgspec.Raw) -> PostedNotification | BatchResult:
    base = f"#/notifications/{index}"
    try:
        _check_size(raw)
        notification = _notification.decode(raw, base)
        _check(notification, base)
    except ProblemError as error:
        # An item that is not JSON makes the whole body malformed.
        if error.code == "malformed_json":
            raise
        return BatchResult(error=problem(error.code, error.detail, None, error.errors))
    return notification


def _check_size(raw: msgspec.Raw) -> None:
    if memoryview(raw).nbytes > limits.NOTIFICATION_BYTES:
        check_well_formed(raw)
        raise ProblemError(
            "too_large", f"The notification is larger than {limits.NOTIFICATION_BYTES:,} bytes."
        )


def _replayed(acceptance: Acceptance) -> dict[str, str]:
    if not acceptance.replayed:
        return {}
    metrics.REPLAYED.inc()
    return {"idempotency-replayed": "true"}
