"""The bodies and answers of the REST API, except the notification itself.

Requests refuse unknown fields. Later versions may add fields to answers, and a reader must ignore them.
Lists have `next` and `previous`, opaque cursors that are null at the ends.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from tidings.protocol import limits
from tidings.protocol.errors import Problem
from tidings.protocol.frames import Counts, Positions, State
from tidings.protocol.names import GroupId, Timestamp, UserId
from tidings.protocol.notifications import Category, Receipts, ReceivedAction
from tidings.protocol.plain import Plain

InboxState = Literal["unseen", "seen", "read", "archived"]
StateFilter = Literal["unseen", "seen", "unread", "read", "archived"]

_Changes = Annotated[tuple[UserId, ...], Meta(max_length=limits.GROUP_CHANGES)]


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


class SentNotification(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A notification as its sender sees it: content, status and receipts.

    `stored_at` is null until the notification is stored for every recipient.
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
    actions: tuple[ReceivedAction, ...] = ()
    priority: str
    created_at: Timestamp
    expires_at: Timestamp | None = None
    accepted_at: Timestamp
    stored_at: Timestamp | None
    receipts: Receipts


class ChangeMembers(Struct, frozen=True, forbid_unknown_fields=True):
    """Users to add to a group and to remove from it, up to 10,000 in all. A user in both lists is removed."""

    add: _Changes = ()
    remove: _Changes = ()


class MembersChanged(Plain, frozen=True):
    """The numbers of users that joined and left the group.

    An added user who was a member already, or a removed user who was none, does not count.
    """

    added: int
    removed: int


class Group(Struct, frozen=True):
    """A group and the number of its members."""

    id: GroupId
    members: int
    created_at: Timestamp


class Member(Struct, frozen=True):
    """A member of a group."""

    user: UserId
    joined_at: Timestamp


class GroupPage(Struct, frozen=True):
    """A page of groups, sorted by id."""

    items: list[Group]
    next: str | None
    previous: str | None


class MemberPage(Struct, frozen=True):
    """A page of the members of a group, in the order of joining."""

    items: list[Member]
    next: str | None
    previous: str | None


class InboxItem(Struct, frozen=True, kw_only=True):
    """One notification of an inbox with its state.

    The time of a state is null until the item is in that state. `notification` is the JSON of a
    `Notification`, as stored.
    """

    log: str
    position: int
    state: InboxState
    seen_at: Timestamp | None
    read_at: Timestamp | None
    archived_at: Timestamp | None
    notification: Raw


class InboxPage(Struct, frozen=True, kw_only=True):
    """A page of an inbox, newest first.

    Give `epoch`, `positions` and `state_version` to `resume`, so that the connection starts with the
    notifications and marks that followed this page.
    """

    items: list[InboxItem]
    next: str | None
    previous: str | None
    counts: Counts
    epoch: str
    positions: dict[str, int]
    state_version: int


class MarkInbox(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Changes the state of `ids`, of everything `up_to` a position per log, or of `all`.

    Give exactly one of the three. `category` narrows `all`. `read` implies `seen`; `unread` takes back `read`
    only, `unseen` takes back both; `archived` is independent of them. A mark is idempotent, and the first
    time of a state is kept. A position past the end of its log counts as the end. `up_to` and `all` change
    archived items only when `state` is `unarchived`.
    """

    state: State
    ids: Annotated[tuple[str, ...], Meta(max_length=limits.MARK_IDS)] | None = None
    up_to: Positions | None = None
    all: Literal[True] | None = None
    category: Category | None = None


class Marked(Plain, frozen=True, omit_defaults=True):
    """The number of notifications whose state changed, and the counts after the mark.

    `unknown`: ids and logs that are not in this inbox, or no longer.
    """

    changed: int
    counts: Counts
    unknown: tuple[str, ...] = ()


class UserReceipt(Struct, frozen=True, kw_only=True):
    """The receipts of one user for a notification.

    `delivered`, `seen` and `read` stay true when the user takes a mark back. The times are those of the inbox
    now.
    """

    user: UserId
    delivered: bool
    seen: bool
    read: bool
    seen_at: Timestamp | None
    read_at: Timestamp | None


class ReceiptPage(Struct, frozen=True):
    """A page of the recipients of a notification, each with its receipts."""

    items: list[UserReceipt]
    next: str | None
    previous: str | None


class SentPage(Struct, frozen=True):
    """A page of sent notifications, newest first."""

    items: list[SentNotification]
    next: str | None
    previous: str | None


class OpenConnection(Struct, frozen=True):
    """One open connection; `device` is null when its client named none."""

    connection: str
    device: str | None
    connected_at: Timestamp


class Presence(Struct, frozen=True):
    """The presence of a user: online or not, and the open connections.

    `last_seen_at` is the current time while the user is online, else the time when the last connection
    closed; null for a user who never connected.
    """

    online: bool
    connections: list[OpenConnection]
    last_seen_at: Timestamp | None


class Erased(Struct, frozen=True):
    """The data of a user that were erased: the number of each kind."""

    user: UserId
    notifications: int
    marks: int
    memberships: int
    devices: int
    connections: int
    erased_at: Timestamp


class CreateToken(Struct, frozen=True, forbid_unknown_fields=True):
    """A token for a user's browser or app. It grants the user's own inbox and nothing else.

    `expires_in` is in seconds, at most 24 hours.
    """

    user: UserId
    expires_in: Annotated[int, Meta(ge=1, le=limits.TOKEN_SECONDS)] = 3600
    scope: Literal["inbox"] = "inbox"


class UserToken(Struct, frozen=True):
    """A token of a user, and the URL to connect to with it."""

    token: str
    expires_at: Timestamp
    realtime_url: str


class AccessToken(Struct, frozen=True):
    """An access token for the application itself (RFC 6749, section 5.1)."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str


GrantErrorCode = Literal["invalid_request", "invalid_client", "unsupported_grant_type", "invalid_scope"]


class GrantError(Problem, frozen=True, kw_only=True, omit_defaults=True):
    """The reason for a refused access token (RFC 6749, section 5.2), with the fields of a problem as well."""

    error: GrantErrorCode
    error_description: str
