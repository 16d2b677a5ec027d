"""Merging walks that are read in parts: order, ties, and no read more than needed."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from tidings_workers.store.merging import Merge


class Source:
    """A walk over numbers, `part` of which each read gives."""

    def __init__(self, numbers: list[int], part: int) -> None:
        self.unread = deque(numbers)
        self.items: deque[int] = deque()
        self._part = part

    @property
    def needs_read(self) -> bool:
        """Whether a read is needed to know the next number."""
        return not self.items and bool(self.unread)

    def peek(self) -> int | None:
        """The next number."""
        return self.items[0] if self.items else None

    def read(self) -> None:
        """Read the next part."""
        for _ in range(min(self._part, len(self.unread))):
            self.items.append(self.unread.popleft())


async def refill(sources: list[Source]) -> None:
    for source in sources:
        source.read()


numbers = st.lists(st.lists(st.integers(0, 20), max_size=12), max_size=6)


@given(numbers, st.integers(1, 4), st.booleans())
async def test_items_are_in_one_order(of_sources: list[list[int]], part: int, newest_first: bool) -> None:
    """Merging gives every item once, in order of its number, whatever the parts in which it is read."""
    sources = [Source(sorted(each, reverse=newest_first), part) for each in of_sources]
    merged = Merge(sources, refill, newest_first=newest_first)
    found = []
    while (source := await merged.first()) is not None:
        found.append(source.items.popleft())
    assert found == sorted((number for each in of_sources for number in each), reverse=newest_first)
    assert await merged.first() is None


@given(st.integers(1, 6), st.booleans())
async def test_equal_numbers_follow_the_walks(count: int, newest_first: bool) -> None:
    """Items with the same number are in the order of the walks, and oldest first in the opposite order."""
    sources = [Source([7], 1) for _ in range(count)]
    merged = Merge(sources, refill, newest_first=newest_first)
    found = []
    while (source := await merged.first()) is not None:
        found.append(sources.index(source))
        source.items.popleft()
    assert found == (list(range(count)) if newest_first else list(reversed(range(count))))


async def test_a_walk_is_read_only_when_it_runs_out() -> None:
    """A walk whose items are not reached yet is read once, for its first items."""
    early, late = Source([1, 2, 3, 4], 2), Source([9, 10, 11, 12], 2)
    merged = Merge([early, late], refill, newest_first=False)
    for _ in range(4):
        source = await merged.first()
        assert source is early
        source.items.popleft()
    assert len(late.unread) == 2
