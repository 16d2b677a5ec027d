"""Webhooks and their deliveries as results: the types of `tidings.protocol.rest` with times as datetimes.

As in `_models`, unknown fields are ignored, and values such as `status` are plain strings.
"""

from datetime import datetime

from tidings._public import publish
from tidings.protocol.plain import Plain


class DisabledWebhook(Plain, frozen=True, kw_only=True):
    """Why and when the server disabled a webhook. `reason`: `gone` after a 410, `failing` for five days."""

    reason: str
    at: datetime


class Webhook(Plain, frozen=True, kw_only=True):
    """A webhook, without its secret. `disabled` is None unless the server disabled it."""

    id: str
    url: str
    events: tuple[str, ...]
    description: str
    enabled: bool
    created_at: datetime
    disabled: DisabledWebhook | None


class WebhookWithSecret(Webhook, frozen=True, kw_only=True):
    """A webhook with its new `secret`, which no other answer has. The representation leaves it out."""

    secret: str

    def __repr__(self) -> str:
        return f"WebhookWithSecret(id={self.id!r}, url={self.url!r})"


class WebhookAttempt(Plain, frozen=True, kw_only=True):
    """One request. `status` is None without an answer, `error` None after a success."""

    at: datetime
    status: int | None
    error: str | None
    seconds: float


class WebhookDelivery(Plain, frozen=True, kw_only=True):
    """An event for a webhook. Its `id` is that of the event, its `timestamp` the time of the event.

    `status` is `pending`, `succeeded` or `failed`. `next_try_at` is None unless it is pending. `attempts`
    are the requests so far, the oldest first.
    """

    id: str
    type: str
    status: str
    timestamp: datetime
    next_try_at: datetime | None
    attempts: tuple[WebhookAttempt, ...]


class WebhookTest(Plain, frozen=True, kw_only=True):
    """The outcome of a test request. `status` is None without an answer, `error` None after a success."""

    succeeded: bool
    status: int | None
    error: str | None
    seconds: float


publish(globals())
