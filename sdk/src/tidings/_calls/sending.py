"""Sending notifications, and reading their status and receipts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from tidings._calls.call import Answer, Call, decoded, idempotency, instant, nothing, query, segment
from tidings._messages import compose
from tidings._models import Page, Sent, SentNotification, UserReceipt
from tidings.protocol.rest import RealtimeAddress

_read_sent: Final = decoded(Sent)
_read_address: Final = decoded(RealtimeAddress)
_read_record: Final = decoded(SentNotification)
_read_records: Final = decoded(Page[SentNotification])
_read_receipts: Final = decoded(Page[UserReceipt])


def send(message: Mapping[str, Any], idempotency_key: str | None) -> Call[Sent]:
    """`POST /v1/notifications`, with a new idempotency key if none is given."""
    return Call(
        method="POST",
        path="/v1/notifications",
        scope="send",
        body=msgspec.json.encode(compose(message)),
        idempotency_key=idempotency(idempotency_key),
        read=_sent,
    )


def realtime_address() -> Call[RealtimeAddress]:
    """`GET /v1/realtime`."""
    return Call(method="GET", path="/v1/realtime", scope="send", read=_read_address)


def get(notification: str) -> Call[SentNotification]:
    """`GET /v1/notifications/{id}`."""
    return Call(method="GET", path=_path(notification), scope="read", read=_read_record)


def recall(notification: str) -> Call[None]:
    """`DELETE /v1/notifications/{id}`."""
    return Call(method="DELETE", path=_path(notification), scope="send", read=nothing)


class SentSelection(msgspec.Struct, frozen=True, kw_only=True):
    """The filters of the list of sent notifications."""

    category: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def query(self) -> dict[str, str]:
        """The parameters. Raises InvalidArgumentError for a time without a time zone."""
        since, until = instant("since", self.since), instant("until", self.until)
        return query(category=self.category, since=since, until=until)


def sent(chosen: SentSelection, limit: int | None, cursor: str | None) -> Call[Page[SentNotification]]:
    """`GET /v1/notifications`."""
    asked = chosen.query() | query(limit=limit, cursor=cursor)
    return Call(method="GET", path="/v1/notifications", scope="read", query=asked, read=_read_records)


def export(since: datetime | None, until: datetime | None) -> Call[None]:
    """`GET /v1/export/notifications`, whose answer is a stream of lines."""
    asked = SentSelection(since=since, until=until).query()
    return Call(method="GET", path="/v1/export/notifications", scope="read", query=asked, read=nothing)


def receipts(notification: str, limit: int | None, cursor: str | None) -> Call[Page[UserReceipt]]:
    """`GET /v1/notifications/{id}/receipts`."""
    path = f"{_path(notification)}/receipts"
    asked = query(limit=limit, cursor=cursor)
    return Call(method="GET", path=path, scope="read", query=asked, read=_read_receipts)


def _path(notification: str) -> str:
    return f"/v1/notifications/{segment('notification', notification)}"


def _sent(answer: Answer) -> Sent:
    found = _read_sent(answer)
    if answer.headers.get("idempotency-replayed") == "true":
        return msgspec.structs.replace(found, replayed=True)
    return found
