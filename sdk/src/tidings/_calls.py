"""Every request of the REST API: built from arguments, and its answer read. No I/O.

Both clients run these, so a route is described once.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

import msgspec

from tidings._errors import APIError, InvalidArgumentError, error_of
from tidings._messages import compose
from tidings._models import (
    BatchSent,
    Group,
    InboxPage,
    Member,
    Page,
    Sent,
    SentNotification,
    UserToken,
)
from tidings.protocol import limits
from tidings.protocol.names import ID_RULE, is_id
from tidings.protocol.rest import BatchAnswer, ChangeMembers, CreateToken, MembersChanged

T = TypeVar("T")


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer; the names of headers are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Call(Generic[T]):
    """One request of the API, without its token. `read` turns a 2xx answer into the result."""

    method: str
    path: str
    scope: str
    read: Callable[[Answer], T]
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    idempotency_key: str | None = None


def _decoded(kind: type[T]) -> Callable[[Answer], T]:
    decoder = msgspec.json.Decoder(kind)
    return lambda answer: decoder.decode(answer.body)


def _nothing(_: Answer) -> None:
    return None


def _sent(answer: Answer) -> Sent:
    sent = _read_sent(answer)
    if answer.headers.get("idempotency-replayed") == "true":
        return msgspec.structs.replace(sent, replayed=True)
    return sent


def _batch(answer: Answer) -> list[BatchSent | APIError]:
    request_id = answer.headers.get("x-request-id")
    results: list[BatchSent | APIError] = []
    for result in _read_batch(answer).results:
        if result.error is not None:
            results.append(error_of(result.error, result.error.status, request_id=request_id))
        else:
            results.append(BatchSent(id=result.id or "", status=result.status or ""))
    return results


_read_sent: Final = _decoded(Sent)
_read_batch: Final = _decoded(BatchAnswer)
_read_record: Final = _decoded(SentNotification)
_read_changed: Final = _decoded(MembersChanged)
_read_group: Final = _decoded(Group)
_read_groups: Final = _decoded(Page[Group])
_read_members: Final = _decoded(Page[Member])
_read_inbox: Final = _decoded(InboxPage)
_read_token: Final = _decoded(UserToken)


def _id(kind: str, value: object) -> str:
    """A checked id as a path segment."""
    if not isinstance(value, str) or not is_id(value):
        raise InvalidArgumentError(f"{value!r} cannot name a {kind}: ids are {ID_RULE}")
    return quote(value, safe="")


def _users(users: Iterable[str] | str) -> tuple[str, ...]:
    listed = (users,) if isinstance(users, str) else tuple(users)
    for user in listed:
        _id("user", user)
    return listed


def _key(value: str | None) -> str:
    if value is None:
        return str(uuid.uuid4())
    if not (value.isascii() and value.isprintable() and 1 <= len(value) <= limits.IDEMPOTENCY_KEY_LENGTH):
        raise InvalidArgumentError(
            f"An idempotency key is 1 to {limits.IDEMPOTENCY_KEY_LENGTH} printable ASCII characters"
        )
    return value


def _query(**parts: str | int | None) -> dict[str, str]:
    return {name: str(value) for name, value in parts.items() if value is not None}


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
    path = f"/v1/notifications/{_id('notification', notification)}"
    return Call(method="GET", path=path, scope="read", read=_read_record)


def recall(notification: str) -> Call[None]:
    """`DELETE /v1/notifications/{id}`."""
    path = f"/v1/notifications/{_id('notification', notification)}"
    return Call(method="DELETE", path=path, scope="send", read=_nothing)


def change_members(group: str, add: Iterable[str], remove: Iterable[str]) -> Call[MembersChanged]:
    """`POST /v1/groups/{g}/members`."""
    change = ChangeMembers(add=_users(add), remove=_users(remove))
    if not (change.add or change.remove):
        raise InvalidArgumentError("Name at least one user to add or remove")
    return Call(
        method="POST",
        path=f"/v1/groups/{_id('group', group)}/members",
        scope="groups",
        body=msgspec.json.encode(change),
        read=_read_changed,
    )


def get_group(group: str) -> Call[Group]:
    """`GET /v1/groups/{g}`."""
    return Call(method="GET", path=f"/v1/groups/{_id('group', group)}", scope="read", read=_read_group)


def delete_group(group: str) -> Call[None]:
    """`DELETE /v1/groups/{g}`."""
    return Call(method="DELETE", path=f"/v1/groups/{_id('group', group)}", scope="groups", read=_nothing)


def groups(limit: int | None, cursor: str | None) -> Call[Page[Group]]:
    """`GET /v1/groups`."""
    query = _query(limit=limit, cursor=cursor)
    return Call(method="GET", path="/v1/groups", scope="read", query=query, read=_read_groups)


def groups_of(user: str, limit: int | None, cursor: str | None) -> Call[Page[Group]]:
    """`GET /v1/users/{u}/groups`."""
    path = f"/v1/users/{_id('user', user)}/groups"
    query = _query(limit=limit, cursor=cursor)
    return Call(method="GET", path=path, scope="read", query=query, read=_read_groups)


def members(group: str, limit: int | None, cursor: str | None) -> Call[Page[Member]]:
    """`GET /v1/groups/{g}/members`."""
    path = f"/v1/groups/{_id('group', group)}/members"
    query = _query(limit=limit, cursor=cursor)
    return Call(method="GET", path=path, scope="read", query=query, read=_read_members)


def inbox(
    user: str | None, *, state: str | None, category: str | None, limit: int | None, cursor: str | None
) -> Call[InboxPage]:
    """`GET /v1/users/{id}/notifications`, or with no user `GET /v1/me/notifications`."""
    return Call(
        method="GET",
        path="/v1/me/notifications" if user is None else f"/v1/users/{_id('user', user)}/notifications",
        scope="inbox" if user is None else "read",
        query=_query(state=state, category=category, limit=limit, cursor=cursor),
        read=_read_inbox,
    )


def create_token(user: str, expires_in: int) -> Call[UserToken]:
    """`POST /v1/tokens`."""
    _id("user", user)
    body = msgspec.json.encode(CreateToken(user, expires_in))
    return Call(method="POST", path="/v1/tokens", scope="tokens", body=body, read=_read_token)
