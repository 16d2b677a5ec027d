"""The bodies and answers of the REST API, except the notification itself.

Requests refuse unknown fields. Later versions may add fields to answers, and a reader must ignore them.
Lists have `next` and `previous`, opaque cursors that are null at the ends.
"""

from tidings.protocol.rest.events import AcknowledgeEvents, EventList, EventsAcknowledged
from tidings.protocol.rest.groups import (
    ChangeMembers,
    Group,
    GroupPage,
    Member,
    MemberPage,
    MembersChanged,
)
from tidings.protocol.rest.inboxes import (
    AckInbox,
    InboxItem,
    InboxPage,
    InboxState,
    Marked,
    MarkInbox,
    StateFilter,
)
from tidings.protocol.rest.sending import (
    BatchAnswer,
    BatchResult,
    CreateBatch,
    ReceiptPage,
    SentNotification,
    SentPage,
    SentTarget,
    UserReceipt,
)
from tidings.protocol.rest.tokens import (
    AccessToken,
    CreateTicket,
    CreateToken,
    GrantError,
    GrantErrorCode,
    Patterns,
    RealtimeAddress,
    RealtimeTicket,
    UserToken,
)
from tidings.protocol.rest.topics import (
    Topic,
    TopicEntry,
    TopicEntryPage,
    TopicPage,
)
from tidings.protocol.rest.upstream import SetUpstream, UpstreamSetting, UpstreamWithSecret
from tidings.protocol.rest.users import (
    Erased,
    OpenConnection,
    Presence,
)
from tidings.protocol.rest.webhooks import (
    CreateWebhook,
    DeliveryStatus,
    DisabledWebhook,
    ReplayWebhook,
    UpdateWebhook,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
    WebhookDeliveryPage,
    WebhookPage,
    WebhookTest,
    WebhookWithSecret,
)

__all__ = [
    "AccessToken",
    "AckInbox",
    "AcknowledgeEvents",
    "BatchAnswer",
    "BatchResult",
    "ChangeMembers",
    "CreateBatch",
    "CreateTicket",
    "CreateToken",
    "CreateWebhook",
    "DeliveryStatus",
    "DisabledWebhook",
    "Erased",
    "EventList",
    "EventsAcknowledged",
    "GrantError",
    "GrantErrorCode",
    "Group",
    "GroupPage",
    "InboxItem",
    "InboxPage",
    "InboxState",
    "MarkInbox",
    "Marked",
    "Member",
    "MemberPage",
    "MembersChanged",
    "OpenConnection",
    "Patterns",
    "Presence",
    "RealtimeAddress",
    "RealtimeTicket",
    "ReceiptPage",
    "ReplayWebhook",
    "SentNotification",
    "SentPage",
    "SentTarget",
    "SetUpstream",
    "StateFilter",
    "Topic",
    "TopicEntry",
    "TopicEntryPage",
    "TopicPage",
    "UpdateWebhook",
    "UpstreamSetting",
    "UpstreamWithSecret",
    "UserReceipt",
    "UserToken",
    "Webhook",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookDeliveryPage",
    "WebhookPage",
    "WebhookTest",
    "WebhookWithSecret",
]
