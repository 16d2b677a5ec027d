"""Webhooks: endpoints of a tenant that receive events."""

from typing import Annotated, Final

from litestar import Response, Router, delete, get, patch, post
from litestar.params import JSONBody, PathParameter
from msgspec import UNSET, structs

from tidings.protocol.errors import FieldError
from tidings.protocol.rest import CreateWebhook, UpdateWebhook, Webhook, WebhookPage, WebhookWithSecret
from tidings_api.authorisation import needs
from tidings_api.problems import ProblemError
from tidings_api.requests import Caller, OpenStore, Parts
from tidings_api.webhook_answers import with_secret, without_secret
from tidings_workers.egress.addresses import Networks, is_allowed_host
from tidings_workers.egress.urls import InvalidUrl, read_url
from tidings_workers.strict_json import INVALID
from tidings_workers.webhook_endpoints import Webhook as Endpoint
from tidings_workers.webhook_endpoints import matching
from tidings_workers.webhooks.changes import WebhookChanges

SCOPE: Final = "webhooks"

WebhookPath = Annotated[str, PathParameter(max_length=64, description="The id of a webhook.")]


@post("/v1/webhooks", opt=needs(SCOPE), summary="Create a webhook")
async def create_webhook(
    data: JSONBody[CreateWebhook], identity: Caller, store: OpenStore, services: Parts
) -> Response[WebhookWithSecret]:
    """Create an endpoint that receives events from now on, as signed POST requests.

    The answer is the only place that shows the secret.
    """
    _check(data.url, data.events, services.settings.egress_allowed)
    made = await WebhookChanges(store, identity.tenant).create(
        data.url, data.events, data.description, enabled=data.enabled
    )
    headers = {"cache-control": "no-store", "location": f"/v1/webhooks/{made.id}"}
    return Response(with_secret(made), headers=headers)


@get("/v1/webhooks", opt=needs(SCOPE), summary="List webhooks")
async def list_webhooks(identity: Caller, store: OpenStore) -> WebhookPage:
    """All endpoints of the tenant, in the order of their creation."""
    found = await WebhookChanges(store, identity.tenant).all()
    return WebhookPage([without_secret(each) for each in found], None, None)


@get("/v1/webhooks/{webhook:str}", opt=needs(SCOPE), summary="Get a webhook")
async def get_webhook(webhook: WebhookPath, identity: Caller, store: OpenStore) -> Webhook:
    """An endpoint, without its secret."""
    return without_secret(await WebhookChanges(store, identity.tenant).get(webhook))


@patch("/v1/webhooks/{webhook:str}", opt=needs(SCOPE), summary="Change a webhook")
async def update_webhook(
    webhook: WebhookPath,
    data: JSONBody[UpdateWebhook],
    identity: Caller,
    store: OpenStore,
    services: Parts,
) -> Webhook:
    """Change an endpoint. One that is enabled again continues with the events that it did not get."""
    _check(data.url, data.events, services.settings.egress_allowed)
    fields = {name: value for name, value in structs.asdict(data).items() if value is not UNSET}

    def change(endpoint: Endpoint) -> Endpoint:
        after = structs.replace(endpoint, **fields)
        return structs.replace(after, disabled_reason=None, disabled_at=0) if after.enabled else after

    return without_secret(await WebhookChanges(store, identity.tenant).update(webhook, change))


@delete("/v1/webhooks/{webhook:str}", opt=needs(SCOPE), summary="Delete a webhook")
async def delete_webhook(webhook: WebhookPath, identity: Caller, store: OpenStore) -> None:
    """Delete an endpoint with its deliveries; idempotent."""
    await WebhookChanges(store, identity.tenant).delete(webhook)


@post("/v1/webhooks/{webhook:str}/rotate", opt=needs(SCOPE), status_code=200, summary="Rotate the secret")
async def rotate_webhook(
    webhook: WebhookPath, identity: Caller, store: OpenStore
) -> Response[WebhookWithSecret]:
    """Give an endpoint a new secret. For 24 hours requests have the signatures of both secrets."""
    made = await WebhookChanges(store, identity.tenant).rotate(webhook)
    return Response(with_secret(made), headers={"cache-control": "no-store"}, status_code=200)


def _check(url: object, events: object, allowed: Networks) -> None:
    """Raise ProblemError (422) for a URL or events that cannot be used."""
    faults = []
    if isinstance(url, str):
        try:
            host = read_url(url).host
        except InvalidUrl as error:
            faults.append(FieldError("#/url", str(error)))
        else:
            # The addresses of a name may change, so each request checks them.
            if not is_allowed_host(host, allowed):
                faults.append(
                    FieldError("#/url", "The address is not public: the operator may allow its network.")
                )
    if isinstance(events, tuple):
        faults += [
            FieldError(
                f"#/events/{index}", "No type of events matches: use a type, a prefix as user.*, or *."
            )
            for index, pattern in enumerate(events)
            if not matching((pattern,))
        ]
    if faults:
        raise ProblemError("invalid_request", INVALID, tuple(faults))


routes: Final = Router(
    "/",
    tags=["Webhooks"],
    route_handlers=[
        create_webhook,
        list_webhooks,
        get_webhook,
        update_webhook,
        delete_webhook,
        rotate_webhook,
    ],
)
