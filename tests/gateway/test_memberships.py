"""Memberships as intervals: two feeds in any order give the store's intervals."""

import hypothesis.strategies as st
from hypothesis import given

from tidings_workers.gateway.departures import Departures
from tidings_workers.gateway.memberships import Intervals, Memberships
from tidings_workers.store.entries import Departure

ROOM = "room"


@st.composite
def histories(draw: st.DrawFn) -> Intervals:
    """Memberships of one group as the store keeps them: in order, and the last may be active."""
    bounds = sorted(draw(st.lists(st.integers(0, 50), min_size=1, max_size=8)))
    intervals = [(bounds[at], bounds[at + 1]) for at in range(0, len(bounds) - 1, 2)]
    if len(bounds) % 2:
        intervals.append((bounds[-1], -1))
    return intervals


def applied(history: Intervals) -> Memberships:
    """The memberships after the user's feed has reported a history."""
    memberships = Memberships()
    for start, end in history:
        memberships.join(ROOM, start)
        if end >= 0:
            memberships.leave(ROOM, end)
    return memberships


@given(histories())
def test_a_feed_gives_the_intervals_of_the_store(history: Intervals) -> None:
    """Joins and leaves in order give the store's intervals."""
    assert applied(history).of(ROOM) == history


@given(histories())
def test_repeating_a_feed_changes_nothing(history: Intervals) -> None:
    """A repeated join or leave changes nothing and returns False."""
    memberships = applied(history)
    for start, end in history:
        if end >= 0 and end > start:
            assert not memberships.join(ROOM, start)
            assert not memberships.leave(ROOM, end - 1 if memberships.is_active(ROOM) else end)
    assert memberships.of(ROOM) == history


@given(st.lists(st.integers(0, 2), min_size=1, max_size=8), st.integers(0, 7))
def test_a_departure_ends_the_membership_before_it(lengths: list[int], at: int) -> None:
    """A departure ends the joining before it by the group's clock, also where changes share a position.

    Joinings have even numbers, and departures the odd ones after them. The store is late: it has the first
    joinings only, and the last of them as active.
    """
    at = min(at, len(lengths) - 1)
    positions = [0]
    for length in lengths:
        positions.append(positions[-1] + length)
    departures = [Departure("ana", position, 101 + 2 * turn) for turn, position in enumerate(positions[1:])]
    memberships = Memberships()
    memberships.replace_all({ROOM: [(positions[at], -(100 + 2 * at))]})
    assert memberships.depart(ROOM, departures) == positions[at + 1]
    assert memberships.of(ROOM) == [(positions[at], positions[at + 1])]
    # The feed of the user reports it later.
    assert not memberships.leave(ROOM, positions[at + 1], 101 + 2 * at)


def test_a_departure_before_the_joining_ends_nothing() -> None:
    """A departure and a leave with an earlier number than the joining leave a membership active."""
    memberships = Memberships()
    assert memberships.join(ROOM, 5, 102)
    assert memberships.depart(ROOM, [Departure("ana", 5, 101)]) is None
    assert not memberships.leave(ROOM, 5, 101)
    assert memberships.is_active(ROOM)


def test_departures_without_numbers() -> None:
    """Without a number, as earlier versions stored it, a departure ends what began before its position."""
    for joined, number in ((0, 101), (102, 0)):
        memberships = Memberships()
        memberships.join(ROOM, 5, joined)
        assert memberships.depart(ROOM, [Departure("ana", 5, number)]) is None
        assert memberships.depart(ROOM, [Departure("ana", 6, number)]) == 6


def test_departures_are_bounded() -> None:
    """Of the departures from a group the last 1,000 are kept; one that is reported again counts once."""
    departures = Departures()
    for number in range(3_000):
        departures.note([Departure(f"user-{number % 1_500}", 1, number)] * 2)
    assert departures.of("user-0") == []
    assert departures.of("user-1499") == [Departure("user-1499", 1, 2_999)]
    departures.note([Departure("", 2, 3_000)])
    assert departures.of("user-7") == [Departure("", 2, 3_000)]


@given(histories(), st.integers(0, 60), st.integers(0, 60))
def test_spans_are_the_positions_of_a_member(history: Intervals, after: int, up_to: int) -> None:
    """The spans of a range contain each position within a membership, once and in order."""
    memberships = applied(history)
    found = [
        position
        for low, high in memberships.spans(ROOM, after, up_to)
        for position in range(low + 1, high + 1)
    ]
    expected = [
        position
        for position in range(after + 1, up_to + 1)
        if any(start < position and (position <= end or end < 0) for start, end in history)
    ]
    assert found == expected
