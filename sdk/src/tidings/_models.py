"""The server's answers as results of the SDK: the types of `tidings.protocol.rest` with times as datetimes.

Times are in UTC and have a time zone. Unknown fields are ignored, and values such as `status` are plain
strings: a newer server may add to both. Each type has `to_dict()`, a dict in the shape of the API.
"""

from datetime import datetime
from typing import Any, Generic, TypeVar

from msgspec import field

from tidings._api_errors import APIError
from tidings._errors import InvalidArgumentError
from tidings._public import publish
from tidings.protocol.frames import Counts, Resume
from tidings.protocol.notifications import Notification, Receipts, ReceivedAction
from tidings.protocol.plain import Plain
from tidings.protocol.rest import SentTarget

T = TypeVar("T")


def _null() -> None:
    """The default of a field that is null in the API: msgspec would omit a field with a plain default."""


class Sent(Plain, frozen=True, kw_only=True, omit_defaults=True):
    """An accepted notification.

    `durability` is that of the store at that time: `memory`, `everysec` or `always`. `replayed` is true if
    the server had already accepted this idempotency key and repeated its answer.
    """

    id: str
    status: str
    durability: str
    accepted_at: datetime
    replayed: bool = False


class BatchResult(Plain, frozen=True, kw_only=True):
    """The result for one message of a batch: its `id`, or the `error` that refused it.

    `index` is the place of the message in the input, from 0. `status` is `accepted`, as the server says, or
    `refused`. For a refused one `error` is an `APIError` of the server, or an `InvalidArgumentError` if the
    message was not valid and therefore not sent.
    """

    index: int
    status: str
    id: str | None = None
    error: APIError | InvalidArgumentError | None = None

    @property
    def ok(self) -> bool:
        """Whether the message was accepted."""
        return self.error is None

    def to_dict(self) -> dict[str, Any]:
        """`index` with `id` and `status`, or with `error`: its `code`, `detail` and `errors`."""
        if self.error is None:
            return {"index": self.index, "id": self.id, "status": self.status}
        error: dict[str, Any] = {"code": "invalid_argument", "detail": str(self.error)}
        if isinstance(self.error, APIError):
            error = {"code": self.error.code, "status": self.error.status, "detail": self.error.detail}
            if self.error.errors:
                error["errors"] = [{"pointer": e.pointer, "detail": e.detail} for e in self.error.errors]
        return {"index": self.index, "error": error}


class SentNotification(Plain, frozen=True, kw_only=True, omit_defaults=True):
    """A notification as its sender sees it: content, `status` and receipts.

    `status` is `accepted`, `stored` (for every recipient), `cancelled` or `recalled`. `archived_copy`: it is
    older than the retention and comes from the history.
    """

    id: str
    status: str
    to: SentTarget
    accepted_at: datetime
    stored_at: datetime | None = field(default_factory=_null)
    receipts: Receipts | None = None
    category: str | None = None
    title: str | None = None
    body: str | None = None
    data: dict[str, Any] | None = None
    link: str | None = None
    icon: str | None = None
    group_key: str | None = None
    actions: tuple[ReceivedAction, ...] = ()
    priority: str = field(default_factory=lambda: "normal")
    created_at: datetime | None = None
    expires_at: datetime | None = None
    archived_copy: bool = False


class Group(Plain, frozen=True):
    """A group with the number of its members."""

    id: str
    members: int
    created_at: datetime


class Member(Plain, frozen=True):
    """A member of a group."""

    user: str
    joined_at: datetime


class UsedAction(Plain, frozen=True):
    """The action that a user used on a notification, by its id, and when. It is the first one, and stays."""

    id: str
    at: datetime


class Acted(Plain, frozen=True):
    """The notification `id`, and the action that the user used on it."""

    id: str
    action: UsedAction


class UserReceipt(Plain, frozen=True, kw_only=True):
    """The receipts of one user for a notification.

    `delivered`, `seen` and `read` stay true when the user takes a mark back. The times are those of the inbox
    now. `action` is the action that the user used.
    """

    user: str
    delivered: bool
    seen: bool
    read: bool
    seen_at: datetime | None = None
    read_at: datetime | None = None
    action: UsedAction | None = None


class OpenConnection(Plain, frozen=True):
    """One open connection; `device` is None if its client named none."""

    connection: str
    device: str | None
    connected_at: datetime


class Presence(Plain, frozen=True):
    """The presence of a user: online or not, and the open connections.

    `last_seen_at` is the current time while the user is online, else the time when the last connection
    closed; None for a user who never connected.
    """

    online: bool
    connections: tuple[OpenConnection, ...]
    last_seen_at: datetime | None


class Erased(Plain, frozen=True):
    """The data of a user that were erased: the number of each kind.

    `pending` names what may still have data of the user, such as `history`: erase the user again later.
    """

    user: str
    notifications: int
    marks: int
    memberships: int
    devices: int
    connections: int
    erased_at: datetime
    pending: tuple[str, ...] = ()


class InboxItem(Plain, frozen=True, kw_only=True, omit_defaults=True):
    """A notification in a user's inbox. `state` is `unseen`, `seen`, `read` or `archived`.

    `snoozed_until` is the time at which a snoozed item returns, None for others. `action` is the action that
    the user used, None without one. `archived_copy`: the item is older than the retention and comes from the
    history; it can't be marked any more.
    """

    log: str
    position: int
    state: str
    seen_at: datetime | None = field(default_factory=_null)
    read_at: datetime | None = field(default_factory=_null)
    archived_at: datetime | None = field(default_factory=_null)
    snoozed_until: datetime | None = field(default_factory=_null)
    action: UsedAction | None = field(default_factory=_null)
    notification: Notification
    archived_copy: bool = False


class Page(Plain, Generic[T], frozen=True, kw_only=True, omit_defaults=True):
    """One page of a list. `next` and `previous` are cursors, None at the ends.

    `history` is `unavailable` when older items are in the history, which does not answer now.
    """

    items: tuple[T, ...]
    next: str | None = field(default_factory=_null)
    previous: str | None = field(default_factory=_null)
    history: str | None = None


class InboxPage(Plain, frozen=True, kw_only=True, omit_defaults=True):
    """One page of an inbox, newest first, with the counts of the whole inbox, without its history.

    `history` is `unavailable` when older items are in the history, which does not answer now.
    """

    items: tuple[InboxItem, ...]
    next: str | None = field(default_factory=_null)
    previous: str | None = field(default_factory=_null)
    counts: Counts
    epoch: str
    positions: dict[str, int]
    state_version: int | None = None
    history: str | None = None

    @property
    def resume(self) -> Resume:
        """The argument for `listen(resume=...)`: the live inbox starts after this page.

        It misses no notification and no mark between this page and the connection.
        """
        return Resume(self.epoch, dict(self.positions), self.state_version)


publish(globals())
