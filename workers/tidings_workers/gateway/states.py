"""Changes of state as frames."""

from collections.abc import Sequence

from tidings.protocol.frames import Counts, Ref, StateChange, Stated
from tidings_workers.gateway.wire import moment
from tidings_workers.store import Change

Missed = Sequence[tuple[int, Change]] | None
"""Changes of state by their versions; None when they are not known one by one."""


def stated(
    change: Change, version: int, counts: Counts, ref: Ref | None = None, unknown: tuple[str, ...] = ()
) -> Stated:
    """What a mark did; with a `ref` for the connection that asked for it."""
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
        ref=ref,
    )
