"""State changes as frames."""

from collections.abc import Sequence

from tidings.protocol.frames import Acted, Counts, Ref, StateChange, Stated
from tidings.protocol.notifications import UsedAction
from tidings.protocol.times import timestamp
from tidings_workers.gateway.wire import moment
from tidings_workers.store import Change

Missed = Sequence[tuple[int, Change]] | None
"""State changes with their versions, in order; None when they are unknown."""


def acted(notification_id: str, action: str, at: int) -> Acted:
    """The part of a `state` frame that names a used action."""
    return Acted(notification_id, UsedAction(action, timestamp(at)))


def state_frame(
    change: Change, version: int, counts: Counts, ref: Ref | None = None, unknown: tuple[str, ...] = ()
) -> Stated:
    """The frame for a mark; `ref` only for the connection that sent it."""
    at = moment(change.at)
    changes = None
    if change.ids is not None:
        changes = tuple(StateChange(identity, change.state, at) for identity in change.ids)
    return Stated(
        counts=counts,
        state_version=version,
        changes=changes,
        up_to=change.up_to,
        all=change.all or None,
        category=change.category,
        state=change.state if changes is None else None,
        at=at if changes is None else None,
        unknown=unknown,
        acted=acted(change.acted.id, change.acted.action, change.at) if change.acted is not None else None,
        ref=ref,
    )
