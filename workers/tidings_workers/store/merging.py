"""Merging walks: the items of several sources in one order, each read in parts. Pure: the caller reads."""

import heapq
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar


class Walk(Protocol):
    """The items of one source in order, as far as they are read."""

    @property
    def needs_read(self) -> bool:
        """Whether the next item is known only after another read."""
        ...

    def peek(self) -> int | None:
        """The number that orders the next item, such as its time; None if no item is left."""
        ...


W = TypeVar("W", bound=Walk)
Refill = Callable[[list[W]], Awaitable[object]]
"""Reads the next part of these walks."""


class Merge(Generic[W]):
    """The items of several walks in the order of their numbers, `newest_first` in falling order.

    Items with the same number are in the order of `walks`, or in the reverse of it if not `newest_first`.
    """

    def __init__(self, walks: Sequence[W], refill: Refill[W], *, newest_first: bool) -> None:
        self._walks = walks
        self._refill = refill
        self._sign = -1 if newest_first else 1
        self._heap: list[tuple[int, int]] = []
        # The walks whose next item is not in the heap.
        self._outside = list(range(len(walks)))

    async def first(self) -> W | None:
        """The walk with the first item; None if no item is left. Take the item before the next call."""
        walks, heap, sign = self._walks, self._heap, self._sign
        unread = [walk for index in self._outside if (walk := walks[index]).needs_read]
        while unread:
            await self._refill(unread)
            unread = [walk for walk in unread if walk.needs_read]
        for index in self._outside:
            if (number := walks[index].peek()) is not None:
                heapq.heappush(heap, (sign * number, -sign * index))
        if not heap:
            self._outside = []
            return None
        index = abs(heapq.heappop(heap)[1])
        self._outside = [index]
        return walks[index]
