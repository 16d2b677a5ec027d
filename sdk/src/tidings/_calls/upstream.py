"""The upstream of the tenant."""

from typing import Final

import msgspec

from tidings._calls.call import Call, decoded, nothing
from tidings.protocol.rest import SetUpstream, UpstreamSetting, UpstreamWithSecret

PATH: Final = "/v1/upstream"

_read: Final = decoded(UpstreamSetting)
_read_with_secret: Final = decoded(UpstreamWithSecret)


def set_upstream(url: str, secret: str | None) -> Call[UpstreamWithSecret]:
    """`PUT /v1/upstream`."""
    body = msgspec.json.encode(SetUpstream(url, secret))
    return Call(method="PUT", path=PATH, scope="tenant", body=body, read=_read_with_secret)


def get() -> Call[UpstreamSetting]:
    """`GET /v1/upstream`."""
    return Call(method="GET", path=PATH, scope="tenant", read=_read)


def remove() -> Call[None]:
    """`DELETE /v1/upstream`."""
    return Call(method="DELETE", path=PATH, scope="tenant", read=nothing)
