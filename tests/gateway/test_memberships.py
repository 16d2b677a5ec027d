"""Memberships as intervals: two feeds in any order give the store's intervals."""

import hypothesis.strategies as st
from hypothesis import given

from tidings_workers.gateway.memberships import Intervals, Memberships

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


@given(st.integers(0, 50), st.integers(1, 50))
def test_a_departure_before_its_join(start: int, length: int) -> None:
    """A join whose departure was reported before is not active."""
    memberships = Memberships()
    memberships.note_departure(ROOM, start + length)
    assert memberships.join(ROOM, start)
    assert memberships.of(ROOM) == [(start, start + length)]
    assert not memberships.is_active(ROOM)


@given(st.integers(0, 50), st.integers(1, 50))
def test_a_departure_that_the_store_does_not_have(start: int, length: int) -> None:
    """A departure ends a membership that the store still has as active, until it is forgotten."""
    memberships = Memberships()
    memberships.note_departure(ROOM, start + length)
    memberships.replace_all({ROOM: [(start, -1)]})
    assert memberships.end(ROOM) == start + length
    memberships.forget_departures(ROOM, start + length)
    memberships.replace_all({ROOM: [(start, -1)]})
    assert memberships.is_active(ROOM)


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
