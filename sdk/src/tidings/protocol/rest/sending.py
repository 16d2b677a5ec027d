"""Sending: batches, sent notifications and their receipts."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from tidings.protocol import limits
from tidings.protocol.errors import Problem
from tidings.protocol.names import Timestamp, UserId
from tidings.protocol.notifications import Receipts, ReceivedAction, UsedAction
from tidings.protocol.plain import Plain


class CreateBatch(Struct, frozen=True, forbid_unknown_fields=True):
    """Up to 1,000 notifications, each checked alone: the server accepts the others when it refuses one.

    Each item is the JSON of a `CreateNotification`, not decoded yet.
    """

    notifications: Annotated[tuple[Raw, ...], Meta(max_length=limits.BATCH_NOTIFICATIONS)]


class BatchResult(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The result for one notification of a batch: `id` and `status`, or `error`."""

    id: str | None = None
    status: str | None = None
    error: Problem | None = None


class BatchAnswer(Struct, frozen=True):
    """One result per notification, in the order of the request."""

    results: list[BatchResult]


class SentTarget(Plain, frozen=True, omit_defaults=True):
    """The target of a notification, as it was sent."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    all: bool = False
    exclude: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()


class SentNotification(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A notification as its sender sees it: content, status and receipts.

    `stored_at` is null until the notification is stored for every recipient. `archived_copy`: it is older
    than the retention and comes from the history.
    """

    id: str
    status: str
    to: SentTarget
    category: str | None = None
    title: str | None = None
    body: str | None = None
    # The JSON of an object, as it was sent.
    data: Raw | UnsetType = UNSET
    link: str | None = None
    icon: str | None = None
    group_key: str | None = None
    actions: tuple[ReceivedAction, ...] = ()
    priority: str
    created_at: Timestamp
    expires_at: Timestamp | None = None
    accepted_at: Timestamp
    stored_at: Timestamp | None
    receipts: Receipts
    archived_copy: bool = False


class UserReceipt(Struct, frozen=True, kw_only=True):
    """The receipts of one user for a notification.

    `delivered`, `seen` and `read` stay true when the user takes a mark back. The times are those of the inbox
    now. `action` is the action that the user used.
    """

    user: UserId
    delivered: bool
    seen: bool
    read: bool
    seen_at: Timestamp | None
    read_at: Timestamp | None
    action: UsedAction | None


class ReceiptPage(Struct, frozen=True):
    """A page of the recipients of a notification, each with its receipts."""

    items: list[UserReceipt]
    next: str | None
    previous: str | None


class SentPage(Struct, frozen=True):
    """A page of sent notifications, newest first.

    `history`: older ones are in the history, which does not answer now.
    """

    items: list[SentNotification]
    next: str | None
    previous: str | None
    history: Literal["unavailable"] | UnsetType = UNSET


class ExportFault(Struct, frozen=True):
    """The last line of an export that ended too early: the problem. Its other lines are SentNotifications."""

    error: Problem
