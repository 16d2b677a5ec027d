"""Everything that the SDK raises.

::

    TidingsError
    ├── ConfigurationError                 the client was made with a wrong URL, key or token (a ValueError)
    ├── ClientClosedError                  a call after `close` or `aclose`
    ├── InvalidArgumentError               refused before anything was sent (a ValueError)
    ├── ConnectionFailedError              no answer: the outcome of the request is unknown
    │   └── TimedOutError                  the answer did not come in time
    ├── UnreadableAnswerError              a success whose body is not what the contract says
    ├── APIError                           the server said no
    │   ├── RedirectedError                3xx, of something in front of the API
    │   ├── BadRequestError                400
    │   │   ├── MalformedJSONError             malformed_json
    │   │   ├── MalformedRequestError          malformed_request
    │   │   ├── InvalidCursorError             invalid_cursor
    │   │   └── UnknownTypeError               unknown_type (only in frames)
    │   ├── AuthenticationError            401
    │   │   ├── MissingTokenError              missing_token
    │   │   ├── InvalidTokenError              invalid_token
    │   │   └── ExpiredTokenError              expired_token
    │   ├── PermissionDeniedError          403
    │   │   ├── InsufficientScopeError         insufficient_scope
    │   │   └── OriginRefusedError             origin_refused
    │   ├── NotFoundError                  404, not_found
    │   ├── MethodNotAllowedError          405, method_not_allowed
    │   ├── BodyTimeoutError               408, body_timeout
    │   ├── IdempotencyInProgressError     409, idempotency_in_progress
    │   ├── TooLargeError                  413, too_large
    │   ├── UnsupportedMediaTypeError      415, unsupported_media_type
    │   ├── UnprocessableError             422
    │   │   ├── InvalidRequestError            invalid_request
    │   │   └── IdempotencyMismatchError       idempotency_mismatch
    │   ├── TooManyRequestsError           429
    │   │   ├── RateLimitedError               rate_limited
    │   │   └── QuotaExceededError             quota_exceeded
    │   └── ServerError                    5xx
    │       ├── InternalError                  internal_error
    │       ├── StorageUnavailableError        storage_unavailable
    │       └── OverloadedError                overloaded
    └── ListenError                        a live inbox
        ├── ConnectionClosedError              ended by the server, with the verdict to stay away
        ├── FrameRefusedError                  the server answered a frame with `error`
        └── UnansweredError                    a mark got no answer: its outcome is unknown

What could be tried again has been, as far as `RetryPolicy` allows, before any of these is raised.
"""

from typing import Any, Final

import msgspec

from tidings import _publish
from tidings._reasons import Reason
from tidings.protocol.closing import CLOSE_CODES, Verdict, verdict_of
from tidings.protocol.errors import FieldError
from tidings.protocol.pointers import listing


class RequestInfo(msgspec.Struct, frozen=True):
    """The request that an error is about. It never carries the token."""

    method: str
    url: str
    idempotency_key: str | None = None


class TidingsError(Exception):
    """The base of everything that the SDK raises on purpose. All of it survives pickle and copy."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[TidingsError], args: tuple[Any, ...], state: dict[str, Any]) -> TidingsError:
    """An error as it was, past the arguments of its constructor."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(TidingsError, ValueError):
    """A URL, key, token or environment variable cannot be used; the text says how to mend it."""


class ClientClosedError(TidingsError):
    """The client was closed before the call; nothing was sent."""

    def __init__(self) -> None:
        super().__init__("The client is closed. Make another one, or enter it again")


class InvalidArgumentError(TidingsError, ValueError):
    """An argument cannot be sent as it is; nothing was sent."""


class ConnectionFailedError(TidingsError):
    """No answer came, after `tries` tries. Whether the last one took effect is unknown.

    A send may safely be repeated with the `idempotency_key` of `request`. `__cause__` is the error of the
    library below.
    """

    def __init__(self, reason: str | Reason, *, request: RequestInfo, tries: int = 1) -> None:
        self.request = request
        self.tries = tries
        reason = Reason(reason.rstrip(".")) if isinstance(reason, str) else reason
        tried = f" after {tries} tries" if tries > 1 else ""
        super().__init__(
            f"{request.method} {request.url} got no answer{tried}: {reason.text}. {reason.advice}"
        )


class TimedOutError(ConnectionFailedError):
    """No answer came within the timeout."""


class UnreadableAnswerError(TidingsError):
    """The server reported success with a body that the contract does not allow."""

    def __init__(self, reason: str, *, status: int, request: RequestInfo) -> None:
        self.status = status
        self.request = request
        super().__init__(
            f"{request.method} {request.url} answered {status} "
            f"with an unreadable body: {reason.rstrip('.')}. "
            "Check that the URL is that of a Tidings API"
        )


class APIError(TidingsError):
    """The server refused. `code` is stable, `detail` is for people.

    `errors` points into the body that was sent, `retry_after` is in seconds, and `request_id` finds
    the request in the server's logs.
    """

    mend = "See the detail"
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
        mend: str | None = None,
    ) -> None:
        if mend is not None:
            self.mend = mend
        self.detail = detail
        self.code = code
        self.status = status
        self.errors = errors
        self.request_id = request_id
        self.retry_after = retry_after
        self.request = request
        super().__init__(self._text())

    def _text(self) -> str:
        text = f"{self.detail.rstrip('.')} [{self.code}, HTTP {self.status}]"
        if self.errors:
            text += f": {listing(self.errors)}"
        text += f". {self.mend}"
        if self.request_id:
            text += f" (request {self.request_id})"
        return text


class RedirectedError(APIError):
    """3xx: what answers at the URL sends every request elsewhere. None was sent there."""

    mend = "Use the URL of the API itself"


class BadRequestError(APIError):
    """400: the request could not be read."""

    mend = "Check the request against the API's description"


class MalformedJSONError(BadRequestError):
    """`malformed_json`: the body is not JSON, or not valid UTF-8."""

    mend = "Send text that is valid Unicode, and only finite numbers"
    code = "malformed_json"


class MalformedRequestError(BadRequestError):
    """`malformed_request`: the request is broken below JSON."""

    mend = "Check what lies between the client and the server, such as a proxy"
    code = "malformed_request"


class InvalidCursorError(BadRequestError):
    """`invalid_cursor`: the cursor is not one of this list."""

    mend = "Start again without a cursor, or use `next` and `previous` of the same list"
    code = "invalid_cursor"


class UnknownTypeError(BadRequestError):
    """`unknown_type`: this server does not know a frame of that type."""

    mend = "Update the server"
    code = "unknown_type"


class AuthenticationError(APIError):
    """401: who asks is not known."""

    mend = "Check the key or token"


class MissingTokenError(AuthenticationError):
    """`missing_token`: no token arrived."""

    mend = "Check that nothing between client and server removes the Authorization header"
    code = "missing_token"


class InvalidTokenError(AuthenticationError):
    """`invalid_token`: the token does not hold."""

    mend = "Check that the key is complete, not revoked, and of this installation"
    code = "invalid_token"


class ExpiredTokenError(AuthenticationError):
    """`expired_token`: the token's time is over."""

    mend = "Give the client a key or a callable that makes tokens, and check the clock"
    code = "expired_token"


class PermissionDeniedError(APIError):
    """403: known, but not allowed."""

    mend = "Check what the key may do"


class InsufficientScopeError(PermissionDeniedError):
    """`insufficient_scope`: the key or token lacks the scope."""

    mend = "Use a key that has the scope"
    code = "insufficient_scope"


class OriginRefusedError(PermissionDeniedError):
    """`origin_refused`: the tenant does not allow this origin."""

    mend = "Add the origin to the tenant"
    code = "origin_refused"


class NotFoundError(APIError):
    """`not_found`: there is no such thing, or it belongs to another tenant."""

    mend = "Check the id and the tenant of the key, and the URL"
    code = "not_found"


class MethodNotAllowedError(APIError):
    """`method_not_allowed`: this server does not do that."""

    mend = "Check the URL, or update the server"
    code = "method_not_allowed"


class BodyTimeoutError(APIError):
    """`body_timeout`: the body did not arrive in time."""

    mend = "Send less at once, or try again over a faster line"
    code = "body_timeout"


class IdempotencyInProgressError(APIError):
    """`idempotency_in_progress`: the first request with this key is still running."""

    mend = "Try again with the same key in a moment"
    code = "idempotency_in_progress"


class TooLargeError(APIError):
    """`too_large`: the body is over the limit."""

    mend = "Send less at once: 32 KB a notification, 4 MB a batch"
    code = "too_large"


class UnsupportedMediaTypeError(APIError):
    """`unsupported_media_type`: the body did not arrive as JSON."""

    mend = "Check that nothing between client and server changes the Content-Type header"
    code = "unsupported_media_type"


class UnprocessableError(APIError):
    """422: readable, but not allowed by the rules."""

    mend = "Correct the request"


class InvalidRequestError(UnprocessableError):
    """`invalid_request`: `errors` says which fields are wrong."""

    mend = "Correct the fields named"
    code = "invalid_request"


class IdempotencyMismatchError(UnprocessableError):
    """`idempotency_mismatch`: the key was used for another body in the last 24 hours."""

    mend = "Use a new key for a new notification"
    code = "idempotency_mismatch"


class TooManyRequestsError(APIError):
    """429: too much at once; `retry_after` says when to come back."""

    mend = "Slow down and try again later"


class RateLimitedError(TooManyRequestsError):
    """`rate_limited`: too many requests in a short time."""

    code = "rate_limited"


class QuotaExceededError(TooManyRequestsError):
    """`quota_exceeded`: the tenant's quota is used up."""

    mend = "Wait for the quota to renew, or ask the operator for more"
    code = "quota_exceeded"


class ServerError(APIError):
    """5xx: the fault is not the caller's."""

    mend = "Try again later"


class InternalError(ServerError):
    """`internal_error`: a fault in the server."""

    mend = "Try again; if it stays, give the operator the request id"
    code = "internal_error"


class StorageUnavailableError(ServerError):
    """`storage_unavailable`: the server cannot reach its storage."""

    mend = "Try again in a moment; if it stays, `tidings-server doctor` says what is wrong"
    code = "storage_unavailable"


class OverloadedError(ServerError):
    """`overloaded`: the server has too much to do."""

    mend = "Try again in a moment"
    code = "overloaded"


class ListenError(TidingsError):
    """A live inbox could not go on, or could not do what it was asked."""


class ConnectionClosedError(ListenError):
    """The server closed the connection, and its code says to stay away."""

    def __init__(self, code: int | None, reason: str) -> None:
        self.code = code
        self.reason = reason
        self.verdict: Verdict = verdict_of(code)
        known = CLOSE_CODES.get(code or 0)
        said = (reason or (known.reason if known else "") or "no reason given").rstrip(".")
        super().__init__(
            f"The server closed the connection: {said}{'' if code is None else f' [{code}]'}. "
            f"{_MEND_CLOSED.get(code or 0, 'The code means: ' + self.verdict.value)}"
        )


class FrameRefusedError(ListenError):
    """The server answered a frame with `error`; the connection stands."""

    def __init__(self, code: str, detail: str, ref: str | int | None = None) -> None:
        self.code = code
        self.detail = detail
        self.ref = ref
        kind = BY_CODE.get(code, APIError)
        super().__init__(f"{detail.rstrip('.')} [{code}]. {kind.mend}")


class UnansweredError(ListenError):
    """No answer came for a mark. Whether it took effect is unknown; repeating it does no harm."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason.rstrip('.')}, so whether it took effect is unknown. Repeat it")


_MEND_CLOSED: Final = {
    4001: "Check that the key or token is complete, not revoked, and of this installation",
    4002: "Its key was revoked: use another key",
    4003: "The tenant allows one session per user, and a newer one has taken its place",
    4004: "Add the origin to the tenant",
    4005: "The application disconnected this user",
    4007: "Use a user's token, as made by POST /v1/tokens",
    4200: "Give `listen` a key or a callable that makes tokens, so that it can renew them",
}


def _codes_of(kind: type[APIError]) -> dict[str, type[APIError]]:
    found = {kind.code: kind} if kind.code else {}
    for below in kind.__subclasses__():
        found |= _codes_of(below)
    return found


BY_CODE: Final = _codes_of(APIError)


_publish(globals())
