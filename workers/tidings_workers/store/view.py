"""A user's view of the inbox: the part of the user's data that lists and counts depend on."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from tidings_workers.store import intervals
from tidings_workers.store.entries import END
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Keys, Log
from tidings_workers.store.packing import text
from tidings_workers.store.state import LogState

Memberships = dict[str, list[tuple[int, int]]]

_state = msgspec.json.Decoder(LogState)


class View(Struct):
    """The memberships, hidden positions and states of one user.

    `memberships`: group -> intervals of its log, the last of which ends in -1 while the user is a member.
    `hidden` and `states`: by the bases of the logs. `version`: the state version; the last mark was at
    `marked_at` (ms). `changes`: those of the user's own log, see `Facts`.
    """

    memberships: Memberships
    hidden: dict[str, Bounds]
    version: int
    marked_at: int
    states: dict[str, LogState]
    changes: int

    def logs(self, keys: Keys, tenant: str, user: str) -> dict[str, Log]:
        """Every log of the user by its base."""
        groups = (keys.group(tenant, group) for group in self.memberships)
        return {log.base: log for log in (keys.user(tenant, user), keys.all(tenant), *groups)}

    def spans(self, log: Log) -> Bounds:
        """The positions of a log that belong to the user; they may reach past its head."""
        if log.group is None:
            return [0, END]
        return spans_of(self.memberships.get(log.group, ()))

    def visible(self, log: Log) -> Bounds:
        """The spans without the hidden positions."""
        spans, hidden = self.spans(log), self.hidden.get(log.base)
        return intervals.minus(spans, hidden) if hidden else spans


def spans_of(memberships: Sequence[tuple[int, int]]) -> Bounds:
    """The positions that membership intervals cover."""
    if len(memberships) == 1:
        ((after, up_to),) = memberships
        end = up_to if up_to >= 0 else END
        return [after, end] if after < end else []
    bounds: Bounds = []
    for after, up_to in memberships:
        intervals.add(bounds, after, up_to if up_to >= 0 else END)
    return bounds


def hidden_of(marks: Sequence[Any]) -> dict[str, Bounds]:
    """Hidden positions, as the store has them, by base."""
    positions: dict[str, list[int]] = {}
    for mark in marks:
        base, position = read_hidden(text(mark))
        positions.setdefault(base, []).append(position)
    return {base: intervals.of(found) for base, found in positions.items()}


def read_hidden(mark: str) -> tuple[str, int]:
    """The base and the position in ``<base>/<position>``, a member of the key `hidden`."""
    base, _, position = mark.rpartition("/")
    return base, int(position)


def states_of(raw: Any) -> dict[str, LogState]:
    """The states in the key `state` of a user, by the bases of the logs."""
    pairs = raw.items() if isinstance(raw, dict) else zip(raw[::2], raw[1::2], strict=True)
    return {text(base): _state.decode(packed) for base, packed in pairs}


def view_of(raw: Sequence[Any]) -> View:
    """A view from the reply of `view.lua`."""
    groups, hidden, version, marked_at, states, changes = raw
    return View(
        read_memberships(groups),
        hidden_of(hidden),
        int(version),
        int(marked_at),
        states_of(states),
        int(changes),
    )


def read_memberships(raw: Any) -> dict[str, list[tuple[int, int]]]:
    """A user's memberships: group -> intervals (after, up to) of its log; -1 is still a member."""
    pairs = raw.items() if isinstance(raw, dict) else zip(raw[::2], raw[1::2], strict=True)
    return {
        text(group): msgspec.msgpack.decode(intervals, type=list[tuple[int, int]])
        for group, intervals in pairs
    }
