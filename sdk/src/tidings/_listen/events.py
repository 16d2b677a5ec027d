"""What a live inbox tells besides deliveries."""

from typing import Literal

import msgspec

from tidings import _publish
from tidings.protocol.frames import CaughtUp, Gap, Joined, Left, Recalled, Stated
from tidings.protocol.plain import Plain


class Connected(Plain, frozen=True):
    """The connection stands.

    `resume` says how it continues: `none` (from here on), `complete` (nothing was missed), or `gap`
    (a `Gap` follows for each log of which something cannot be had).
    """

    connection: str
    user: str
    resume: Literal["none", "complete", "gap"]


class Disconnected(Plain, frozen=True):
    """The connection ended and is tried again in `retry_in` seconds. `code` is None where it just broke."""

    code: int | None
    reason: str
    retry_in: float


class Changed(Stated, frozen=True, tag="state", tag_field="type", omit_defaults=True, kw_only=True):
    """The state of items changed, or the counts alone.

    One of three: `changes` names single notifications, each with the mark that was made, `state`, and `at`;
    none where something expired, or a mark changed nothing. `up_to` a position per log, everything was
    marked `state`. `all`, perhaps of one `category`, everything was, as far as `up_to`. Neither reaches what
    is archived, unless `state` is `unarchived`. `reload`: what happened is not told one by one, so read the
    inbox again. Always with the `counts` after it.

    `mine`: this listener's own mark, which returned the same; else another device's, another process', or
    one of this listener whose answer was lost.
    """

    mine: bool = False

    @classmethod
    def of(cls, frame: Stated, *, mine: bool) -> "Changed":
        """The frame, and whose it is."""
        return cls(**msgspec.structs.asdict(frame), mine=mine)


def loss_in_words(gap: Gap) -> str:
    """What is missing, on one line. After another epoch the positions say nothing about it."""
    if gap.reason == "epoch":
        return (
            f"missed in {gap.log}: whatever the store has lost, or all where it is another store (epoch). "
            "Read the inbox again"
        )
    return f"missed in {gap.log}: positions {gap.from_} to {gap.to} ({gap.reason})"


InboxChange = Changed | Recalled | Gap | CaughtUp | Joined | Left


_publish(globals())
