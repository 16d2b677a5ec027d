"""The frames of the realtime protocol, version 1: one JSON object per text frame, field `type`.

The gateway decodes client frames, clients decode server frames. `docs/realtime.md` defines their order and
meaning. In short: `positions` maps the name of a log (``user``, ``all``, ``group:<id>``) to a whole number.
Positions rise per log, and none is delivered twice on one connection.
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
    """The progress of a client: everything up to these positions arrived, in this epoch.

    With `state_version`, the last version that the client received, the server also sends the marks made
    since.
    """

    epoch: str
    positions: Positions = msgspec.field(default_factory=dict)
    state_version: Position | None = None


class Connect(Struct, frozen=True, tag="connect", tag_field="type", omit_defaults=True):
    """The first frame of a client.

    `token` is required unless the handshake carried it. `rewind` starts with the last N notifications and
    cannot be used with `resume`. `client` names the program, for people; it is cut at 200 characters.
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
    """Changes the state of `ids`, of everything `up_to` a position per log, or of `all`.

    Give exactly one of the three. `category` narrows `all`. `up_to` and `all` change archived items only when
    `state` is `unarchived`. The server answers with `state` and the same `ref`.
    """

    state: State
    ids: Annotated[tuple[str, ...], Meta(max_length=limits.MARK_IDS)] | None = None
    up_to: Positions | None = None
    all: Literal[True] | None = None
    category: Category | None = None
    ref: Ref | None = None


class Refresh(Struct, frozen=True, tag="refresh", tag_field="type"):
    """A new token for the same user. The server answers with `refreshed`."""

    token: str


class Ping(Struct, frozen=True, tag="ping", tag_field="type", omit_defaults=True):
    """The server answers with `pong` and the same `ref`."""

    ref: Ref | None = None


ClientFrame = Connect | Ack | Mark | Refresh | Ping
CLIENT_FRAMES: Final = (Connect, Ack, Mark, Refresh, Ping)


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
    """One notification of one log. `replayed` is true while the connection catches up."""

    log: str
    position: int
    notification: Notification
    replayed: bool = False


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


class Gap(Plain, frozen=True, tag="gap", tag_field="type"):
    """Positions `from` to `to` of a log are no longer available.

    `missed` of them were notifications; null where that number is not known.
    """

    log: str
    from_: int = msgspec.field(name="from")
    to: int
    missed: int | None
    reason: Literal["expired", "trimmed", "epoch"]


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


class Stated(Plain, frozen=True, tag="state", tag_field="type", omit_defaults=True, kw_only=True):
    """A mark that this or another device made, and the counts after it.

    `changes` names single notifications; it is empty when only the counts changed (a notification expired) or
    nothing did (the answer to a mark without effect). `up_to` alone: everything up to these positions was
    marked. `all`: the whole inbox, or one `category`, was marked, up to the positions in `up_to`. The last
    two exclude archived notifications, unless `state` is `unarchived`. A notification that had the state
    already keeps its time.

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
    ref: Ref | None = None


class Recalled(Plain, frozen=True, tag="recalled", tag_field="type"):
    """The sender recalled a notification."""

    id: str
    log: str
    position: int
    counts: Counts


class Expiring(Struct, frozen=True, tag="expiring", tag_field="type"):
    """The token expires in `in` seconds: send `refresh`."""

    in_: int = msgspec.field(name="in")


class Refreshed(Struct, frozen=True, tag="refreshed", tag_field="type"):
    """The server accepted the new token, which expires at `expires_at`."""

    expires_at: datetime


class ErrorFrame(Plain, frozen=True, tag="error", tag_field="type", omit_defaults=True):
    """The server refused a frame; the connection stays open."""

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
