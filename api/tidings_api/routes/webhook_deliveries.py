"""The deliveries of a webhook: listed, retried and replayed, and the test of its endpoint."""

import asyncio
import secrets
from typing import Annotated, Final

import msgspec
from litestar import Router, get, post
from litestar.params import JSONBody, PathParameter, QueryParameter

from tidings.protocol import limits
from tidings.protocol.errors import FieldError
from tidings.protocol.rest import DeliveryStatus, ReplayWebhook, WebhookDeliveryPage, WebhookTest
from tidings.protocol.times import timestamp
from tidings_api import webhook_answers
from tidings_api.authorisation import needs
from tidings_api.cursors import Cursors
from tidings_api.problems import ProblemError
from tidings_api.requests import Caller, Cursor, Limit, OpenStore, Parts
from tidings_api.routes.webhooks import SCOPE, WebhookPath
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.webhooks import Replay
from tidings_workers.strict_json import INVALID
from tidings_workers.webhooks.changes import WebhookChanges
from tidings_workers.webhooks.requests import Requests, send

_TESTS_AT_ONCE: Final = 16
_testing: Final = asyncio.Semaphore(_TESTS_AT_ONCE)

DeliveryPath = Annotated[
    str, PathParameter(max_length=128, description="The id of a delivery, which is that of its event.")
]
Status = Annotated[
    DeliveryStatus | None, QueryParameter(description="Only deliveries with this status; absent for all.")
]


@post("/v1/webhooks/{webhook:str}/test", opt=needs(SCOPE), status_code=200, summary="Test a webhook")
async def test_webhook(
    webhook: WebhookPath, identity: Caller, store: OpenStore, services: Parts
) -> WebhookTest:
    """Send an event of the type `webhook.test` to the endpoint now, and answer the outcome of the request."""
    found = await WebhookChanges(store, identity.tenant).get(webhook)
    if _testing.locked():
        raise ProblemError("overloaded", f"{_TESTS_AT_ONCE} tests are running: try again.")
    now = milliseconds()
    body = msgspec.json.encode(
        {"type": "webhook.test", "timestamp": timestamp(now), "data": {"webhook": found.id}}
    )
    async with _testing:
        requests = Requests(services.settings.egress_allowed)
        endpoint = requests.connect(found.url)
        try:
            result = await send(endpoint, found, f"evt_test_{secrets.token_hex(8)}", body, now)
        finally:
            await endpoint.close()
            requests.close()
    return webhook_answers.test(result)


@get("/v1/webhooks/{webhook:str}/deliveries", opt=needs(SCOPE), summary="List deliveries")
async def list_deliveries(
    webhook: WebhookPath,
    identity: Caller,
    store: OpenStore,
    status: Status = None,
    limit: Limit = limits.PAGE_DEFAULT,
    cursor: Cursor = None,
) -> WebhookDeliveryPage:
    """The deliveries of an endpoint with their attempts, the latest first.

    A pending delivery is listed by the time of its next try. Of those that ended, the last 500 of each status
    are kept for 7 days.
    """
    await WebhookChanges(store, identity.tenant).get(webhook)
    cursors = Cursors(store, identity.tenant, "deliveries", webhook, status)
    page = await store.webhooks.page(identity.tenant, webhook, status, limit, cursors.read(cursor))
    return WebhookDeliveryPage(
        [webhook_answers.delivery(each) for each in page.items],
        cursors.write(page.next),
        cursors.write(page.previous),
    )


@post(
    "/v1/webhooks/{webhook:str}/deliveries/{delivery:str}/retry",
    opt=needs(SCOPE),
    status_code=204,
    summary="Retry a delivery",
)
async def retry_delivery(
    webhook: WebhookPath, delivery: DeliveryPath, identity: Caller, store: OpenStore
) -> None:
    """Send a pending or failed delivery within two seconds, instead of at its time."""
    await WebhookChanges(store, identity.tenant).get(webhook)
    answer = await store.webhooks.retry(identity.tenant, webhook, delivery, milliseconds())
    if answer == "succeeded":
        raise ProblemError("invalid_request", "The delivery has succeeded: send its event again by /replay.")
    if answer != "due":
        raise ProblemError("not_found", f"There is no delivery {delivery!r}: /deliveries lists them.")


@post("/v1/webhooks/{webhook:str}/replay", opt=needs(SCOPE), status_code=202, summary="Replay events")
async def replay_webhook(
    webhook: WebhookPath, data: JSONBody[ReplayWebhook], identity: Caller, store: OpenStore
) -> None:
    """Deliver the events between two times once more, those that were delivered included.

    Events are kept for 7 days. New events are delivered between them. A later replay takes the place of
    this one.
    """
    await WebhookChanges(store, identity.tenant).get(webhook)
    now = milliseconds()
    since = int(data.since.timestamp() * 1000)
    until = now if data.until is None else min(now, int(data.until.timestamp() * 1000))
    if since > until:
        fault = FieldError("#/since", "This time is after `until`, or after now: give an earlier one.")
        raise ProblemError("invalid_request", INVALID, (fault,))
    ends = await store.events.heads(identity.tenant)
    replay = Replay(since, until, ends, None)
    await store.webhooks.replay(identity.tenant, webhook, replay, secrets.token_hex(8))


routes: Final = Router(
    "/",
    tags=["Webhooks"],
    route_handlers=[test_webhook, list_deliveries, retry_delivery, replay_webhook],
)
