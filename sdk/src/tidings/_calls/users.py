"""Users: their tokens, their presence, their connections, and erasing them."""

from collections.abc import Iterable
from typing import Final

import msgspec

from tidings._calls.call import Answer, Call, decoded, nothing, segment
from tidings._errors import InvalidArgumentError
from tidings._models import Erased, Presence
from tidings._token import UserToken
from tidings.protocol.names import PATTERN_RULE, is_topic_pattern
from tidings.protocol.rest import UserToken as TokenAnswer

_read_token: Final = decoded(TokenAnswer)
_read_presence: Final = decoded(Presence)
_read_erased: Final = decoded(Erased)


def create_token(
    user: str,
    expires_in: int,
    topics: Iterable[str] | None = None,
    publish: Iterable[str] | None = None,
) -> Call[UserToken]:
    """`POST /v1/tokens`, with patterns of topics."""
    segment("user", user)
    patterns = {"topics": _patterns(topics), "publish": _patterns(publish)}
    body = msgspec.json.encode(
        {"user": user, "expires_in": expires_in, "scope": "inbox"}
        | {name: some for name, some in patterns.items() if some is not None}
    )
    return Call(method="POST", path="/v1/tokens", scope="tokens", body=body, read=_token)


def presence(user: str) -> Call[Presence]:
    """`GET /v1/users/{u}/presence`."""
    return Call(method="GET", path=f"{_path(user)}/presence", scope="read", read=_read_presence)


def disconnect(user: str | None, connection: str | None) -> Call[None]:
    """`DELETE /v1/users/{u}/connections`, or `DELETE /v1/connections/{id}`."""
    match user, connection:
        case str(), None:
            path = f"{_path(user)}/connections"
        case None, str():
            path = f"/v1/connections/{segment('connection', connection)}"
        case _:
            raise InvalidArgumentError("There must be one thing to disconnect. Give a user or a connection")
    return Call(method="DELETE", path=path, scope="users", read=nothing)


def erase(user: str) -> Call[Erased]:
    """`DELETE /v1/users/{u}`."""
    return Call(method="DELETE", path=_path(user), scope="users", read=_read_erased)


def _patterns(patterns: Iterable[str] | None) -> list[str] | None:
    if patterns is None:
        return None
    found = [patterns] if isinstance(patterns, str) else list(patterns)
    wrong = next((each for each in found if not is_topic_pattern(each)), None)
    if wrong is not None:
        raise InvalidArgumentError(f"{wrong!r} is not a pattern of topics: it is {PATTERN_RULE}")
    return found


def _token(answer: Answer) -> UserToken:
    found = _read_token(answer)
    return UserToken(token=found.token, expires_at=found.expires_at, realtime_url=found.realtime_url)


def _path(user: str) -> str:
    return f"/v1/users/{segment('user', user)}"
