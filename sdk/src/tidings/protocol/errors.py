"""The one table of error codes: HTTP status, title, and whether a retry can succeed.

A code never changes its meaning and is never reused. The API answers with problem+json (RFC 9457), the
gateway sends `error` frames, and the SDK has one exception class per code.
"""

from typing import Final
from urllib.parse import quote

from msgspec import Struct

from tidings.protocol.plain import Plain


class ErrorCode(Struct, frozen=True):
    """One stable code. `retryable` means that the same request may succeed later, unchanged."""

    code: str
    status: int
    title: str
    retryable: bool = False


_TABLE: Final = (
    ErrorCode("malformed_json", 400, "The body is not valid JSON"),
    ErrorCode("malformed_request", 400, "The request could not be read"),
    ErrorCode("invalid_cursor", 400, "The cursor does not belong to this list"),
    ErrorCode("missing_token", 401, "A bearer token is required"),
    ErrorCode("invalid_token", 401, "The token is not valid"),
    ErrorCode("expired_token", 401, "The token has expired"),
    ErrorCode("insufficient_scope", 403, "The token does not allow this"),
    ErrorCode("origin_refused", 403, "This origin is not allowed"),
    ErrorCode("not_found", 404, "The resource does not exist"),
    ErrorCode("unknown_action", 404, "The notification has no such action"),
    ErrorCode("method_not_allowed", 405, "The method is not allowed here"),
    ErrorCode("body_timeout", 408, "The body did not arrive in time", retryable=True),
    ErrorCode(
        "idempotency_in_progress", 409, "The first request with this key is still running", retryable=True
    ),
    ErrorCode("action_used", 409, "Another action of the notification was used before"),
    ErrorCode("history_only", 409, "The notification is in the history and can't be changed"),
    ErrorCode("too_large", 413, "The request is too large"),
    ErrorCode("unsupported_media_type", 415, "The media type of the body is not supported"),
    ErrorCode("invalid_request", 422, "The request is not valid"),
    ErrorCode("idempotency_mismatch", 422, "The idempotency key was used for another body"),
    ErrorCode("rate_limited", 429, "Too many requests", retryable=True),
    ErrorCode("quota_exceeded", 429, "The quota is used up", retryable=True),
    ErrorCode("internal_error", 500, "The server had an internal error", retryable=True),
    ErrorCode("storage_unavailable", 503, "The storage is not available", retryable=True),
    ErrorCode("overloaded", 503, "The server is overloaded", retryable=True),
    # Only in `error` frames; HTTP would answer with this status.
    ErrorCode("unknown_type", 400, "The frame's type is not known"),
    ErrorCode("forbidden_topic", 403, "The token does not allow this topic"),
    ErrorCode("invalid_topic", 422, "This is not the name of a topic"),
    ErrorCode("too_many_topics", 422, "The connection has too many subscriptions"),
    ErrorCode("no_upstream", 404, "The tenant has no upstream"),
    # Not retryable: the application may have carried out the message.
    ErrorCode("upstream_failed", 502, "The upstream did not answer as it has to"),
    ErrorCode("upstream_timeout", 504, "The upstream did not answer in time"),
)

ERRORS: Final[dict[str, ErrorCode]] = {entry.code: entry for entry in _TABLE}


class FieldError(Plain, frozen=True):
    """One fault of a body: its place, as a JSON pointer in a URI fragment, and the rule that it breaks."""

    pointer: str
    detail: str


class Problem(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An error answer, `application/problem+json` (RFC 9457 with the extensions below)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None = None
    errors: tuple[FieldError, ...] = ()


def problem(
    code: str, detail: str, request_id: str | None = None, errors: tuple[FieldError, ...] = ()
) -> Problem:
    """The problem document for a code of the table."""
    entry = ERRORS[code]
    return Problem(
        type=f"/problems/{code}",
        title=entry.title,
        status=entry.status,
        detail=detail,
        code=code,
        request_id=request_id,
        errors=errors,
    )


def pointer_step(name: str) -> str:
    """A field's name as one step of a JSON pointer (RFC 6901, section 6) in a URI fragment."""
    return quote(name.replace("~", "~0").replace("/", "~1"), safe="!$&'()*+,;=:@")
