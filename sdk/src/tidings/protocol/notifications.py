"""A notification as its sender and as its receivers see it.

The structs of requests refuse unknown fields. The structs that a receiver decodes ignore them, so that the
server may add fields without breaking a client.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from tidings.protocol import limits
from tidings.protocol.names import GroupId, Link, Timestamp, TopicName, UserId
from tidings.protocol.plain import Plain

Priority = Literal["low", "normal", "high", "urgent"]
Status = Literal["accepted", "stored", "cancelled", "recalled"]
Durability = Literal["memory", "everysec", "always"]
Category = Annotated[str, Meta(min_length=1, max_length=limits.CATEGORY_LENGTH)]
GroupKey = Annotated[str, Meta(min_length=1, max_length=limits.GROUP_KEY_LENGTH)]


class Action(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One button of a notification. Without a `link` the application handles the `id` itself."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    label: Annotated[str, Meta(min_length=1, max_length=limits.LABEL_LENGTH)]
    link: Link | None = None


class Target(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The recipients of a notification: everyone named by `users`, `groups` and `all`, except `exclude`.

    A user who is named more than once receives one copy. Instead, `topics` names topics, without any other
    field: each connection that is subscribed to one of them receives it, and no inbox has it.
    """

    users: Annotated[tuple[UserId, ...], Meta(max_length=limits.TARGET_USERS)] = ()
    groups: Annotated[tuple[GroupId, ...], Meta(max_length=limits.TARGET_GROUPS)] = ()
    all: bool = False
    exclude: Annotated[tuple[UserId, ...], Meta(max_length=limits.TARGET_EXCLUDES)] = ()
    topics: Annotated[tuple[TopicName, ...], Meta(max_length=limits.TARGET_TOPICS)] = ()


class CreateNotification(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """A notification to send. `to` names at least one target; one of `title`, `body`, `data` is required.

    `expires_in` is in seconds, at most a year. `group_key` is a hint for programs that show lists: they may
    show consecutive notifications with the same key as one row. The whole body has at most 32 KB.
    """

    to: Target
    category: Category | None = None
    title: str | None = None
    body: str | None = None
    data: dict[str, Any] | None = None
    link: Link | None = None
    icon: Link | None = None
    group_key: GroupKey | None = None
    actions: Annotated[tuple[Action, ...], Meta(max_length=limits.ACTIONS)] = ()
    priority: Priority = "normal"
    expires_in: Annotated[int, Meta(ge=1, le=limits.EXPIRES_IN_SECONDS)] | None = None


class Publication(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """A notification that a client publishes to a topic: a `CreateNotification` without `to`."""

    category: Category | None = None
    title: str | None = None
    body: str | None = None
    data: dict[str, Any] | None = None
    link: Link | None = None
    icon: Link | None = None
    group_key: GroupKey | None = None
    actions: Annotated[tuple[Action, ...], Meta(max_length=limits.ACTIONS)] = ()
    priority: Priority = "normal"
    expires_in: Annotated[int, Meta(ge=1, le=limits.EXPIRES_IN_SECONDS)] | None = None


class ReceivedAction(Plain, frozen=True, omit_defaults=True):
    """An action as a receiver sees it."""

    id: str
    label: str
    link: str | None = None


class UsedAction(Plain, frozen=True):
    """The action that a user used on a notification, by its id, and when. It is the first one, and stays."""

    id: str
    at: Timestamp


class Notification(Plain, frozen=True, omit_defaults=True, kw_only=True):
    """A notification as its receivers see it. Fields that the sender left out are absent.

    `id` is a UUIDv7. `created_at` is the time when the server accepted it; it is removed at `expires_at`.
    """

    id: str
    category: str | None = None
    title: str | None = None
    body: str | None = None
    data: dict[str, Any] | None = None
    link: str | None = None
    icon: str | None = None
    group_key: str | None = None
    actions: tuple[ReceivedAction, ...] = ()
    priority: str
    created_at: datetime
    expires_at: datetime | None = None


class Receipts(Plain, frozen=True):
    """The numbers of users to whom a notification was delivered, who have seen it, and who have read it.

    They count users, not devices. `recipients` is null for a target of all or of topics, where it is not
    known. For topics `delivered` counts the connections that acknowledged it, and the others stay 0.
    `delivered` counts the users with a device that acknowledged it. Read implies seen, and seen implies
    delivered. No number decreases when a user takes a mark back. `actions` is how many users used each
    action, by its id.
    """

    recipients: int | None
    delivered: int
    seen: int
    read: int
    actions: dict[str, int] = field(default_factory=dict)


class Sent(Struct, frozen=True, omit_defaults=True):
    """The answer to a send. `durability` is the durability of the store at that time."""

    id: str
    status: str
    durability: str
    accepted_at: Timestamp
