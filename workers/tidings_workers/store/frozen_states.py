"""The states that a user's marks left on archived entries of the logs of groups and of all.

The state in Redis has every position of a log, but of positions below the floor it forgets the details.
Before that, a segment keeps them in the archive.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from tidings_workers.archive import StateSegment
from tidings_workers.store import intervals
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.state import Kind, LogState, Run, field, use_field
from tidings_workers.store.uses import Use, parse_use

Segments = Mapping[str, Sequence[StateSegment]]
"""The segments of a user by the base of the log, in order."""
NO_SEGMENTS: Final[Segments] = {}


class FrozenState(Struct):
    """The state of some positions of one log, with their single times and used actions (see state.py)."""

    state: LogState
    times: dict[str, str] = {}

    def time(self, kind: Kind, position: int) -> int | None:
        """The time (ms) since which a position has a kind."""
        kept = self.times.get(field(kind, position))
        return self.state.time(kind, position, int(kept) if kept is not None else None)

    def use(self, position: int) -> Use | None:
        """The action that was used at a position."""
        used = self.times.get(use_field(position))
        return parse_use(used.encode()) if used is not None else None


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(FrozenState).decode


def freeze(state: LogState, times: Mapping[str, str], after: int, up_to: int) -> bytes:
    """The bytes of a segment for `after` < position <= `up_to`."""
    span = [after, up_to]

    def cut(runs: Sequence[Run]) -> list[Run]:
        return [run for run in runs if run.after < up_to and run.up_to > after]

    part = LogState(
        seen=intervals.common(state.seen, span),
        read=intervals.common(state.read, span),
        archived=intervals.common(state.archived, span),
        run_times={kind: kept for kind, runs in state.run_times.items() if (kept := cut(runs))},
        cleared={kind: kept for kind, runs in state.cleared.items() if (kept := cut(runs))},
        acted=intervals.common(state.acted, span),
    )
    some = {name: value for name, value in times.items() if after < int(name[1:]) <= up_to}
    return _encode(FrozenState(part, some))


def frozen_at(segments: Sequence[StateSegment], position: int) -> FrozenState | None:
    """The state of a position, if a segment has it."""
    for segment in segments:
        if segment.after < position <= segment.up_to:
            return _decode(segment.state)
    return None


def with_segments(states: Mapping[str, LogState], segments: Segments) -> dict[str, LogState]:
    """The states, with the positions of segments in place of those that were forgotten."""
    # Nothing in the archive is snoozed.
    merged = {
        base: LogState(seen=state.seen, read=state.read, archived=state.archived)
        for base, state in states.items()
    }
    for base, some in segments.items():
        if not some:
            continue
        live = states.get(base, LogState())
        parts = [_decode(segment.state).state for segment in some]
        known: Bounds = intervals.of([])
        for segment in some:
            intervals.add(known, segment.after, segment.up_to)

        def joined(own: Bounds, others: Sequence[Bounds], known: Bounds = known) -> Bounds:
            result = intervals.minus(own, known)
            for other in others:
                result = intervals.union(result, other)
            return result

        merged[base] = LogState(
            seen=joined(live.seen, [part.seen for part in parts]),
            read=joined(live.read, [part.read for part in parts]),
            archived=joined(live.archived, [part.archived for part in parts]),
        )
    return merged
