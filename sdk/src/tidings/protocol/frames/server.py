"""The frames of the server, which clients decode."""

from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from tidings.protocol.errors import FieldError
from tidings.protocol.frames.parts import Positions, Ref, State
from tidings.protocol.names import (
    Timestamp,
)
from tidings.protocol.notifications import Notification, UsedAction
from tidings.protocol.plain import Plain


class CategoryCounts(Plain, frozen=True):
    """The counts of one category of an inbox."""

    unseen: int
    unread: int


class Counts(Plain, frozen=True, omit_defaults=True):
    """Absolute counts of an inbox, without archived items. A higher `version` is newer.

    `categories` is present when the request asked for it. It has the categories with unseen or unread items;
    items without a category count under the empty string.
    """

    unseen: int
    unread: int
    version: int
    categories: dict[str, CategoryCounts] | None = None


class Welcome(Struct, frozen=True, tag="welcome", tag_field="type"):
    """The connection is open. `positions` is the position where it starts, for every log of the user.

    `heartbeat` is in seconds: the server sends something at least this often. `state_version` is the version
    of the state that `counts` include; give it to the next `resume`.
    """

    connection: str
    user: str
    epoch: str
    positions: Positions
    counts: Counts
    heartbeat: int
    expires_at: datetime
    resume: Literal["none", "complete", "gap"]
    state_version: int = 0


class Delivered(Plain, frozen=True, tag="notification", tag_field="type", omit_defaults=True):
    """One notification of one log. `replayed` is true while the connection catches up.

    `action` is the action that the user used before.
    """

    log: str
    position: int
    notification: Notification
    replayed: bool = False
    action: UsedAction | None = None


class Expired(Plain, frozen=True):
    """The notifications that expired while this client was not connected: how many, and their times."""

    count: int
    categories: dict[str, int]
    oldest: datetime
    newest: datetime


class CaughtUp(Plain, frozen=True, tag="caught_up", tag_field="type", omit_defaults=True):
    """The replay is complete; notifications after this frame are new."""

    positions: Positions
    expired: Expired | None = None


class Gap(Plain, frozen=True, tag="gap", tag_field="type", omit_defaults=True):
    """Positions `from` to `to` of a log are no longer available.

    `missed` of them were notifications; null where that number is not known. `history`: they are in the lists
    of the REST API.
    """

    log: str
    from_: int = msgspec.field(name="from")
    to: int
    missed: int | None
    reason: Literal["expired", "trimmed", "epoch"]
    history: bool = False


class Joined(Plain, frozen=True, tag="joined", tag_field="type"):
    """The user joined a group; its log starts for this user after `position`."""

    log: str
    position: int


class Left(Plain, frozen=True, tag="left", tag_field="type"):
    """The user left a group; the user receives no entry of its log after `position`."""

    log: str
    position: int


class StateChange(Plain, frozen=True):
    """One notification that a mark changed. `state` is the mark that was made, not the resulting state."""

    id: str
    state: State
    at: datetime


class Acted(Plain, frozen=True):
    """The action that the user used on the notification `id`: on a repetition, with the first time."""

    id: str
    action: UsedAction


class Snoozed(Plain, frozen=True):
    """Notifications that are hidden until a time; with null, those that are in the inbox again."""

    ids: tuple[str, ...]
    until: datetime | None


class Stated(Plain, frozen=True, tag="state", tag_field="type", omit_defaults=True, kw_only=True):
    """A mark or snooze that this or another device made, or an action that it used, and the counts after it.

    `changes` names single notifications; it is empty when only the counts changed (a notification expired) or
    nothing did (the answer to a mark without effect). `up_to` alone: everything up to these positions was
    marked. `all`: the whole inbox, or one `category`, was marked, up to the positions in `up_to`. The last
    two exclude archived notifications, unless `state` is `unarchived`, and snoozed ones. A notification that
    had the state already keeps its time. `acted`: an action was used; `changes` is empty then.

    `snoozed`: notifications leave the inbox until a time, and the archive. With `until` null they are in the
    inbox again: as they were, when the user ended the snooze; unseen, by `changes`, when its time was over.
    The mark `archived` ends a snooze too.

    `reload`: the server cannot name each change that the client missed; read the inbox again. `unknown`: ids
    and logs of the mark with this `ref` that do not belong to the user. `state_version` rises with each
    change of state.
    """

    counts: Counts
    state_version: int
    changes: tuple[StateChange, ...] | None = None
    up_to: Positions | None = None
    all: bool | None = None
    category: str | None = None
    state: State | None = None
    at: datetime | None = None
    reload: bool = False
    unknown: tuple[str, ...] = ()
    acted: Acted | None = None
    snoozed: Snoozed | None = None
    ref: Ref | None = None


class Recalled(Plain, frozen=True, tag="recalled", tag_field="type"):
    """The sender recalled a notification."""

    id: str
    log: str
    position: int
    counts: Counts


class Subscribed(Plain, frozen=True, tag="subscribed", tag_field="type", omit_defaults=True):
    """The connection is subscribed to a topic; its notifications after `position` of `log` follow.

    With `after` or `rewind`, or after a `resume`, replayed ones and `caught_up` for this log alone are first.
    """

    topic: str
    log: str
    position: int
    ref: Ref | None = None


class Unsubscribed(Plain, frozen=True, tag="unsubscribed", tag_field="type", omit_defaults=True):
    """The subscription to a topic has ended. `reason`: `forbidden` when the token no longer allows it."""

    topic: str
    reason: str | None = None
    ref: Ref | None = None


class Published(Plain, frozen=True, tag="published", tag_field="type", omit_defaults=True):
    """The topic has the notification of `publish`, with this id."""

    id: str
    ref: Ref | None = None


class Expiring(Struct, frozen=True, tag="expiring", tag_field="type"):
    """The token expires in `in` seconds: send `refresh`."""

    in_: int = msgspec.field(name="in")


class Refreshed(Struct, frozen=True, tag="refreshed", tag_field="type"):
    """The server accepted the new token, which expires at `expires_at`."""

    expires_at: datetime


class Accepted(Struct, frozen=True, tag="accepted", tag_field="type", omit_defaults=True):
    """The server has the notification of a `send`, with this durability: the answer of REST as a frame.

    `replayed`: an earlier send with the same idempotency key was accepted, and this is its answer.
    """

    ref: Ref
    id: str
    durability: str
    accepted_at: Timestamp
    replayed: bool = False


class Reply(Struct, frozen=True, tag="reply", tag_field="type", omit_defaults=True):
    """The application has answered a `message`. Its notifications are accepted, and `data` is its reply."""

    ref: Ref
    data: Any | UnsetType = UNSET


class ErrorFrame(Plain, frozen=True, tag="error", tag_field="type", omit_defaults=True):
    """The server refused a frame; the connection stays open. `errors`: faults of a `send` or `publish`."""

    code: str
    detail: str
    ref: Ref | None = None
    errors: tuple[FieldError, ...] = ()


class Pong(Struct, frozen=True, tag="pong", tag_field="type", omit_defaults=True):
    """The answer to `ping`."""

    ref: Ref | None = None


ServerFrame = (
    Welcome
    | Delivered
    | CaughtUp
    | Gap
    | Joined
    | Left
    | Stated
    | Recalled
    | Subscribed
    | Unsubscribed
    | Published
    | Expiring
    | Refreshed
    | Accepted
    | Reply
    | ErrorFrame
    | Pong
)
SERVER_FRAMES: Final = (
    Welcome, Delivered, CaughtUp, Gap, Joined, Left, Stated, Recalled, Subscribed, Unsubscribed, Published,
    Expiring, Refreshed, Accepted, Reply, ErrorFrame, Pong,
)  # fmt: skip
