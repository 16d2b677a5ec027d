"""The pure state of an inbox, compared with a plain record per position."""

from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.protocol.frames import State
from tidings_workers.store import intervals, state
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.state import KINDS, Kind, LogState, apply, put

STATES: tuple[State, ...] = ("seen", "unseen", "read", "unread", "archived", "unarchived")
SETS: dict[State, tuple[Kind, ...]] = {"seen": ("seen",), "read": ("seen", "read"), "archived": ("archived",)}
CLEARS: dict[State, tuple[Kind, ...]] = {
    "unseen": ("seen", "read"),
    "unread": ("read",),
    "unarchived": ("archived",),
}
LENGTH = 30

Mark = tuple[State, Bounds]

MARKS = st.lists(
    st.tuples(
        st.sampled_from(STATES),
        st.one_of(
            st.sets(st.integers(1, LENGTH), min_size=1).map(intervals.of),
            st.integers(1, LENGTH).map(intervals.up_to),
        ),
    ),
    max_size=12,
)


@dataclass
class Record:
    """The record of one position in a plain implementation."""

    times: dict[Kind, int] = field(default_factory=dict)
    ever: set[Kind] = field(default_factory=set)

    def mark(self, wanted: State, at: int) -> None:
        """Apply a mark; the first time of a kind stays."""
        for kind in SETS.get(wanted, ()):
            self.times.setdefault(kind, at)
            self.ever.add(kind)
        for kind in CLEARS.get(wanted, ()):
            self.times.pop(kind, None)


@dataclass
class Kept:
    """A log's state as the store keeps it: packed state, and times apart from it."""

    packed: bytes = b"{}"
    times: dict[str, int] = field(default_factory=dict)

    def read(self) -> LogState:
        """The state as read from the store."""
        return msgspec.json.decode(self.packed, type=LogState)

    def mark(self, wanted: State, positions: Bounds, at: int) -> state.Applied:
        """Apply a mark and keep the result."""
        log = self.read()
        applied = apply(log, wanted, positions, at)
        self.packed = msgspec.json.encode(log)
        self.times |= dict.fromkeys(applied.times, at)
        for name in applied.dropped:
            self.times.pop(name, None)
        return applied

    def times_of(self, position: int) -> dict[Kind, int]:
        """The times of the position's state."""
        log = self.read()
        found = {
            kind: log.time(kind, position, self.times.get(state.field(kind, position))) for kind in KINDS
        }
        return {kind: at for kind, at in found.items() if at is not None}


@pytest.mark.parametrize(("sweep", "clear"), [(100, 1_000), (3, 3), (0, 0)])
@given(marks=MARKS)
def test_times_of_every_position(sweep: int, clear: int, marks: list[Mark]) -> None:
    """After any marks, single or in bulk, each position keeps its own first times."""
    records = {position: Record() for position in range(1, LENGTH + 1)}
    kept = Kept()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "SINGLE_TIMES", sweep)
        patch.setattr(state, "SINGLE_REMOVALS", clear)
        for at, (wanted, positions) in enumerate(marks, start=1_000):
            before = {position: dict(record.times) for position, record in records.items()}
            applied = kept.mark(wanted, positions, at)
            for position, record in records.items():
                if intervals.contains(positions, position):
                    record.mark(wanted, at)
                changed = record.times != before[position]
                main = (SETS.get(wanted) or CLEARS[wanted])[-1 if wanted == "read" else 0]
                assert intervals.contains(applied.changed, position) == (
                    changed and (main in record.times) != (main in before[position])
                )
            assert {p: kept.times_of(p) for p in records} == {p: r.times for p, r in records.items()}
    ever = kept.read()
    assert [p for p, r in records.items() if "seen" in r.ever] == _members(ever.ever_seen)
    assert [p for p, r in records.items() if "read" in r.ever] == _members(ever.ever_read)


@given(marks=MARKS)
def test_repeating_a_change(marks: list[Mark]) -> None:
    """A gateway that applies the changes of marks has the state of the store."""
    kept, follower = Kept(), LogState()
    for at, (wanted, positions) in enumerate(marks, start=1_000):
        put(follower, wanted, kept.mark(wanted, positions, at).changed)
        log = kept.read()
        assert [follower.having(kind) for kind in KINDS] == [log.having(kind) for kind in KINDS]


@given(marks=MARKS)
def test_marking_twice(marks: list[Mark]) -> None:
    """A repeated mark changes nothing."""
    kept = Kept()
    for at, (wanted, positions) in enumerate(marks, start=1_000):
        kept.mark(wanted, positions, at)
        before = kept.packed
        again = kept.mark(wanted, positions, at + 500)
        assert (again.changed, again.ever, kept.packed) == ([], {}, before)


def test_a_hundred_thousand_are_one_interval() -> None:
    """Marking everything costs the same for any number of positions, whatever was marked before."""
    kept = Kept()
    for at, position in enumerate(range(2, 200, 2)):
        kept.mark("read", intervals.of([position]), at)
    applied = kept.mark("read", [0, 100_000], 1_000)
    assert applied.times == []
    log = kept.read()
    assert (log.read, len(log.run_times["read"])) == ([0, 100_000], 1)
    assert (kept.times_of(2)["read"], kept.times_of(3)["read"]) == (0, 1_000)


def test_forgetting_below_the_floor() -> None:
    """Positions up to the floor are forgotten, and nothing above it changes."""
    kept = Kept()
    for at, position in enumerate(range(2, 40, 2)):
        kept.mark("seen", intervals.of([position]), at)
    kept.mark("read", [0, 500], 1_000)
    log = kept.read()
    log.forget(30)
    assert log.seen == [0, 500]
    log = Kept(b'{"seen":[1,2,3,4,35,36]}').read()
    log.forget(30)
    assert (log.seen, intervals.contains(log.seen, 36)) == ([0, 30, 35, 36], True)


def _members(bounds: Bounds) -> list[int]:
    return [p for after, up_to in intervals.pairs(bounds) for p in range(after + 1, up_to + 1)]
