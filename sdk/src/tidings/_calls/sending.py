"""Sending, and what became of what was sent."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from tidings._calls.call import Answer, Call, decoded, nothing, query, segment
from tidings._errors import APIError, InvalidArgumentError
from tidings._messages import compose
from tidings._models import BatchSent, Page, Sent, SentNotification, UserReceipt
from tidings._problems import error_of
from tidings.protocol import limits
from tidings.protocol.rest import BatchAnswer

_read_sent: Final = decoded(Sent)
_read_batch: Final = decoded(BatchAnswer)
_read_record: Final = decoded(SentNotification)
_read_records: Final = decoded(Page[SentNotification])
_read_receipts: Final = decoded(Page[UserReceipt])


def send(message: Mapping[str, Any], idempotency_key: str | None) -> Call[Sent]:
    """`POST /v1/notifications`, with an idempotency key made here where none is given."""
    return Call(
        method="POST",
        path="/v1/notifications",
        scope="send",
        body=msgspec.json.encode(compose(message)),
        idempotency_key=_key(idempotency_key),
        read=_sent,
    )


def send_batch(
    messages: Iterable[Mapping[str, Any]], idempotency_key: str | None
) -> Call[list[BatchSent | APIError]]:
    """`POST /v1/notifications/batch`; one key covers the whole batch."""
    composed = []
    for index, message in enumerate(messages):
        try:
            composed.append(compose(message))
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"Message {index}: {error}") from None
    return Call(
        method="POST",
        path="/v1/notifications/batch",
        scope="send",
        body=msgspec.json.encode({"notifications": composed}),
        idempotency_key=_key(idempotency_key),
        read=_batch,
    )


def get(notification: str) -> Call[SentNotification]:
    """`GET /v1/notifications/{id}`."""
    return Call(method="GET", path=_path(notification), scope="read", read=_read_record)


def recall(notification: str) -> Call[None]:
    """`DELETE /v1/notifications/{id}`."""
    return Call(method="DELETE", path=_path(notification), scope="send", read=nothing)


def sent(category: str | None, limit: int | None, cursor: str | None) -> Call[Page[SentNotification]]:
    """`GET /v1/notifications`."""
    asked = query(category=category, limit=limit, cursor=cursor)
    return Call(method="GET", path="/v1/notifications", scope="read", query=asked, read=_read_records)


def receipts(notification: str, limit: int | None, cursor: str | None) -> Call[Page[UserReceipt]]:
    """`GET /v1/notifications/{id}/receipts`."""
    path = f"{_path(notification)}/receipts"
    asked = query(limit=limit, cursor=cursor)
    return Call(method="GET", path=path, scope="read", query=asked, read=_read_receipts)


def _path(notification: str) -> str:
    return f"/v1/notifications/{segment('notification', notification)}"


def _key(value: str | None) -> str:
    if value is None:
        return str(uuid.uuid4())
    if not (value.isascii() and value.isprintable() and 1 <= len(value) <= limits.IDEMPOTENCY_KEY_LENGTH):
        raise InvalidArgumentError(
            f"An idempotency key is 1 to {limits.IDEMPOTENCY_KEY_LENGTH} printable ASCII characters"
        )
    return value


def _sent(answer: Answer) -> Sent:
    found = _read_sent(answer)
    if answer.headers.get("idempotency-replayed") == "true":
        return msgspec.structs.replace(found, replayed=True)
    return found


def _batch(answer: Answer) -> list[BatchSent | APIError]:
    request_id = answer.headers.get("x-request-id")
    results: list[BatchSent | APIError] = []
    for result in _read_batch(answer).results:
        if result.error is not None:
            results.append(error_of(result.error, result.error.status, request_id=request_id))
        else:
            results.append(BatchSent(id=result.id or "", status=result.status or ""))
    return results
