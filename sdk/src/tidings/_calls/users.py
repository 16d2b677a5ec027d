"""Users: their tokens, their presence, their connections, and erasing them."""

from typing import Final

import msgspec

from tidings._calls.call import Answer, Call, decoded, nothing, segment
from tidings._errors import InvalidArgumentError
from tidings._models import Erased, Presence
from tidings._token import UserToken
from tidings.protocol.rest import CreateToken
from tidings.protocol.rest import UserToken as TokenAnswer

_read_token: Final = decoded(TokenAnswer)
_read_presence: Final = decoded(Presence)
_read_erased: Final = decoded(Erased)


def create_token(user: str, expires_in: int) -> Call[UserToken]:
    """`POST /v1/tokens`."""
    segment("user", user)
    body = msgspec.json.encode(CreateToken(user, expires_in))
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


def _token(answer: Answer) -> UserToken:
    found = _read_token(answer)
    return UserToken(token=found.token, expires_at=found.expires_at, realtime_url=found.realtime_url)


def _path(user: str) -> str:
    return f"/v1/users/{segment('user', user)}"
