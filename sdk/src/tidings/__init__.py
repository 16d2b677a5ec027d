# Over 300 lines: it names every public class and function, one in a line.
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
- get, sent, receipts: sent notifications, their status and their receipts; export: all of them, as a stream
- sender: many sends over one connection
- listen: notifications as they arrive; inbox(user): list, counts and marks
- groups: add, remove, get, delete, list, members, of_user
- tokens: create, for a user's browser; users: presence, disconnect, erase
- events: what happened, for the application
- upstream: set, get, remove, the application that answers messages of clients; `Upstream` is its side
- webhooks: create, list, get, update, delete, rotate, test, deliveries, retry, replay: URLs for events

Every error is a `TidingsError`; `help("tidings._errors")` draws the tree. Results have `to_dict()`.
"""

# Names are imported on first use: a program that uses the protocol alone loads nothing else.
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tidings._public import home_of

if TYPE_CHECKING:
    from tidings._api_errors import (
        ActionUsedError,
        APIError,
        AuthenticationError,
        BadRequestError,
        BodyTimeoutError,
        ExpiredTokenError,
        HistoryOnlyError,
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
        UnknownActionError,
        UnprocessableError,
        UnsupportedMediaTypeError,
    )
    from tidings._async_client import AsyncTidings
    from tidings._async_resources import AsyncGroups, AsyncInbox, AsyncTokens, AsyncUsers
    from tidings._async_webhook_settings import AsyncWebhooks
    from tidings._blocking_sender import Sender
    from tidings._client import Tidings
    from tidings._client_message import ClientMessage
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
    from tidings._events import AsyncEventStream, Event, EventStream
    from tidings._frame_errors import (
        ForbiddenTopicError,
        InvalidTopicError,
        NoUpstreamError,
        TooManyTopicsError,
        UnknownTypeError,
        UpstreamFailedError,
        UpstreamTimeoutError,
    )
    from tidings._listen.arguments import ListenOptions
    from tidings._listen.backoff import ReconnectPolicy
    from tidings._listen.blocking import BlockingEvent, BlockingInbox
    from tidings._listen.blocking_delivery import BlockingDelivery
    from tidings._listen.blocking_topic import BlockingTopicEvent, BlockingTopicStream
    from tidings._listen.changes import Changes
    from tidings._listen.delivery import Delivery
    from tidings._listen.errors import ConnectionClosedError, FrameRefusedError, ListenError, UnansweredError
    from tidings._listen.event_queue import InboxEvent
    from tidings._listen.events import Changed, Connected, Disconnected, InboxChange
    from tidings._listen.live import LiveInbox
    from tidings._listen.topic_stream import TopicEvent, TopicStream
    from tidings._messages import Message
    from tidings._models import (
        Acted,
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
        UsedAction,
        UserReceipt,
    )
    from tidings._pages import AsyncPages, Pages
    from tidings._progress import SendProgress
    from tidings._resources import Groups, Inbox, Tokens, Users
    from tidings._retries import RetryPolicy
    from tidings._sender import AsyncSender
    from tidings._token import UserToken
    from tidings._upstream import Upstream
    from tidings._upstream_setting import AsyncUpstreamSettings, UpstreamSettings
    from tidings._webhook_models import (
        DisabledWebhook,
        Webhook,
        WebhookAttempt,
        WebhookDelivery,
        WebhookTest,
        WebhookWithSecret,
    )
    from tidings._webhook_settings import Webhooks
    from tidings._webhooks import WebhookVerificationError, verify_webhook
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
        Snoozed,
        StateChange,
    )
    from tidings.protocol.notifications import Action, Notification, Receipts
    from tidings.protocol.rest import Marked, MembersChanged, SentTarget, UpstreamSetting, UpstreamWithSecret

__all__ = [
    "APIError",
    "Acted",
    "Action",
    "ActionUsedError",
    "AsyncEventStream",
    "AsyncGroups",
    "AsyncInbox",
    "AsyncPages",
    "AsyncSender",
    "AsyncTidings",
    "AsyncTokens",
    "AsyncUpstreamSettings",
    "AsyncUsers",
    "AsyncWebhooks",
    "AuthenticationError",
    "BadRequestError",
    "BatchResult",
    "BlockingDelivery",
    "BlockingEvent",
    "BlockingInbox",
    "BlockingTopicEvent",
    "BlockingTopicStream",
    "BodyTimeoutError",
    "CategoryCounts",
    "CaughtUp",
    "Changed",
    "Changes",
    "ClientClosedError",
    "ClientMessage",
    "ConfigurationError",
    "Connected",
    "ConnectionClosedError",
    "ConnectionFailedError",
    "Counts",
    "Delivery",
    "DisabledWebhook",
    "Disconnected",
    "Erased",
    "ErrorFrame",
    "Event",
    "EventStream",
    "Expired",
    "ExpiredTokenError",
    "FieldError",
    "ForbiddenTopicError",
    "FrameRefusedError",
    "Gap",
    "Group",
    "Groups",
    "HistoryOnlyError",
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
    "InvalidTopicError",
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
    "NoUpstreamError",
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
    "Sender",
    "Sent",
    "SentNotification",
    "SentTarget",
    "ServerError",
    "Snoozed",
    "StateChange",
    "StorageUnavailableError",
    "Tidings",
    "TidingsError",
    "TimedOutError",
    "Tokens",
    "TooLargeError",
    "TooManyRequestsError",
    "TooManyTopicsError",
    "TopicEvent",
    "TopicStream",
    "UnansweredError",
    "UnknownActionError",
    "UnknownTypeError",
    "UnprocessableError",
    "UnreadableAnswerError",
    "UnsupportedMediaTypeError",
    "Upstream",
    "UpstreamFailedError",
    "UpstreamSetting",
    "UpstreamSettings",
    "UpstreamTimeoutError",
    "UpstreamWithSecret",
    "UsedAction",
    "UserReceipt",
    "UserToken",
    "Users",
    "Webhook",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookTest",
    "WebhookVerificationError",
    "WebhookWithSecret",
    "Webhooks",
    "verify_webhook",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - its import takes longer than all of this

        return version("tidings")
    home = home_of(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
