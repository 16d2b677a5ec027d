"""State changes as frames."""

from collections.abc import Sequence

from tidings.protocol.frames import Acted, Counts, Ref, Snoozed, StateChange, Stated
from tidings.protocol.notifications import UsedAction
from tidings.protocol.times import timestamp
from tidings_workers.gateway.wire import moment
from tidings_workers.store import Change, intervals
from tidings_workers.store.state import LogState, put, put_snoozed

Missed = Sequence[tuple[int, Change]] | None
"""State changes with their versions, in order; None when they are unknown."""


def apply_change(states: dict[str, LogState], change: Change) -> None:
    """Apply a change whose positions are known to the states of a user, by the bases of the logs."""
    for base, positions in (change.positions or {}).items():
        put(states.setdefault(base, LogState()), change.state, positions)
    if change.acted is not None:
        position = change.acted.position
        intervals.add(states.setdefault(change.acted.base, LogState()).acted, position - 1, position)
    if change.snoozed is not None:
        for base, positions in change.snoozed.positions.items():
            state = states.setdefault(base, LogState())
            put_snoozed(state, positions, ended=change.snoozed.until is None)


def acted(notification_id: str, action: str, at: int) -> Acted:
    """The part of a `state` frame that names a used action."""
    return Acted(notification_id, UsedAction(action, timestamp(at)))


def state_frame(
    change: Change, version: int, counts: Counts, ref: Ref | None = None, unknown: tuple[str, ...] = ()
) -> Stated:
    """The frame for a change; `ref` only for the connection that sent it."""
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
        snoozed=_snoozed(change),
        ref=ref,
    )


def _snoozed(change: Change) -> Snoozed | None:
    snoozed = change.snoozed
    if snoozed is None:
        return None
    return Snoozed(snoozed.ids, None if snoozed.until is None else moment(snoozed.until))
