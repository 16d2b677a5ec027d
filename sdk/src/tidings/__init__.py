"""Tidings, a realtime notification service: the SDK.

::

    from tidings import Tidings

    with Tidings.from_env() as tidings:            # TIDINGS_URL, TIDINGS_KEY
        tidings.groups.add("team-7", ["ana", "bob"])
        sent = tidings.send(to_groups=["team-7"], title="Deploy finished")
        with tidings.listen(user="ana", device="laptop") as inbox:
            for delivery in inbox:
                print(delivery.notification.title)

`Tidings` is the blocking client; `AsyncTidings` has the same methods for `await`.

- send, send_batch, send_many: send notifications; recall: take one back
- get, sent, receipts: sent notifications, their status and their receipts
- listen: notifications as they arrive; inbox(user): list, counts and marks
- groups: add, remove, get, delete, list, members, of_user
- tokens: create, for a user's browser; users: presence, disconnect, erase

Every error is a `TidingsError`; `help("tidings._errors")` draws the tree. Results have `to_dict()`.
"""

# Names are imported on first use: a program that uses the protocol alone loads nothing else.
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidings._api_errors import (
        APIError,
        AuthenticationError,
        BadRequestError,
        BodyTimeoutError,
        ExpiredTokenError,
        IdempotencyInProgressError,
        IdempotencyMismatchError,
        InsufficientScopeError,
        InternalError,
        InvalidCursorError,
        InvalidRequestError,
        InvalidTokenError,
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
        RedirectedError,
        ServerError,
        StorageUnavailableError,
        TooLargeError,
        TooManyRequestsError,
        UnknownTypeError,
        UnprocessableError,
        UnsupportedMediaTypeError,
    )
    from tidings._async_client import AsyncTidings
    from tidings._async_resources import AsyncGroups, AsyncInbox, AsyncTokens, AsyncUsers
    from tidings._client import Tidings
    from tidings._errors import (
        ClientClosedError,
        ConfigurationError,
        ConnectionFailedError,
        InvalidArgumentError,
        RequestInfo,
        TidingsError,
        TimedOutError,
        UnreadableAnswerError,
    )
    from tidings._listen.arguments import ListenOptions
    from tidings._listen.backoff import ReconnectPolicy
    from tidings._listen.blocking import BlockingDelivery, BlockingEvent, BlockingInbox
    from tidings._listen.changes import Changes
    from tidings._listen.delivery import Delivery
    from tidings._listen.errors import ConnectionClosedError, FrameRefusedError, ListenError, UnansweredError
    from tidings._listen.event_queue import InboxEvent
    from tidings._listen.events import Changed, Connected, Disconnected, InboxChange
    from tidings._listen.live import LiveInbox
    from tidings._messages import Message
    from tidings._models import (
        BatchResult,
        Erased,
        Group,
        InboxItem,
        InboxPage,
        Member,
        OpenConnection,
        Page,
        Presence,
        Sent,
        SentNotification,
        UserReceipt,
    )
    from tidings._pages import AsyncPages, Pages
    from tidings._progress import SendProgress
    from tidings._resources import Groups, Inbox, Tokens, Users
    from tidings._retries import RetryPolicy
    from tidings._token import UserToken
    from tidings.protocol.errors import FieldError
    from tidings.protocol.frames import (
        CategoryCounts,
        CaughtUp,
        Counts,
        ErrorFrame,
        Expired,
        Gap,
        Joined,
        Left,
        Recalled,
        Resume,
        StateChange,
    )
    from tidings.protocol.notifications import Action, Notification, Receipts
    from tidings.protocol.rest import Marked, MembersChanged, SentTarget

# A test keeps this equal to the imports above.
_HOMES = {
    "tidings._api_errors": (
        "APIError AuthenticationError BadRequestError BodyTimeoutError ExpiredTokenError "
        "IdempotencyInProgressError IdempotencyMismatchError InsufficientScopeError InternalError "
        "InvalidCursorError InvalidRequestError InvalidTokenError MalformedJSONError "
        "MalformedRequestError MethodNotAllowedError MissingTokenError NotFoundError OriginRefusedError "
        "OverloadedError PermissionDeniedError QuotaExceededError RateLimitedError RedirectedError "
        "ServerError StorageUnavailableError TooLargeError TooManyRequestsError UnknownTypeError "
        "UnprocessableError UnsupportedMediaTypeError"
    ),
    "tidings._async_client": "AsyncTidings",
    "tidings._async_resources": "AsyncGroups AsyncInbox AsyncTokens AsyncUsers",
    "tidings._client": "Tidings",
    "tidings._errors": (
        "ClientClosedError ConfigurationError ConnectionFailedError InvalidArgumentError RequestInfo "
        "TidingsError TimedOutError UnreadableAnswerError"
    ),
    "tidings._listen.arguments": "ListenOptions",
    "tidings._listen.backoff": "ReconnectPolicy",
    "tidings._listen.blocking": "BlockingDelivery BlockingEvent BlockingInbox",
    "tidings._listen.changes": "Changes",
    "tidings._listen.delivery": "Delivery",
    "tidings._listen.errors": "ConnectionClosedError FrameRefusedError ListenError UnansweredError",
    "tidings._listen.event_queue": "InboxEvent",
    "tidings._listen.events": "Changed Connected Disconnected InboxChange",
    "tidings._listen.live": "LiveInbox",
    "tidings._messages": "Message",
    "tidings._models": (
        "BatchResult Erased Group InboxItem InboxPage Member OpenConnection Page Presence Sent "
        "SentNotification UserReceipt"
    ),
    "tidings._pages": "AsyncPages Pages",
    "tidings._progress": "SendProgress",
    "tidings._resources": "Groups Inbox Tokens Users",
    "tidings._retries": "RetryPolicy",
    "tidings._token": "UserToken",
    "tidings.protocol.errors": "FieldError",
    "tidings.protocol.frames": (
        "CategoryCounts CaughtUp Counts ErrorFrame Expired Gap Joined Left Recalled Resume StateChange"
    ),
    "tidings.protocol.notifications": "Action Notification Receipts",
    "tidings.protocol.rest": "Marked MembersChanged SentTarget",
}


def _publish(module: dict[str, Any]) -> None:
    """Set the module of public classes to this package: tracebacks and pickles then name `tidings.Sent`."""
    for name in _HOMES[module["__name__"]].split():
        if isinstance(module[name], type):
            module[name].__module__ = __name__


_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "APIError",
    "Action",
    "AsyncGroups",
    "AsyncInbox",
    "AsyncPages",
    "AsyncTidings",
    "AsyncTokens",
    "AsyncUsers",
    "AuthenticationError",
    "BadRequestError",
    "BatchResult",
    "BlockingDelivery",
    "BlockingEvent",
    "BlockingInbox",
    "BodyTimeoutError",
    "CategoryCounts",
    "CaughtUp",
    "Changed",
    "Changes",
    "ClientClosedError",
    "ConfigurationError",
    "Connected",
    "ConnectionClosedError",
    "ConnectionFailedError",
    "Counts",
    "Delivery",
    "Disconnected",
    "Erased",
    "ErrorFrame",
    "Expired",
    "ExpiredTokenError",
    "FieldError",
    "FrameRefusedError",
    "Gap",
    "Group",
    "Groups",
    "IdempotencyInProgressError",
    "IdempotencyMismatchError",
    "Inbox",
    "InboxChange",
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
    "Marked",
    "Member",
    "MembersChanged",
    "Message",
    "MethodNotAllowedError",
    "MissingTokenError",
    "NotFoundError",
    "Notification",
    "OpenConnection",
    "OriginRefusedError",
    "OverloadedError",
    "Page",
    "Pages",
    "PermissionDeniedError",
    "Presence",
    "QuotaExceededError",
    "RateLimitedError",
    "Recalled",
    "Receipts",
    "ReconnectPolicy",
    "RedirectedError",
    "RequestInfo",
    "Resume",
    "RetryPolicy",
    "SendProgress",
    "Sent",
    "SentNotification",
    "SentTarget",
    "ServerError",
    "StateChange",
    "StorageUnavailableError",
    "Tidings",
    "TidingsError",
    "TimedOutError",
    "Tokens",
    "TooLargeError",
    "TooManyRequestsError",
    "UnansweredError",
    "UnknownTypeError",
    "UnprocessableError",
    "UnreadableAnswerError",
    "UnsupportedMediaTypeError",
    "UserReceipt",
    "UserToken",
    "Users",
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
