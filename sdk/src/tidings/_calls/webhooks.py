"""Webhooks and their deliveries."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, get_args

import msgspec
from msgspec import UNSET

from tidings._calls.call import Call, decoded, nothing, query, segment
from tidings._errors import InvalidArgumentError
from tidings._models import Page
from tidings._webhook_models import Webhook, WebhookDelivery, WebhookTest, WebhookWithSecret
from tidings.protocol.rest import CreateWebhook, DeliveryStatus, ReplayWebhook, UpdateWebhook

PATH: Final = "/v1/webhooks"
SCOPE: Final = "webhooks"
_STATUSES: Final = get_args(DeliveryStatus)

_read: Final = decoded(Webhook)
_read_with_secret: Final = decoded(WebhookWithSecret)
_read_page: Final = decoded(Page[Webhook])
_read_deliveries: Final = decoded(Page[WebhookDelivery])
_read_test: Final = decoded(WebhookTest)


def create(
    url: str, events: Iterable[str] | str, description: str, *, enabled: bool
) -> Call[WebhookWithSecret]:
    """`POST /v1/webhooks`."""
    created = CreateWebhook(url, _types(events), description, enabled)
    body = msgspec.json.encode(created)
    return Call(method="POST", path=PATH, scope=SCOPE, body=body, read=_read_with_secret)


def listed() -> Call[Page[Webhook]]:
    """`GET /v1/webhooks`. There is one page."""
    return Call(method="GET", path=PATH, scope=SCOPE, read=_read_page)


def get(webhook: str) -> Call[Webhook]:
    """`GET /v1/webhooks/{w}`."""
    return Call(method="GET", path=_path(webhook), scope=SCOPE, read=_read)


def update(
    webhook: str,
    url: str | None,
    events: Iterable[str] | str | None,
    description: str | None,
    *,
    enabled: bool | None,
) -> Call[Webhook]:
    """`PATCH /v1/webhooks/{w}`. None keeps a field as it is."""
    change = UpdateWebhook(
        url=UNSET if url is None else url,
        events=UNSET if events is None else _types(events),
        description=UNSET if description is None else description,
        enabled=UNSET if enabled is None else enabled,
    )
    body = msgspec.json.encode(change)
    return Call(method="PATCH", path=_path(webhook), scope=SCOPE, body=body, read=_read)


def delete(webhook: str) -> Call[None]:
    """`DELETE /v1/webhooks/{w}`."""
    return Call(method="DELETE", path=_path(webhook), scope=SCOPE, read=nothing)


def rotate(webhook: str) -> Call[WebhookWithSecret]:
    """`POST /v1/webhooks/{w}/rotate`."""
    return Call(method="POST", path=f"{_path(webhook)}/rotate", scope=SCOPE, read=_read_with_secret)


def test(webhook: str) -> Call[WebhookTest]:
    """`POST /v1/webhooks/{w}/test`."""
    return Call(method="POST", path=f"{_path(webhook)}/test", scope=SCOPE, read=_read_test)


def deliveries(
    webhook: str, status: str | None, limit: int | None, cursor: str | None
) -> Call[Page[WebhookDelivery]]:
    """`GET /v1/webhooks/{w}/deliveries`."""
    if status is not None and status not in _STATUSES:
        raise InvalidArgumentError(
            f"{status!r} is no status of a delivery. It is one of {', '.join(_STATUSES)}"
        )
    path = f"{_path(webhook)}/deliveries"
    asked = query(status=status, limit=limit, cursor=cursor)
    return Call(method="GET", path=path, scope=SCOPE, query=asked, read=_read_deliveries)


def retry(webhook: str, delivery: str) -> Call[None]:
    """`POST /v1/webhooks/{w}/deliveries/{d}/retry`."""
    path = f"{_path(webhook)}/deliveries/{segment('delivery', delivery)}/retry"
    return Call(method="POST", path=path, scope=SCOPE, read=nothing)


def replay(webhook: str, since: datetime, until: datetime | None) -> Call[None]:
    """`POST /v1/webhooks/{w}/replay`."""
    for name, time in (("since", since), ("until", until)):
        if time is not None and time.tzinfo is None:
            raise InvalidArgumentError(f"{name} needs a time zone, as datetime.now(UTC) has: {time!r}")
    if until is not None and since > until:
        raise InvalidArgumentError("since is after until: give an earlier time")
    body = msgspec.json.encode(ReplayWebhook(since, until))
    return Call(method="POST", path=f"{_path(webhook)}/replay", scope=SCOPE, body=body, read=nothing)


def _path(webhook: str) -> str:
    return f"{PATH}/{segment('webhook', webhook)}"


def _types(events: Iterable[str] | str) -> tuple[str, ...]:
    types = (events,) if isinstance(events, str) else tuple(events)
    if not types:
        raise InvalidArgumentError('There is no type of an event. Name at least one, or "*" for all')
    return types
