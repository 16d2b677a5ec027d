"""The public names of the package, and the modules that define them."""

from typing import Any, Final

# A test keeps this equal to the imports of the package.
HOMES: Final = {
    "tidings._api_errors": (
        "APIError ActionUsedError AuthenticationError BadRequestError BodyTimeoutError ExpiredTokenError "
        "HistoryOnlyError IdempotencyInProgressError IdempotencyMismatchError "
        "InsufficientScopeError InternalError InvalidCursorError InvalidRequestError "
        "InvalidTokenError MalformedJSONError MalformedRequestError "
        "MethodNotAllowedError MissingTokenError NotFoundError OriginRefusedError OverloadedError "
        "PermissionDeniedError QuotaExceededError RateLimitedError RedirectedError ServerError "
        "StorageUnavailableError TooLargeError TooManyRequestsError "
        "UnknownActionError UnprocessableError UnsupportedMediaTypeError"
    ),
    "tidings._async_client": "AsyncTidings",
    "tidings._async_resources": "AsyncGroups AsyncInbox AsyncTokens AsyncUsers",
    "tidings._async_webhook_settings": "AsyncWebhooks",
    "tidings._blocking_sender": "Sender",
    "tidings._client": "Tidings",
    "tidings._client_message": "ClientMessage",
    "tidings._errors": (
        "ClientClosedError ConfigurationError ConnectionFailedError InvalidArgumentError RequestInfo "
        "TidingsError TimedOutError UnreadableAnswerError"
    ),
    "tidings._events": "AsyncEventStream Event EventStream",
    "tidings._frame_errors": (
        "ForbiddenTopicError InvalidTopicError NoUpstreamError TooManyTopicsError UnknownTypeError "
        "UpstreamFailedError UpstreamTimeoutError"
    ),
    "tidings._listen.arguments": "ListenOptions",
    "tidings._listen.backoff": "ReconnectPolicy",
    "tidings._listen.blocking": "BlockingEvent BlockingInbox",
    "tidings._listen.blocking_delivery": "BlockingDelivery",
    "tidings._listen.blocking_topic": "BlockingTopicEvent BlockingTopicStream",
    "tidings._listen.changes": "Changes",
    "tidings._listen.delivery": "Delivery",
    "tidings._listen.errors": "ConnectionClosedError FrameRefusedError ListenError UnansweredError",
    "tidings._listen.event_queue": "InboxEvent",
    "tidings._listen.events": "Changed Connected Disconnected InboxChange",
    "tidings._listen.live": "LiveInbox",
    "tidings._listen.topic_stream": "TopicEvent TopicStream",
    "tidings._messages": "Message",
    "tidings._models": (
        "Acted BatchResult Erased Group InboxItem InboxPage Member OpenConnection Page Presence Sent "
        "SentNotification UsedAction UserReceipt"
    ),
    "tidings._pages": "AsyncPages Pages",
    "tidings._progress": "SendProgress",
    "tidings._resources": "Groups Inbox Tokens Users",
    "tidings._retries": "RetryPolicy",
    "tidings._sender": "AsyncSender",
    "tidings._token": "UserToken",
    "tidings._upstream": "Upstream",
    "tidings._upstream_setting": "AsyncUpstreamSettings UpstreamSettings",
    "tidings._webhook_models": (
        "DisabledWebhook Webhook WebhookAttempt WebhookDelivery WebhookTest WebhookWithSecret"
    ),
    "tidings._webhook_settings": "Webhooks",
    "tidings._webhooks": "WebhookVerificationError verify_webhook",
    "tidings.protocol.errors": "FieldError",
    "tidings.protocol.frames": (
        "CategoryCounts CaughtUp Counts ErrorFrame Expired Gap Joined Left Recalled Resume Snoozed "
        "StateChange"
    ),
    "tidings.protocol.notifications": "Action Notification Receipts",
    "tidings.protocol.rest": "Marked MembersChanged SentTarget UpstreamSetting UpstreamWithSecret",
}

_HOME_OF: Final = {name: home for home, names in HOMES.items() for name in names.split()}


def home_of(name: str) -> str | None:
    """The module that defines a public name; None for another name."""
    return _HOME_OF.get(name)


def publish(module: dict[str, Any]) -> None:
    """Set the module of public classes to the package: tracebacks and pickles then name `tidings.Sent`."""
    for name in HOMES[module["__name__"]].split():
        if isinstance(module[name], type):
            module[name].__module__ = "tidings"
