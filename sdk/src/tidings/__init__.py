"""Tidings, a realtime notification service: the SDK.

`Tidings` is the blocking client and `AsyncTidings` the async one, which can also `listen`. Everything
public is named here, and loaded when it is first used: the protocol alone costs nothing more.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidings._async_client import AsyncGroups, AsyncInbox, AsyncTidings, AsyncTokens
    from tidings._client import Groups, Inbox, Tidings, Tokens
    from tidings._errors import (
        APIError,
        AuthenticationError,
        BadRequestError,
        BodyTimeoutError,
        ConfigurationError,
        ConnectionClosedError,
        ConnectionFailedError,
        ExpiredTokenError,
        FrameRefusedError,
        IdempotencyInProgressError,
        IdempotencyMismatchError,
        InsufficientScopeError,
        InternalError,
        InvalidArgumentError,
        InvalidCursorError,
        InvalidRequestError,
        InvalidTokenError,
        ListenError,
        MalformedJSONError,
        MalformedRequestError,
        MethodNotAllowedError,
        MissingTokenError,
        NotFoundError,
        OriginRefusedError,
        OverloadedError,
        PermissionDeniedError,
        QuotaExceededError,
        RateLimitedError,
        RequestInfo,
        ServerError,
        StorageUnavailableError,
        TidingsError,
        TimedOutError,
        TooLargeError,
        TooManyRequestsError,
        UnknownTypeError,
        UnprocessableError,
        UnreadableAnswerError,
        UnsupportedMediaTypeError,
    )
    from tidings._listen.arguments import ListenOptions
    from tidings._listen.backoff import ReconnectPolicy
    from tidings._listen.blocking import BlockingDelivery, BlockingEvent, BlockingInbox
    from tidings._listen.delivery import Delivery
    from tidings._listen.events import Connected, Disconnected
    from tidings._listen.live import InboxEvent, LiveInbox
    from tidings._messages import Message
    from tidings._models import (
        BatchSent,
        Group,
        InboxItem,
        InboxPage,
        Member,
        Page,
        Sent,
        SentNotification,
        UserToken,
    )
    from tidings._pages import AsyncPages, Pages
    from tidings._retries import RetryPolicy
    from tidings.protocol.errors import FieldError
    from tidings.protocol.frames import (
        CaughtUp,
        Counts,
        ErrorFrame,
        Gap,
        Joined,
        Left,
        Recalled,
        Resume,
        Stated,
    )
    from tidings.protocol.notifications import Action, Notification, Receipts
    from tidings.protocol.rest import MembersChanged, SentTarget

# Kept equal to the imports above by a test.
_HOMES = {
    "tidings._async_client": "AsyncGroups AsyncInbox AsyncTidings AsyncTokens",
    "tidings._client": "Groups Inbox Tidings Tokens",
    "tidings._errors": (
        "APIError AuthenticationError BadRequestError BodyTimeoutError ConfigurationError "
        "ConnectionClosedError ConnectionFailedError ExpiredTokenError FrameRefusedError "
        "IdempotencyInProgressError IdempotencyMismatchError InsufficientScopeError InternalError "
        "InvalidArgumentError InvalidCursorError InvalidRequestError InvalidTokenError ListenError "
        "MalformedJSONError MalformedRequestError MethodNotAllowedError MissingTokenError "
        "NotFoundError OriginRefusedError OverloadedError PermissionDeniedError QuotaExceededError "
        "RateLimitedError RequestInfo ServerError StorageUnavailableError TidingsError "
        "TimedOutError TooLargeError TooManyRequestsError UnknownTypeError UnprocessableError "
        "UnreadableAnswerError UnsupportedMediaTypeError"
    ),
    "tidings._listen.arguments": "ListenOptions",
    "tidings._listen.backoff": "ReconnectPolicy",
    "tidings._listen.blocking": "BlockingDelivery BlockingEvent BlockingInbox",
    "tidings._listen.delivery": "Delivery",
    "tidings._listen.events": "Connected Disconnected",
    "tidings._listen.live": "InboxEvent LiveInbox",
    "tidings._messages": "Message",
    "tidings._models": ("BatchSent Group InboxItem InboxPage Member Page Sent SentNotification UserToken"),
    "tidings._pages": "AsyncPages Pages",
    "tidings._retries": "RetryPolicy",
    "tidings.protocol.errors": "FieldError",
    "tidings.protocol.frames": "CaughtUp Counts ErrorFrame Gap Joined Left Recalled Resume Stated",
    "tidings.protocol.notifications": "Action Notification Receipts",
    "tidings.protocol.rest": "MembersChanged SentTarget",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "APIError",
    "Action",
    "AsyncGroups",
    "AsyncInbox",
    "AsyncPages",
    "AsyncTidings",
    "AsyncTokens",
    "AuthenticationError",
    "BadRequestError",
    "BatchSent",
    "BlockingDelivery",
    "BlockingEvent",
    "BlockingInbox",
    "BodyTimeoutError",
    "CaughtUp",
    "ConfigurationError",
    "Connected",
    "ConnectionClosedError",
    "ConnectionFailedError",
    "Counts",
    "Delivery",
    "Disconnected",
    "ErrorFrame",
    "ExpiredTokenError",
    "FieldError",
    "FrameRefusedError",
    "Gap",
    "Group",
    "Groups",
    "IdempotencyInProgressError",
    "IdempotencyMismatchError",
    "Inbox",
    "InboxEvent",
    "InboxItem",
    "InboxPage",
    "InsufficientScopeError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidCursorError",
    "InvalidRequestError",
    "InvalidTokenError",
    "Joined",
    "Left",
    "ListenError",
    "ListenOptions",
    "LiveInbox",
    "MalformedJSONError",
    "MalformedRequestError",
    "Member",
    "MembersChanged",
    "Message",
    "MethodNotAllowedError",
    "MissingTokenError",
    "NotFoundError",
    "Notification",
    "OriginRefusedError",
    "OverloadedError",
    "Page",
    "Pages",
    "PermissionDeniedError",
    "QuotaExceededError",
    "RateLimitedError",
    "Recalled",
    "Receipts",
    "ReconnectPolicy",
    "RequestInfo",
    "Resume",
    "RetryPolicy",
    "Sent",
    "SentNotification",
    "SentTarget",
    "ServerError",
    "Stated",
    "StorageUnavailableError",
    "Tidings",
    "TidingsError",
    "TimedOutError",
    "Tokens",
    "TooLargeError",
    "TooManyRequestsError",
    "UnknownTypeError",
    "UnprocessableError",
    "UnreadableAnswerError",
    "UnsupportedMediaTypeError",
    "UserToken",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("tidings")
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
