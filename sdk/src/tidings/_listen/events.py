"""The events of a live inbox, except deliveries."""

from datetime import datetime
from typing import Literal

import msgspec

from tidings._models import Acted, UsedAction
from tidings._public import publish
from tidings.protocol.frames import CaughtUp, Gap, Joined, Left, Recalled, Stated
from tidings.protocol.notifications import UsedAction as WireAction
from tidings.protocol.plain import Plain


class Connected(Plain, frozen=True):
    """The connection is open.

    `resume` says how it continues: `none` (with new notifications), `complete` (nothing is lost), or `gap` (a
    `Gap` follows for each log that lost positions).
    """

    connection: str
    user: str
    resume: Literal["none", "complete", "gap"]


class Disconnected(Plain, frozen=True):
    """The connection ended, and the inbox reconnects in `retry_in` seconds.

    `code` is None if no close frame arrived.
    """

    code: int | None
    reason: str
    retry_in: float


class Changed(Stated, frozen=True, tag="state", tag_field="type", omit_defaults=True, kw_only=True):
    """The state of items changed, or only the counts. `counts` are those after the change.

    `changes` names single notifications, each with the mark that was made (`state`) and the time (`at`); it
    is empty if a notification expired, or a mark changed nothing. `up_to` alone: everything up to a position
    per log was marked `state`. `all`: the whole inbox, or one `category`, was marked, up to the positions in
    `up_to`. The last two exclude archived items, unless `state` is `unarchived`, and snoozed ones. `reload`:
    the server cannot name each change, so read the inbox again.

    `acted`: the user used an action; `changes` is empty then. `snoozed`: items are hidden until a time, or in
    the inbox again when `until` is None, with `changes` to unseen if their time was over.

    `mine`: this live inbox made the mark, and its call returned the same. Else another device or process made
    it, or the answer to a mark of this one was lost.
    """

    acted: Acted | None = None  # type: ignore[assignment]  # with a datetime in place of a text
    mine: bool = False

    @classmethod
    def of(cls, frame: Stated, *, mine: bool) -> "Changed":
        """The event for a frame."""
        fields = msgspec.structs.asdict(frame)
        if frame.acted is not None:
            fields["acted"] = Acted(frame.acted.id, used_action(frame.acted.action))
        return cls(**fields, mine=mine)


def used_action(action: WireAction) -> UsedAction:
    """An action of a frame, with its time as a datetime."""
    return UsedAction(action.id, datetime.fromisoformat(action.at))


def loss_in_words(gap: Gap) -> str:
    """A gap on one line of text, without positions if the epoch changed: they mean nothing then."""
    if gap.reason == "epoch":
        return (
            f"missed in {gap.log}: notifications that the store lost, or all if it is another store (epoch). "
            "Read the inbox again"
        )
    kept = ". The lists of the API have them" if gap.history else ""
    return f"missed in {gap.log}: positions {gap.from_} to {gap.to} ({gap.reason}){kept}"


InboxChange = Changed | Recalled | Gap | CaughtUp | Joined | Left


publish(globals())
