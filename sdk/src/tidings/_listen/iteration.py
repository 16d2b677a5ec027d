"""Iterating what arrives, in blocking code."""

from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


def iterate(timeout: float | None, take: Callable[[float | None], T]) -> Iterator[T]:
    """All items that `take(timeout)` returns, until it raises StopAsyncIteration or TimeoutError."""
    while True:
        try:
            item = take(timeout)
        except (StopAsyncIteration, TimeoutError):
            return
        yield item
