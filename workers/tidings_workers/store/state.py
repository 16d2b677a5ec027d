"""The state of the notifications of one log for one user. Pure: no store and no clock.

For each kind (`seen`, `read`, `archived`) the state has the positions with that kind, and their times. For
the receipts it also has the positions that were ever seen or read, even if a later mark reverted that.

Times: a mark of few positions has one time per position, stored outside the state (`Applied.times` and
`Applied.dropped` name those to store and to delete). A mark of many positions adds runs to `run_times`, one
time for each run. A single time takes precedence over `run_times`; in `run_times` the first run that covers
a position counts. When many positions lose a kind, runs in `cleared` make their earlier single times void.

Apart from the kinds, `acted` has the positions at which the user used an action. The action and its time are
stored outside the state too, under the name of `use_field`. `snoozed` has the positions that the user hides
until a time; those times are apart too, see `snoozing.py`. No position is both archived and snoozed.
"""

from typing import Final, Literal

import msgspec
from msgspec import Struct

from tidings.protocol.frames import State
from tidings_workers.store import intervals
from tidings_workers.store.intervals import Bounds

Kind = Literal["seen", "read", "archived"]
KINDS: Final[tuple[Kind, ...]] = ("seen", "read", "archived")

SINGLE_TIMES: Final = 100
"""A mark that gives a kind to more positions than this stores one time per run."""
SINGLE_REMOVALS: Final = 1_000
"""A mark that takes a kind from more positions than this adds runs to `cleared`."""

# The kinds that a mark sets or reverts. A position counts as changed by the first of them.
_SETS: Final[dict[State, tuple[Kind, ...]]] = {
    "seen": ("seen",),
    "read": ("read", "seen"),
    "archived": ("archived",),
}
_CLEARS: Final[dict[State, tuple[Kind, ...]]] = {
    "unseen": ("seen", "read"),
    "unread": ("read",),
    "unarchived": ("archived",),
}


class Run(Struct, array_like=True, frozen=True):
    """One time (Unix ms) for `after` < position <= `up_to`."""

    after: int
    up_to: int
    at: int

    def covers(self, position: int) -> bool:
        """Whether the position is in the run."""
        return self.after < position <= self.up_to


class LogState(Struct, omit_defaults=True):
    """The state of one log's positions. Stored as JSON; the scripts read `ever_seen` and `ever_read`."""

    seen: Bounds = []
    read: Bounds = []
    archived: Bounds = []
    ever_seen: Bounds = []
    ever_read: Bounds = []
    # Stored under the name `swept`.
    run_times: dict[Kind, list[Run]] = msgspec.field(default_factory=dict, name="swept")
    cleared: dict[Kind, list[Run]] = {}
    acted: Bounds = []
    snoozed: Bounds = []

    def having(self, kind: Kind) -> Bounds:
        """The positions that have a kind."""
        bounds: Bounds = getattr(self, kind)
        return bounds

    def settled(self, kind: Literal["seen", "read"]) -> Bounds:
        """The positions that do not count as unseen, or as unread: those seen, or read, or put aside."""
        aside = self.put_aside()
        return intervals.union(self.having(kind), aside) if aside else self.having(kind)

    def put_aside(self) -> Bounds:
        """The positions that are archived or snoozed."""
        return intervals.union(self.archived, self.snoozed) if self.snoozed else self.archived

    def time(self, kind: Kind, position: int, kept: int | None) -> int | None:
        """The time (ms) since which a position has a kind. `kept`: its single time, if it has one."""
        if not intervals.contains(self.having(kind), position):
            return None
        if kept is not None and not any(
            run.covers(position) and run.at >= kept for run in self.cleared.get(kind, ())
        ):
            return kept
        return next((run.at for run in self.run_times.get(kind, ()) if run.covers(position)), kept)

    def without_times(self) -> "LogState":
        """The parts that lists and counts depend on, in a new state."""
        return LogState(
            seen=self.seen, read=self.read, archived=self.archived, acted=self.acted, snoozed=self.snoozed
        )

    def forget(self, floor: int) -> None:
        """Simplify the state of positions up to the floor, whose entries have been removed."""
        if floor <= 0:
            return
        for bounds in (self.seen, self.read, self.archived, self.ever_seen, self.ever_read, self.acted):
            if bounds:
                intervals.add(bounds, 0, min(floor, bounds[-1]))
        self.snoozed = intervals.above(self.snoozed, floor)
        for runs in (self.run_times, self.cleared):
            for kind in list(runs):
                runs[kind] = [run for run in runs[kind] if run.up_to > floor]


class Applied(Struct):
    """The effect of a mark on one log: the changed positions, and the changes outside the state.

    `times` and `dropped` are names of single times. `ever`: the positions seen or read for the first time.
    `woken`: the positions whose snooze the mark ended.
    """

    changed: Bounds
    times: list[str]
    dropped: list[str]
    ever: dict[Kind, Bounds]
    woken: Bounds = []


def field(kind: Kind, position: int) -> str:
    """The name of the single time of a kind and position."""
    return f"{kind[0]}{position}"


def use_field(position: int) -> str:
    """The name under which the action that the user used at a position is stored, with its time."""
    return f"u{position}"


def apply(log: LogState, state: State, wanted: Bounds, at: int, *, one_by_one: bool = True) -> Applied:
    """Change the state of the wanted positions in place. `at` is in ms, later than in every earlier mark.

    A position that has the kind already keeps its time. With `one_by_one` a mark of few positions stores
    single times.
    """
    if state in _SETS:
        return _set(log, _SETS[state], wanted, at, SINGLE_TIMES if one_by_one else 0)
    return _clear(log, _CLEARS[state], wanted, at, SINGLE_REMOVALS if one_by_one else 0)


def put(log: LogState, state: State, changed: Bounds) -> None:
    """Apply a change that another process made, without times and receipts."""
    for kind in _SETS.get(state, ()):
        intervals.put(log.having(kind), changed)
    for kind in _CLEARS.get(state, ()):
        intervals.take(log.having(kind), changed)
    if state == "archived" and log.snoozed:
        intervals.take(log.snoozed, changed)


def put_snoozed(log: LogState, changed: Bounds, *, ended: bool) -> None:
    """Apply a snooze, or the end of one, that another process made."""
    if ended:
        intervals.take(log.snoozed, changed)
    else:
        intervals.put(log.snoozed, changed)
        intervals.take(log.archived, changed)


def snooze(log: LogState, wanted: Bounds, at: int) -> Applied:
    """Snooze the wanted positions in place, and take them out of the archive. All count as changed."""
    applied = apply(log, "unarchived", wanted, at)
    intervals.put(log.snoozed, wanted)
    applied.changed = wanted
    return applied


def wake(log: LogState, due: Bounds, present: Bounds, at: int) -> Applied:
    """End the snooze of the `due` positions in place. Those `present` become unseen, whatever they were."""
    woken = intervals.common(due, log.snoozed)
    intervals.take(log.snoozed, woken)
    changed = intervals.common(woken, present)
    applied = apply(log, "unseen", changed, at)
    applied.changed, applied.woken = changed, woken
    return applied


def _set(log: LogState, kinds: tuple[Kind, ...], wanted: Bounds, at: int, limit: int) -> Applied:
    applied = Applied(intervals.minus(wanted, log.having(kinds[0])), [], [], {})
    for kind in kinds:
        fresh = intervals.minus(wanted, log.having(kind))
        intervals.put(log.having(kind), fresh)
        if intervals.size(fresh) <= limit:
            applied.times += [field(kind, position) for position in intervals.each(fresh)]
        else:
            # Store the time for `fresh`, or for the wanted positions in its range, whichever has fewer
            # intervals. The extra positions keep their earlier times, because the first run counts.
            hull = min(fresh, intervals.common(wanted, [fresh[0], fresh[-1]]), key=len)
            runs = log.run_times.setdefault(kind, [])
            runs += [Run(after, up_to, at) for after, up_to in intervals.pairs(hull)]
        if kind != "archived":
            ever = log.ever_seen if kind == "seen" else log.ever_read
            first = intervals.minus(fresh, ever)
            intervals.put(ever, first)
            if first:
                applied.ever[kind] = first
        elif log.snoozed:
            applied.woken = intervals.common(fresh, log.snoozed)
            intervals.take(log.snoozed, applied.woken)
    return applied


def _clear(log: LogState, kinds: tuple[Kind, ...], wanted: Bounds, at: int, limit: int) -> Applied:
    applied = Applied(intervals.common(wanted, log.having(kinds[0])), [], [], {})
    for kind in kinds:
        gone = intervals.common(wanted, log.having(kind))
        intervals.take(log.having(kind), gone)
        if not gone:
            continue
        if runs := log.run_times.get(kind):
            log.run_times[kind] = [
                Run(after, up_to, run.at)
                for run in runs
                for after, up_to in intervals.pairs(intervals.minus([run.after, run.up_to], gone))
            ]
        if intervals.size(gone) <= limit:
            applied.dropped += [field(kind, position) for position in intervals.each(gone)]
        else:
            hull = intervals.common(wanted, [gone[0], gone[-1]])
            before = [
                Run(after, up_to, run.at)
                for run in log.cleared.get(kind, ())
                for after, up_to in intervals.pairs(intervals.minus([run.after, run.up_to], hull))
            ]
            log.cleared[kind] = [*before, *(Run(after, up_to, at) for after, up_to in intervals.pairs(hull))]
    return applied
