"""Tokens, and the address to use them at."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from tidings.protocol import limits
from tidings.protocol.errors import Problem
from tidings.protocol.names import Timestamp, TopicPattern, UserId

Patterns = Annotated[tuple[TopicPattern, ...], Meta(max_length=limits.TOPIC_PATTERNS)]
GrantErrorCode = Literal["invalid_request", "invalid_client", "unsupported_grant_type", "invalid_scope"]


class CreateToken(Struct, frozen=True, forbid_unknown_fields=True):
    """A token for a user's browser or app. It grants the user's own inbox, and the topics of its patterns.

    `expires_in` is in seconds, at most 24 hours. In a pattern, `*` is one segment of a topic, `**` at the end
    is one segment or more, and `{sub}` is the user. `topics` allows to subscribe, `publish` to publish.
    """

    user: UserId
    expires_in: Annotated[int, Meta(ge=1, le=limits.TOKEN_SECONDS)] = 3600
    scope: Literal["inbox"] = "inbox"
    topics: Patterns | None = None
    publish: Patterns | None = None


class UserToken(Struct, frozen=True):
    """A token of a user, and the URL to connect to with it."""

    token: str
    expires_at: Timestamp
    realtime_url: str


class CreateTicket(Struct, frozen=True, forbid_unknown_fields=True):
    """A request for a ticket, which has no fields."""


class RealtimeTicket(Struct, frozen=True):
    """A ticket for `GET /v1/realtime/events?ticket=`: for one connection, within `expires_in` seconds."""

    ticket: str
    expires_in: int


class RealtimeAddress(Struct, frozen=True):
    """The URL of the realtime port."""

    realtime_url: str


class AccessToken(Struct, frozen=True):
    """An access token for the application itself (RFC 6749, section 5.1)."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str


class GrantError(Problem, frozen=True, kw_only=True, omit_defaults=True):
    """The reason for a refused access token (RFC 6749, section 5.2), with the fields of a problem as well."""

    error: GrantErrorCode
    error_description: str
