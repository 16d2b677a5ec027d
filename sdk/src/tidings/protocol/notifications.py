"""What is sent and what is received.

Request structs refuse unknown fields; everything that a receiver reads ignores them, so that the
server may add fields without breaking a client (`tidings` SDKs and others alike).
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from tidings.protocol import limits
from tidings.protocol.names import GroupId, Link, Timestamp, UserId
from tidings.protocol.plain import Plain

Priority = Literal["low", "normal", "high", "urgent"]
Status = Literal["accepted", "stored", "cancelled", "recalled"]
Durability = Literal["memory", "everysec", "always"]
Category = Annotated[str, Meta(min_length=1, max_length=limits.CATEGORY_LENGTH)]


class Action(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One button of a notification. Without a `link` the application reacts to the `id` alone."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    label: Annotated[str, Meta(min_length=1, max_length=limits.LABEL_LENGTH)]
    link: Link | None = None


class Target(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Who gets a notification: the union of all that is named, minus `exclude`; one copy each."""

    users: Annotated[tuple[UserId, ...], Meta(max_length=limits.TARGET_USERS)] = ()
    groups: Annotated[tuple[GroupId, ...], Meta(max_length=limits.TARGET_GROUPS)] = ()
    all: bool = False
    exclude: Annotated[tuple[UserId, ...], Meta(max_length=limits.TARGET_EXCLUDES)] = ()


class CreateNotification(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """A notification to send. `to` needs a target; one of `title`, `body`, `data` is required."""

    to: Target
    category: Category | None = None
    title: str | None = None
    body: str | None = None
    data: dict[str, Any] | None = None
    link: Link | None = None
    icon: Link | None = None
    actions: Annotated[tuple[Action, ...], Meta(max_length=limits.ACTIONS)] = ()
    priority: Priority = "normal"
    expires_in: Annotated[int, Meta(ge=1, le=limits.EXPIRES_IN_SECONDS)] | None = None


class ReceivedAction(Plain, frozen=True, omit_defaults=True):
    """An action as a receiver sees it."""

    id: str
    label: str
    link: str | None = None


class Notification(Plain, frozen=True, omit_defaults=True, kw_only=True):
    """A notification as its receivers see it. Fields that the sender left out are absent.

    `id` is a UUIDv7; `created_at` is when the server accepted it; it is gone after `expires_at`.
    """

    id: str
    category: str | None = None
    title: str | None = None
    body: str | None = None
    data: dict[str, Any] | None = None
    link: str | None = None
    icon: str | None = None
    actions: tuple[ReceivedAction, ...] = ()
    priority: str
    created_at: datetime
    expires_at: datetime | None = None


class Receipts(Plain, frozen=True):
    """How far a notification came, counted in users, not devices.

    `recipients` is null for a target of all, where it is not known. `delivered` counts users of
    whom a device acknowledged it. Read implies seen, seen implies delivered, and none of them goes
    down when a user takes a mark back.
    """

    recipients: int | None
    delivered: int
    seen: int
    read: int


class Sent(Struct, frozen=True, omit_defaults=True):
    """The answer to a send. `durability` says what held when it was given."""

    id: str
    status: str
    durability: str
    accepted_at: Timestamp
