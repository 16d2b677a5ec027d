"""The frames of the realtime protocol, version 1: one JSON object per text frame, field `type`.

Client frames are decoded by the gateway, server frames by clients. Order and meaning are in
`docs/realtime.md`; the short of it: `positions` map the name of a log (``user``, ``all``,
``group:<id>``) to a whole number; they rise per log and are never delivered twice on a connection.
"""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from tidings.protocol import limits
from tidings.protocol.names import Device, Position
from tidings.protocol.notifications import Category, Notification
from tidings.protocol.plain import Plain

SUBPROTOCOL: Final = "tidings.v1"

Positions = dict[str, Position]
State = Literal["seen", "unseen", "read", "unread", "archived", "unarchived"]
Ref = Annotated[str, Meta(max_length=128)] | int


class Resume(Plain, frozen=True, omit_defaults=True):
    """Where a client stands: everything up to these positions arrived, in this epoch.

    With `state_version`, the last one it was told, it is also told what was marked since.
    """

    epoch: str
    positions: Positions = msgspec.field(default_factory=dict)
    state_version: Position | None = None


class Connect(Struct, frozen=True, tag="connect", tag_field="type", omit_defaults=True):
    """The first frame. `token` unless the handshake carried it; `rewind` not with `resume`.

    `client` names the program, for people; it is cut at 200 characters.
    """

    token: str | None = None
    device: Device | None = None
    resume: Resume | None = None
    rewind: Annotated[int, Meta(ge=0, le=limits.REWIND)] | None = None
    client: str | None = None


class Ack(Struct, frozen=True, tag="ack", tag_field="type"):
    """Cumulative: everything up to these positions arrived."""

    positions: Positions


class Mark(Struct, frozen=True, tag="mark", tag_field="type", omit_defaults=True):
    """A change of state: of `ids`, of everything `up_to` a position per log, or of `all`.

    Exactly one of the three; `category` narrows `all`. `up_to` and `all` leave archived items alone, unless
    they are `unarchived`. Answered by `state` with the same `ref`.
    """

    state: State
    ids: Annotated[tuple[str, ...], Meta(max_length=limits.MARK_IDS)] | None = None
    up_to: Positions | None = None
    all: Literal[True] | None = None
    category: Category | None = None
    ref: Ref | None = None


class Refresh(Struct, frozen=True, tag="refresh", tag_field="type"):
    """A new token for the same user."""

    token: str


class Ping(Struct, frozen=True, tag="ping", tag_field="type", omit_defaults=True):
    """Answered by `pong` with the same `ref`."""

    ref: Ref | None = None


ClientFrame = Connect | Ack | Mark | Refresh | Ping
CLIENT_FRAMES: Final = (Connect, Ack, Mark, Refresh, Ping)


class CategoryCounts(Plain, frozen=True):
    """The part of an inbox's counts that one category has."""

    unseen: int
    unread: int


class Counts(Plain, frozen=True, omit_defaults=True):
    """Absolute counts of an inbox, the archived not counted. A higher `version` is newer.

    `categories`, where it was asked for: those that have something unseen or unread; what has no
    category is under the empty text.
    """

    unseen: int
    unread: int
    version: int
    categories: dict[str, CategoryCounts] | None = None


class Welcome(Struct, frozen=True, tag="welcome", tag_field="type"):
    """The connection stands. `positions` says where it starts in every log of the user.

    `state_version` is the last change of state that `counts` hold; give it to the next `resume`.
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
    """One notification of one log. `replayed` while catching up."""

    log: str
    position: int
    notification: Notification
    replayed: bool = False


class Expired(Plain, frozen=True):
    """What ended by its own expiry while this client was away."""

    count: int
    categories: dict[str, int]
    oldest: datetime
    newest: datetime


class CaughtUp(Plain, frozen=True, tag="caught_up", tag_field="type", omit_defaults=True):
    """The replay ended here; what follows is new."""

    positions: Positions
    expired: Expired | None = None


class Gap(Plain, frozen=True, tag="gap", tag_field="type"):
    """Positions `from_` to `to` of a log cannot be had; `missed` of them were notifications."""

    log: str
    from_: int = msgspec.field(name="from")
    to: int
    missed: int | None
    reason: Literal["expired", "trimmed", "epoch"]


class Joined(Plain, frozen=True, tag="joined", tag_field="type"):
    """The user became a member; the log starts for this user after `position`."""

    log: str
    position: int


class Left(Plain, frozen=True, tag="left", tag_field="type"):
    """The user is no longer a member; nothing after `position` comes."""

    log: str
    position: int


class StateChange(Plain, frozen=True):
    """One notification that a mark changed; `state` is that mark, not the state that it led to."""

    id: str
    state: State
    at: datetime


class Stated(Plain, frozen=True, tag="state", tag_field="type", omit_defaults=True, kw_only=True):
    """What this or another device marked, and the counts after it.

    `changes` names single notifications; empty when nothing but the counts changed (something expired)
    or nothing at all (the answer to a mark that changed nothing). `up_to`, or `all` with the positions
    that it reached in `up_to` and perhaps a `category`, say the same of everything up to there that was
    not archived, or of everything where `state` is `unarchived`. A notification that had the state already
    keeps its time. `reload`: changes were missed that can't be
    told one by one; ask for the inbox again. `unknown`: ids and logs of the mark with this `ref` that
    are not the user's. `state_version` rises with each change of state.
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
    ref: Ref | None = None


class Recalled(Plain, frozen=True, tag="recalled", tag_field="type"):
    """The sender took a notification back."""

    id: str
    log: str
    position: int
    counts: Counts


class Expiring(Struct, frozen=True, tag="expiring", tag_field="type"):
    """The token ends `in_` seconds from now: send `refresh`."""

    in_: int = msgspec.field(name="in")


class Refreshed(Struct, frozen=True, tag="refreshed", tag_field="type"):
    """The new token holds."""

    expires_at: datetime


class ErrorFrame(Plain, frozen=True, tag="error", tag_field="type", omit_defaults=True):
    """Something was wrong with a frame; the connection stays."""

    code: str
    detail: str
    ref: Ref | None = None


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
    | Expiring
    | Refreshed
    | ErrorFrame
    | Pong
)
SERVER_FRAMES: Final = (
    Welcome, Delivered, CaughtUp, Gap, Joined, Left, Stated, Recalled, Expiring, Refreshed, ErrorFrame, Pong,
)  # fmt: skip
