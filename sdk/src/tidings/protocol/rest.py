"""The bodies and answers of the REST API, besides the notification itself.

Requests refuse unknown fields. Answers may gain fields: a reader ignores what it does not know.
Lists give `next` and `previous` as opaque cursors, null at an end.
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
    """Up to 1,000 notifications, each judged alone: a bad one does not stop the others.

    The items are left undecoded here; each is the JSON of a `CreateNotification`.
    """

    notifications: Annotated[tuple[Raw, ...], Meta(max_length=limits.BATCH_NOTIFICATIONS)]


class BatchResult(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What became of one notification of a batch: `id` and `status`, or `error`."""

    id: str | None = None
    status: str | None = None
    error: Problem | None = None


class BatchAnswer(Struct, frozen=True):
    """One result per notification, in the order of the request."""

    results: list[BatchResult]


class SentTarget(Plain, frozen=True, omit_defaults=True):
    """Who a notification was sent to."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    all: bool = False
    exclude: tuple[str, ...] = ()


class SentNotification(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A notification as its sender sees it: content, status and receipts.

    `stored_at` is null until it is stored for every recipient.
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
    """Users to add to a group and to remove from it, up to 10,000 together. Who is in both ends up out."""

    add: _Changes = ()
    remove: _Changes = ()


class MembersChanged(Plain, frozen=True):
    """How many users were really added and removed."""

    added: int
    removed: int


class Group(Struct, frozen=True):
    """A group and how many members it has."""

    id: GroupId
    members: int
    created_at: Timestamp


class Member(Struct, frozen=True):
    """A member of a group."""

    user: UserId
    joined_at: Timestamp


class GroupPage(Struct, frozen=True):
    """Groups by id."""

    items: list[Group]
    next: str | None
    previous: str | None


class MemberPage(Struct, frozen=True):
    """Members of a group in the order of joining."""

    items: list[Member]
    next: str | None
    previous: str | None


class InboxItem(Struct, frozen=True, kw_only=True):
    """One notification of an inbox with its state; a time is null until it came to that.

    `notification` is the JSON of a `Notification`, as stored.
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

    `epoch`, `positions` and `state_version` are what to give to `resume`, so that nothing between this
    page and the connection is missed, sent or marked.
    """

    items: list[InboxItem]
    next: str | None
    previous: str | None
    counts: Counts
    epoch: str
    positions: dict[str, int]
    state_version: int


class MarkInbox(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A change of state: of `ids`, of everything `up_to` a position per log, or of `all`.

    Exactly one of the three; `category` narrows `all`. Read implies seen; unread takes back read only,
    unseen both; archived stands apart from them. Idempotent, and the first time of a state is kept.
    A position past the end of its log is cut to it. `up_to` and `all` leave archived items alone, unless
    they are `unarchived`.
    """

    state: State
    ids: Annotated[tuple[str, ...], Meta(max_length=limits.MARK_IDS)] | None = None
    up_to: Positions | None = None
    all: Literal[True] | None = None
    category: Category | None = None


class Marked(Plain, frozen=True, omit_defaults=True):
    """How many notifications changed their state, and the counts now.

    `unknown`: ids and logs that are not of this inbox, or no longer.
    """

    changed: int
    counts: Counts
    unknown: tuple[str, ...] = ()


class UserReceipt(Struct, frozen=True, kw_only=True):
    """How far a notification came with one user.

    What came about stays true when the user takes a mark back; the times are those of the inbox now.
    """

    user: UserId
    delivered: bool
    seen: bool
    read: bool
    seen_at: Timestamp | None
    read_at: Timestamp | None


class ReceiptPage(Struct, frozen=True):
    """The recipients of a notification, each with how far it came."""

    items: list[UserReceipt]
    next: str | None
    previous: str | None


class SentPage(Struct, frozen=True):
    """What was sent, newest first."""

    items: list[SentNotification]
    next: str | None
    previous: str | None


class OpenConnection(Struct, frozen=True):
    """One connection that is open now; `device` is null when it named none."""

    connection: str
    device: str | None
    connected_at: Timestamp


class Presence(Struct, frozen=True):
    """Whether a user is online, and since when on which devices.

    `last_seen_at` is now while online, else when the last connection ended; null for a user who never
    came.
    """

    online: bool
    connections: list[OpenConnection]
    last_seen_at: Timestamp | None


class Erased(Struct, frozen=True):
    """What was erased of a user: how many of each."""

    user: UserId
    notifications: int
    marks: int
    memberships: int
    devices: int
    connections: int
    erased_at: Timestamp


class CreateToken(Struct, frozen=True, forbid_unknown_fields=True):
    """A token for a user's browser or app; it grants the user's own inbox and nothing else."""

    user: UserId
    expires_in: Annotated[int, Meta(ge=1, le=limits.TOKEN_SECONDS)] = 3600
    scope: Literal["inbox"] = "inbox"


class UserToken(Struct, frozen=True):
    """A user's token, and where to connect with it."""

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
    """Why there is no access token (RFC 6749, section 5.2), with the fields of a problem beside it."""

    error: GrantErrorCode
    error_description: str
