"""A user's view of the inbox: the part of the user's data that lists and counts depend on."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from tidings_workers.store import intervals
from tidings_workers.store.entries import END
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Keys, Log
from tidings_workers.store.packing import text
from tidings_workers.store.state import LogState

Memberships = dict[str, list[tuple[int, int]]]

_state: Final = msgspec.json.Decoder(LogState)
_groups: Final = msgspec.msgpack.Decoder(list[str]).decode
_memberships: Final = msgspec.msgpack.Decoder(list[list[tuple[int, int]]])
# The first byte of an array of msgpack whose length has four bytes.
_ARRAY: Final = b"\xdd"


_EVERYTHING: Final = [0, END]


class Share(Struct, frozen=True, gc=False):
    """The positions of a log that belong to a user: `spans`, and without the hidden ones those `visible`.

    They may reach past the head of the log.
    """

    log: Log
    spans: Bounds
    visible: Bounds


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

    def shares(self, keys: Keys, tenant: str, user: str) -> dict[str, Share]:
        """The share of the user in every log, by its base; the own log is the first."""
        logs = [keys.user(tenant, user), keys.all(tenant), *keys.groups(tenant, self.memberships)]
        spans = [_EVERYTHING, _EVERYTHING, *map(spans_of, self.memberships.values())]
        if not self.hidden:
            return {log.base: Share(log, bounds, bounds) for log, bounds in zip(logs, spans, strict=True)}
        return {
            log.base: Share(log, bounds, intervals.minus(bounds, self.hidden.get(log.base, [])))
            for log, bounds in zip(logs, spans, strict=True)
        }


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
    packed_groups, packed_memberships, hidden, version, marked_at, states, changes = raw
    groups = _groups(packed_groups)
    return View(
        dict(zip(groups, _decoded(len(groups), packed_memberships), strict=True)),
        hidden_of(hidden),
        int(version),
        int(marked_at),
        states_of(states),
        int(changes),
    )


def read_memberships(raw: Any) -> Memberships:
    """A user's memberships: group -> intervals (after, up to) of its log; -1 is still a member."""
    groups, packed = (raw.keys(), raw.values()) if isinstance(raw, dict) else (raw[::2], raw[1::2])
    return dict(zip(map(text, groups), _decoded(len(groups), b"".join(packed)), strict=True))


def _decoded(count: int, packed: bytes) -> list[list[tuple[int, int]]]:
    # One call for all: there may be a thousand.
    return _memberships.decode(b"%b%b%b" % (_ARRAY, count.to_bytes(4, "big"), packed))
