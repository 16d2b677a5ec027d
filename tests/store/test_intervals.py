"""Sets of positions as lists of boundaries equal sets of numbers."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tidings_workers.store import intervals
from tidings_workers.store.intervals import Bounds

POSITIONS = st.sets(st.integers(1, 40))
SPANS = st.tuples(st.integers(0, 40), st.integers(0, 40))


def members(bounds: Bounds) -> set[int]:
    """The numbers in a set of intervals."""
    return {number for after, up_to in intervals.pairs(bounds) for number in range(after + 1, up_to + 1)}


def is_normal(bounds: Bounds) -> bool:
    """Whether the boundaries rise strictly: no interval is empty and no two touch."""
    return all(low < high for low, high in pairwise(bounds))


@given(POSITIONS)
def test_of(positions: set[int]) -> None:
    """Single positions become the fewest intervals that contain exactly them."""
    bounds = intervals.of(positions)
    assert (members(bounds), is_normal(bounds)) == (positions, True)
    assert intervals.size(bounds) == len(positions)


@given(POSITIONS, SPANS)
def test_add_and_remove(positions: set[int], span: tuple[int, int]) -> None:
    """Adding and removing a span changes exactly its positions and keeps the form."""
    numbers = set(range(span[0] + 1, span[1] + 1))
    added, removed = intervals.of(positions), intervals.of(positions)
    intervals.add(added, *span)
    intervals.remove(removed, *span)
    assert (members(added), is_normal(added)) == (positions | numbers, True)
    assert (members(removed), is_normal(removed)) == (positions - numbers, True)


@given(POSITIONS, POSITIONS)
def test_algebra(first: set[int], second: set[int]) -> None:
    """Union, difference and intersection equal those of numbers, and do not change their arguments."""
    one, other = intervals.of(first), intervals.of(second)
    for operation, expected in (
        (intervals.union, first | second),
        (intervals.minus, first - second),
        (intervals.common, first & second),
    ):
        result = operation(one, other)
        assert (members(result), is_normal(result)) == (expected, True)
    assert (members(one), members(other)) == (first, second)


@given(POSITIONS, POSITIONS)
def test_put_and_take(first: set[int], second: set[int]) -> None:
    """In-place union and difference equal union and difference."""
    more, fewer, other = intervals.of(first), intervals.of(first), intervals.of(second)
    intervals.put(more, other)
    intervals.take(fewer, other)
    assert (members(more), is_normal(more)) == (first | second, True)
    assert (members(fewer), is_normal(fewer)) == (first - second, True)


@given(POSITIONS, st.integers(0, 41))
def test_contains(positions: set[int], position: int) -> None:
    """A set contains exactly its positions."""
    assert intervals.contains(intervals.of(positions), position) == (position in positions)


@given(POSITIONS, st.integers(0, 41))
def test_size_up_to(positions: set[int], position: int) -> None:
    """The size up to a position is the number of positions that are not above it."""
    expected = sum(member <= position for member in positions)
    assert intervals.size_up_to(intervals.of(positions), position) == expected


@given(POSITIONS, st.integers(0, 41))
def test_last(positions: set[int], position: int) -> None:
    """The last position up to another is the highest one that is not above it."""
    expected = max((member for member in positions if member <= position), default=0)
    assert intervals.last(intervals.of(positions), position) == expected
