"""Webhooks: the endpoints of a tenant that receive events, and their deliveries."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from tidings.protocol import limits
from tidings.protocol.names import Timestamp
from tidings.protocol.plain import Plain

DeliveryStatus = Literal["pending", "succeeded", "failed"]

_Url = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.LINK_LENGTH,
        description="http or https, without a user and a fragment; its host has only public addresses.",
    ),
]
_Events = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=limits.EVENT_LENGTH)], ...],
    Meta(
        min_length=1,
        max_length=limits.WEBHOOK_EVENTS,
        description="Types of events, or patterns: `user.*` for all that begin with `user.`, `*` for all.",
    ),
]
_Description = Annotated[str, Meta(max_length=limits.LABEL_LENGTH, description="A note for people.")]


class CreateWebhook(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An endpoint to create."""

    url: _Url
    events: _Events
    description: _Description = ""
    enabled: bool = True


class UpdateWebhook(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The fields of an endpoint to change; absent ones keep their values."""

    url: _Url | UnsetType = UNSET
    events: _Events | UnsetType = UNSET
    description: _Description | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class DisabledWebhook(Plain, frozen=True):
    """Why and when the service disabled an endpoint: it answered 410, or failed for five days."""

    reason: Literal["gone", "failing"]
    at: Timestamp


class Webhook(Plain, frozen=True, kw_only=True):
    """An endpoint, without its secret."""

    id: str
    url: str
    events: list[str]
    description: str
    enabled: bool
    created_at: Timestamp
    disabled: DisabledWebhook | None


class WebhookWithSecret(Webhook, frozen=True, kw_only=True):
    """An endpoint with its secret, which is shown here and never again."""

    secret: str

    def __repr__(self) -> str:
        # Without the secret: a repr may end up in a log.
        return f"WebhookWithSecret(id={self.id!r}, url={self.url!r})"


class WebhookPage(Struct, frozen=True):
    """The endpoints of a tenant, in the order of their creation. There is one page."""

    items: list[Webhook]
    next: str | None
    previous: str | None


class WebhookAttempt(Plain, frozen=True):
    """One request. `status` is null when there was no answer, and `error` null after a success."""

    at: Timestamp
    status: int | None
    error: str | None
    seconds: float


class WebhookDelivery(Plain, frozen=True, kw_only=True):
    """An event for an endpoint. Its `id` is that of the event. `next_try_at` is null unless it is pending."""

    id: str
    type: str
    status: DeliveryStatus
    timestamp: Timestamp
    next_try_at: Timestamp | None
    attempts: list[WebhookAttempt]


class WebhookDeliveryPage(Struct, frozen=True):
    """A page of deliveries, the latest try first."""

    items: list[WebhookDelivery]
    next: str | None
    previous: str | None


class ReplayWebhook(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The times between which events are delivered again; `until` is now unless it is given."""

    since: Annotated[datetime, Meta(tz=True)]
    until: Annotated[datetime, Meta(tz=True)] | None = None


class WebhookTest(Plain, frozen=True):
    """The outcome of a test request."""

    succeeded: bool
    status: int | None
    error: str | None
    seconds: float
