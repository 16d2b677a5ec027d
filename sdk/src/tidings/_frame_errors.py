"""The errors of `error` frames that HTTP does not have, and all errors by their codes."""

from typing import Final

from tidings._api_errors import (
    APIError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    UnprocessableError,
)
from tidings._public import publish


class UnknownTypeError(BadRequestError):
    """`unknown_type`: this server does not know a frame of that type."""

    hint = "Update the server"
    code = "unknown_type"


class ForbiddenTopicError(PermissionDeniedError):
    """`forbidden_topic`: neither the token nor the tenant allows the topic."""

    hint = "Use a token whose claim topics, or publish, allows it"
    code = "forbidden_topic"


class InvalidTopicError(UnprocessableError):
    """`invalid_topic`: the text is not the name of a topic."""

    hint = "Name it by segments of the characters of ids, with / between them"
    code = "invalid_topic"


class TooManyTopicsError(UnprocessableError):
    """`too_many_topics`: the connection has as many subscriptions as it may have."""

    hint = "Close another subscription first"
    code = "too_many_topics"


class NoUpstreamError(NotFoundError):
    """`no_upstream`: the tenant has no upstream that answers messages."""

    hint = "Set one by `tidings.upstream.set`"
    code = "no_upstream"


class UpstreamFailedError(ServerError):
    """`upstream_failed`: the application did not answer a message as it has to."""

    hint = "Check the application. It may have carried out the message"
    code = "upstream_failed"


class UpstreamTimeoutError(ServerError):
    """`upstream_timeout`: the application did not answer a message in time."""

    hint = "Check the application. It may have carried out the message"
    code = "upstream_timeout"


def _codes_of(kind: type[APIError]) -> dict[str, type[APIError]]:
    found = {kind.code: kind} if kind.code else {}
    for below in kind.__subclasses__():
        found |= _codes_of(below)
    return found


BY_CODE: Final = _codes_of(APIError)


publish(globals())
