"""An inbox: its pages, and marks."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from tidings.protocol import limits
from tidings.protocol.frames import Counts, Positions, State
from tidings.protocol.names import Device, Timestamp
from tidings.protocol.notifications import Category, UsedAction
from tidings.protocol.plain import Plain

InboxState = Literal["unseen", "seen", "read", "archived"]
StateFilter = Literal["unseen", "seen", "unread", "read", "archived", "snoozed"]


class InboxItem(Struct, frozen=True, kw_only=True):
    """One notification of an inbox with its state.

    The time of a state is null until the item is in that state. `snoozed_until` is the time at which a
    snoozed item returns, else null. `action` is the action that the user used, or null. `notification` is the
    JSON of a `Notification`, as stored. `archived_copy`: the item is older than the retention and comes from
    the history; it can't be marked any more.
    """

    log: str
    position: int
    state: InboxState
    seen_at: Timestamp | None
    read_at: Timestamp | None
    archived_at: Timestamp | None
    snoozed_until: Timestamp | None
    action: UsedAction | None
    notification: Raw
    archived_copy: Literal[True] | UnsetType = UNSET


class InboxPage(Struct, frozen=True, kw_only=True):
    """A page of an inbox, newest first.

    Give `epoch`, `positions` and `state_version` to `resume`, so that the connection starts with the
    notifications and marks that followed this page. `history`: older items are in the history, which does not
    answer now.
    """

    items: list[InboxItem]
    next: str | None
    previous: str | None
    counts: Counts
    epoch: str
    positions: dict[str, int]
    state_version: int
    history: Literal["unavailable"] | UnsetType = UNSET


class AckInbox(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Cumulative, as the frame `ack`: everything up to these positions arrived, on this `device` if given.

    A position past the end of its log counts as the end. Logs that the user does not have are ignored.
    """

    positions: Positions
    device: Device | None = None


class MarkInbox(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Changes the state of `ids`, of everything `up_to` a position per log, or of `all`.

    Give exactly one of the three. `category` narrows `all`. `read` implies `seen`; `unread` takes back `read`
    only, `unseen` takes back both; `archived` is independent of them. A mark is idempotent, and the first
    time of a state is kept. A position past the end of its log counts as the end. `up_to` and `all` change
    archived items only when `state` is `unarchived`, and no snoozed ones. `archived` ends a snooze.
    """

    state: State
    ids: Annotated[tuple[str, ...], Meta(max_length=limits.MARK_IDS)] | None = None
    up_to: Positions | None = None
    all: Literal[True] | None = None
    category: Category | None = None


class SnoozeInbox(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Hides `ids` from the inbox and from its counts until a time, at which they are unseen again.

    `until` is RFC 3339 with a zone, in the future, and at most a year ahead. Null ends the snooze now: the
    items are in the inbox as they were. An archived item leaves the archive.
    """

    ids: Annotated[tuple[str, ...], Meta(max_length=limits.MARK_IDS)]
    until: Annotated[datetime, Meta(tz=True)] | None


class Marked(Plain, frozen=True, omit_defaults=True):
    """The number of notifications whose state changed, and the counts after the mark or snooze.

    `unknown`: ids and logs that are not in this inbox, or no longer.
    """

    changed: int
    counts: Counts
    unknown: tuple[str, ...] = ()
