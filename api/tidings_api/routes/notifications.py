"""Sending notifications, one or many, and recalling them."""

from collections.abc import Sequence
from typing import Final

import msgspec
from litestar import Response, Router, delete, post
from litestar.params import JSONBody

from tidings.protocol import limits
from tidings.protocol.errors import problem
from tidings.protocol.notifications import Sent
from tidings.protocol.rest import BatchAnswer, BatchResult, CreateBatch
from tidings_api.authorisation import needs
from tidings_api.direct import DIRECT
from tidings_api.idempotency import IdempotencyKey, idempotency
from tidings_api.requests import BODY_BYTES_OPTION, Caller, OpenStore
from tidings_api.routes.sent import NotificationPath, get_notification, list_receipts, list_sent, no_such
from tidings_api.turns import Turn
from tidings_workers import sending
from tidings_workers.refused import Refused
from tidings_workers.store.content import PostedNotification

_REPLAYED: Final = {"idempotency-replayed": "true"}


@post(
    "/v1/notifications",
    opt={**needs("send"), **DIRECT, BODY_BYTES_OPTION: limits.NOTIFICATION_BYTES},
    status_code=202,
    summary="Send a notification",
)
async def send(
    data: JSONBody[PostedNotification],
    identity: Caller,
    store: OpenStore,
    idempotency_key: IdempotencyKey = None,
) -> Response[Sent]:
    """Accepts a notification for users, groups or all users of the tenant, or for topics.

    Each user receives it once, and so does each connection that is subscribed to one of the topics.

    A 202 means that the server has it, with the durability that the answer names. It is in the
    inboxes then, if it names users alone, one group or all. With several groups, or groups and users, it is
    in the inboxes when its status is `stored`, milliseconds later.
    """
    sending.check(data)
    named = await idempotency(idempotency_key, sending.ONE_NOTIFICATION, (data,))
    answer = await sending.send(store, identity.tenant, data, named)
    location = {"location": f"/v1/notifications/{answer.sent.id}"}
    return Response(answer.sent, headers=location | (_REPLAYED if answer.replayed else {}))


@post(
    "/v1/notifications/batch",
    opt={**needs("send"), **DIRECT, BODY_BYTES_OPTION: limits.BATCH_BYTES, "undecoded_parts": True},
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
    sending.count([acceptance])
    ids = iter(acceptance.ids)
    results = [
        item if isinstance(item, BatchResult) else BatchResult(id=next(ids), status="accepted")
        for item in items
    ]
    return Response(BatchAnswer(results), headers=_REPLAYED if acceptance.replayed else {})


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


async def _decoded(raws: Sequence[msgspec.Raw]) -> list[PostedNotification | BatchResult]:
    """Each item of a batch, decoded or with its error. It works in turns, so that other requests can run."""
    items = []
    turn = Turn()
    for index, raw in enumerate(raws):
        items.append(_item(index, raw))
        await turn.pause_if_over()
    return items


def _item(index: int, raw: msgspec.Raw) -> PostedNotification | BatchResult:
    try:
        return sending.decode(raw, f"#/notifications/{index}")
    except Refused as error:
        # An item that is not JSON makes the whole body malformed.
        if error.code == "malformed_json":
            raise
        return BatchResult(error=problem(error.code, error.detail, None, error.errors))
