"""`APIError` and its subclasses: one for each error code of the API, and one for each HTTP status."""

from tidings._errors import RequestInfo, TidingsError
from tidings._public import publish
from tidings.protocol.errors import FieldError
from tidings.protocol.pointers import listing


class APIError(TidingsError):
    """The server refused. `code` is stable, `detail` is for people, `hint` says what to do.

    `errors` has the faults of the body that was sent, `retry_after` is in seconds, and `request_id`
    identifies the request in the server's logs. `mend` is the former name of `hint`.
    """

    hint = "See the detail"
    code = ""

    def __init__(
        self,
        detail: str,
        *,
        code: str,
        status: int,
        errors: tuple[FieldError, ...] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
        request: RequestInfo | None = None,
        hint: str | None = None,
        mend: str | None = None,
    ) -> None:
        hint = mend if hint is None else hint
        if hint is not None:
            self.hint = hint
        self.detail = detail
        self.code = code
        self.status = status
        self.errors = errors
        self.request_id = request_id
        self.retry_after = retry_after
        self.request = request
        super().__init__(self._text())

    @property
    def mend(self) -> str:
        """The former name of `hint`."""
        return self.hint

    def _text(self) -> str:
        text = f"{self.detail.rstrip('.')} [{self.code}, HTTP {self.status}]"
        if self.errors:
            text += f": {listing(self.errors)}"
        text += f". {self.hint}"
        if self.request_id:
            text += f" (request {self.request_id})"
        return text


class RedirectedError(APIError):
    """3xx: the server at the URL redirects to another URL. The client does not follow redirects."""

    hint = "Use the URL of the API itself"


class BadRequestError(APIError):
    """400: the request could not be read."""

    hint = "Check the request against the API's description"


class MalformedJSONError(BadRequestError):
    """`malformed_json`: the body is not JSON, or not valid UTF-8."""

    hint = "Send text that is valid Unicode, and only finite numbers"
    code = "malformed_json"


class MalformedRequestError(BadRequestError):
    """`malformed_request`: the request is not valid HTTP."""

    hint = "Check each proxy between the client and the server"
    code = "malformed_request"


class InvalidCursorError(BadRequestError):
    """`invalid_cursor`: the cursor does not belong to this list."""

    hint = "Start again without a cursor, or use `next` and `previous` of the same list"
    code = "invalid_cursor"


class AuthenticationError(APIError):
    """401: the request has no valid token."""

    hint = "Check the key or token"


class MissingTokenError(AuthenticationError):
    """`missing_token`: no token arrived."""

    hint = "Check that nothing between client and server removes the Authorization header"
    code = "missing_token"


class InvalidTokenError(AuthenticationError):
    """`invalid_token`: the token is not valid."""

    hint = "Check that the key is complete, not revoked, and of this installation"
    code = "invalid_token"


class ExpiredTokenError(AuthenticationError):
    """`expired_token`: the token has expired."""

    hint = "Give the client a key or a callable that returns tokens, and check the clock"
    code = "expired_token"


class PermissionDeniedError(APIError):
    """403: the token is valid, but does not allow the request."""

    hint = "Check the scopes of the key"


class InsufficientScopeError(PermissionDeniedError):
    """`insufficient_scope`: the key or token lacks the scope."""

    hint = "Use a key that has the scope"
    code = "insufficient_scope"


class OriginRefusedError(PermissionDeniedError):
    """`origin_refused`: the tenant does not allow this origin."""

    hint = "Add the origin to the tenant"
    code = "origin_refused"


class NotFoundError(APIError):
    """`not_found`: the resource does not exist, or belongs to another tenant."""

    hint = "Check the id and the tenant of the key, and the URL"
    code = "not_found"


class UnknownActionError(NotFoundError):
    """`unknown_action`: the notification has no such action; `detail` lists those that it has."""

    hint = "Use the id of one of its actions"
    code = "unknown_action"


class MethodNotAllowedError(APIError):
    """`method_not_allowed`: this server does not support the method at that URL."""

    hint = "Check the URL, or update the server"
    code = "method_not_allowed"


class BodyTimeoutError(APIError):
    """`body_timeout`: the body did not arrive in time."""

    hint = "Send less at once, or try again over a faster connection"
    code = "body_timeout"


class IdempotencyInProgressError(APIError):
    """`idempotency_in_progress`: the first request with this key is still running."""

    hint = "Try again with the same key in a moment"
    code = "idempotency_in_progress"


class ActionUsedError(APIError):
    """`action_used`: the user used another action of the notification before; `detail` names it."""

    hint = "Read the item: its `action` is the one that counts"
    code = "action_used"


class HistoryOnlyError(APIError):
    """`history_only`: the notifications are older than the retention, and keep the state that they had."""

    hint = "Leave out the items whose `archived_copy` is true"
    code = "history_only"


class TooLargeError(APIError):
    """`too_large`: the body is larger than the limit."""

    hint = "Send at most 32 KB per notification and 4 MB per batch"
    code = "too_large"


class UnsupportedMediaTypeError(APIError):
    """`unsupported_media_type`: the body did not arrive as JSON."""

    hint = "Check that nothing between client and server changes the Content-Type header"
    code = "unsupported_media_type"


class UnprocessableError(APIError):
    """422: the request is readable, but breaks a rule of the API."""

    hint = "Correct the request"


class InvalidRequestError(UnprocessableError):
    """`invalid_request`: `errors` says which fields are wrong."""

    hint = "Correct these fields"
    code = "invalid_request"


class IdempotencyMismatchError(UnprocessableError):
    """`idempotency_mismatch`: the key was used for another body in the last 24 hours."""

    hint = "Use a new key for a new notification"
    code = "idempotency_mismatch"


class TooManyRequestsError(APIError):
    """429: too many requests; repeat after `retry_after` seconds."""

    hint = "Slow down and try again later"


class RateLimitedError(TooManyRequestsError):
    """`rate_limited`: too many requests in a short time."""

    code = "rate_limited"


class QuotaExceededError(TooManyRequestsError):
    """`quota_exceeded`: the tenant's quota is used up."""

    hint = "Wait for the quota to renew, or ask the operator for more"
    code = "quota_exceeded"


class ServerError(APIError):
    """5xx: the server failed, and not the request."""

    hint = "Try again later"


class InternalError(ServerError):
    """`internal_error`: a fault in the server."""

    hint = "Try again. If the error stays, give the operator the request id"
    code = "internal_error"


class StorageUnavailableError(ServerError):
    """`storage_unavailable`: the server cannot reach its storage."""

    hint = "Try again in a moment. If the error stays, run `tidings-server doctor`"
    code = "storage_unavailable"


class OverloadedError(ServerError):
    """`overloaded`: the server has too many requests to handle."""

    hint = "Try again in a moment"
    code = "overloaded"


publish(globals())
