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

Retryable requests were repeated as far as `RetryPolicy` allows before any of these is raised.

This module defines the errors of the client itself. `_api_errors` has `APIError` and those below it,
`_listen/errors.py` has `ListenError` and those below it.
"""

from typing import Any

import msgspec

from tidings import _publish
from tidings._reasons import Reason


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


_publish(globals())
