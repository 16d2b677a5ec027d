"""The errors that the SDK raises.

::

    TidingsError
    ├── ConfigurationError                 a URL, key or token cannot be used (a ValueError)
    ├── ClientClosedError                  a call after `close` or `aclose`
    ├── InvalidArgumentError               refused before anything was sent (a ValueError)
    ├── ConnectionFailedError              no answer: the outcome of the request is unknown
    │   └── TimedOutError                  no answer within the timeout
    ├── UnreadableAnswerError              success, but the body is not one of the API
    ├── APIError                           the server refused the request
    │   ├── RedirectedError                3xx, of another server in front of the API
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
    │   │   ├── UnknownActionError             unknown_action
    │   │   └── NoUpstreamError                no_upstream (only in frames)
    │   ├── MethodNotAllowedError          405, method_not_allowed
    │   ├── BodyTimeoutError               408, body_timeout
    │   ├── ActionUsedError                409, action_used
    │   ├── HistoryOnlyError               409, history_only
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
    │       ├── OverloadedError                overloaded
    │       ├── UpstreamFailedError            upstream_failed (only in frames)
    │       └── UpstreamTimeoutError           upstream_timeout (only in frames)
    └── ListenError                        a live inbox
        ├── ConnectionClosedError              closed by the server, with the verdict to stay away
        ├── FrameRefusedError                  the server answered a frame with `error`
        └── UnansweredError                    a mark got no answer: its outcome is unknown

The client raises the error of a retryable request after the retries that `RetryPolicy` allows.

This module defines the errors of the client itself. `_api_errors` and `_frame_errors` have `APIError` and its
subclasses,
`_listen/errors.py` has `ListenError` and its subclasses.
"""

from typing import Any

import msgspec

from tidings._public import publish
from tidings._reasons import Reason


class RequestInfo(msgspec.Struct, frozen=True):
    """The request that an error is about. It never carries the token."""

    method: str
    url: str
    idempotency_key: str | None = None


class TidingsError(Exception):
    """The base class of all errors of the SDK. Instances can be pickled and copied."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[TidingsError], args: tuple[Any, ...], state: dict[str, Any]) -> TidingsError:
    """The error of a pickle, made without its constructor: that takes other arguments."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(TidingsError, ValueError):
    """A URL, key, token or environment variable cannot be used; the text names the fault and the cure."""


class ClientClosedError(TidingsError):
    """The client was closed before the call; nothing was sent."""

    def __init__(self) -> None:
        super().__init__("The client is closed. Make another one, or enter it again")


class InvalidArgumentError(TidingsError, ValueError):
    """An argument is not valid; nothing was sent."""


class ConnectionFailedError(TidingsError):
    """No answer arrived, after `tries` tries. It is not known whether the last one took effect.

    A send is safe to repeat with the `idempotency_key` of `request`. `__cause__` is the error of the HTTP or
    WebSocket library.
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
    """No answer arrived within the timeout."""


class UnreadableAnswerError(TidingsError):
    """The server reported success, but its body is not one that the API has."""

    def __init__(self, reason: str, *, status: int, request: RequestInfo) -> None:
        self.status = status
        self.request = request
        super().__init__(
            f"{request.method} {request.url} answered {status} "
            f"with an unreadable body: {reason.rstrip('.')}. "
            "Check that the URL is that of a Tidings API"
        )


publish(globals())
