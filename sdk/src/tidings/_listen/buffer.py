"""A queue between the socket and the application."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Buffer(Generic[T]):
    """A queue in order that can be closed. `put` never waits: the producer waits for `room` before it."""

    def __init__(self, limit: int) -> None:
        self._limit = max(1, limit)
        self._items: deque[T] = deque()
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._overrides = 0
        self._ended = False
        self._error: Exception | None = None

    @property
    def full(self) -> bool:
        """Whether the number of waiting items has reached the limit."""
        return len(self._items) >= self._limit

    def put(self, item: T) -> None:
        """Add an item; after `end` it is dropped."""
        if not self._ended:
            self._items.append(item)
            self._changed()

    def drop(self, matches: Callable[[T], bool]) -> None:
        """Remove the waiting items that match."""
        if any(matches(item) for item in self._items):
            self._items = deque(item for item in self._items if not matches(item))
            self._changed()

    def end(self, error: Exception | None) -> None:
        """Close the queue: `get` returns the waiting items, then raises `error`, or StopAsyncIteration."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._changed()

    async def get(self) -> T:
        """Remove and return the next item. Raises StopAsyncIteration or the error after `end`."""
        while not self._items:
            if self._ended:
                raise self._error or StopAsyncIteration
            await self._arrived.wait()
        item = self._items.popleft()
        self._changed()
        return item

    async def room(self) -> None:
        """Wait until there is room, or an override is in force."""
        await self._room.wait()

    def override(self, by: int) -> None:
        """Lift the limit while the sum of all overrides is above zero.

        The answer to a mark has to be read from the socket, also while the buffer is full.
        """
        self._overrides += by
        self._changed()

    def _changed(self) -> None:
        _set(self._arrived, on=bool(self._items) or self._ended)
        _set(self._room, on=not self.full or self._overrides > 0)


def _set(event: asyncio.Event, *, on: bool) -> None:
    if on:
        event.set()
    else:
        event.clear()
