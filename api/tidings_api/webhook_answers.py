"""Webhook endpoints and their deliveries as the API answers them."""

import msgspec

from tidings.protocol.rest import (
    DisabledWebhook,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
    WebhookTest,
    WebhookWithSecret,
)
from tidings.protocol.times import timestamp
from tidings_workers.store.webhooks import Listed
from tidings_workers.webhook_endpoints import Webhook as Endpoint
from tidings_workers.webhooks.requests import Outcome


def without_secret(endpoint: Endpoint) -> Webhook:
    """An endpoint."""
    return Webhook(
        id=endpoint.id,
        url=endpoint.url,
        events=list(endpoint.events),
        description=endpoint.description,
        enabled=endpoint.enabled,
        created_at=timestamp(endpoint.created_at),
        disabled=_disabled(endpoint),
    )


def with_secret(endpoint: Endpoint) -> WebhookWithSecret:
    """An endpoint with its new secret."""
    shown = msgspec.structs.asdict(without_secret(endpoint))
    return WebhookWithSecret(**shown, secret=endpoint.secret)


def delivery(listed: Listed) -> WebhookDelivery:
    """A delivery with its attempts, the oldest first."""
    return WebhookDelivery(
        id=listed.id,
        type=listed.delivery.type,
        status=listed.status,
        timestamp=timestamp(listed.delivery.at),
        next_try_at=timestamp(listed.time) if listed.status == "pending" else None,
        attempts=[
            WebhookAttempt(timestamp(each.at), each.status or None, each.error or None, each.seconds)
            for each in listed.delivery.attempts
        ],
    )


def test(outcome: Outcome) -> WebhookTest:
    """The outcome of a test request."""
    return WebhookTest(outcome.succeeded, outcome.status or None, outcome.error or None, outcome.seconds)


def _disabled(endpoint: Endpoint) -> DisabledWebhook | None:
    if endpoint.disabled_reason is None:
        return None
    return DisabledWebhook(endpoint.disabled_reason, timestamp(endpoint.disabled_at))
