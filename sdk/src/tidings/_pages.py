"""Lists that are fetched page by page while they are iterated."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar, cast

import msgspec

from tidings._errors import InvalidArgumentError
from tidings._public import publish
from tidings.protocol import limits


class _Paged(Protocol):
    @property
    def items(self) -> Sequence[Any]: ...
    @property
    def next(self) -> str | None: ...


P = TypeVar("P", bound=_Paged)
T = TypeVar("T")


class Extent(msgspec.Struct, frozen=True):
    """The part of a list to read: from `cursor`, at most `limit` items in all, `page_size` per request."""

    limit: int | None
    page_size: int | None
    cursor: str | None

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise InvalidArgumentError(f"limit, the number of all items, must be 1 or more, not {self.limit}")
        if self.page_size is not None and not 1 <= self.page_size <= limits.PAGE_MAXIMUM:
            raise InvalidArgumentError(
                f"page_size, the number of items per request, must be 1 to {limits.PAGE_MAXIMUM}, "
                f"not {self.page_size}"
            )

    def size(self, taken: int = 0) -> int | None:
        """The size of the next page, after `taken` items; None for the default of the API."""
        if self.limit is None:
            return self.page_size
        return min(self.limit - taken, self.page_size or limits.PAGE_MAXIMUM)

    def cut(self, page: P, taken: int) -> P:
        """The page without the items beyond the limit: a server may return more than requested."""
        if self.limit is None or taken + len(page.items) <= self.limit:
            return page
        shorter = msgspec.structs.replace(cast("Any", page), items=page.items[: self.limit - taken])
        return cast("P", shorter)

    def ends(self, taken: int, cursor: str | None) -> bool:
        """Whether the list ends here."""
        return cursor is None or (self.limit is not None and taken >= self.limit)


class Pages(Generic[P, T]):
    """A list of the API. Iterating fetches page after page and gives the items; nothing is fetched before.

    Each iteration starts at the original cursor, and ends after `limit` items if a limit was given. An item
    that is added or removed during an iteration may or may not appear. Every other item appears exactly once.
    """

    def __init__(self, fetch: Callable[[int | None, str | None], P], extent: Extent) -> None:
        self._fetch = fetch
        self._extent = extent

    def page(self) -> P:
        """The first page alone, with the cursors of its neighbours, `next` and `previous`."""
        return self._fetch(self._extent.size(), self._extent.cursor)

    def pages(self) -> Iterator[P]:
        """All pages in order, up to the end of the list or the limit."""
        taken, cursor = 0, self._extent.cursor
        while True:
            page = self._extent.cut(self._fetch(self._extent.size(taken), cursor), taken)
            yield page
            taken, cursor = taken + len(page.items), page.next
            if self._extent.ends(taken, cursor):
                return

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.items


class AsyncPages(Generic[P, T]):
    """As `Pages`, for `async for`."""

    def __init__(self, fetch: Callable[[int | None, str | None], Awaitable[P]], extent: Extent) -> None:
        self._fetch = fetch
        self._extent = extent

    async def page(self) -> P:
        """The first page alone, with the cursors of its neighbours, `next` and `previous`."""
        return await self._fetch(self._extent.size(), self._extent.cursor)

    async def pages(self) -> AsyncIterator[P]:
        """All pages in order, up to the end of the list or the limit."""
        taken, cursor = 0, self._extent.cursor
        while True:
            page = self._extent.cut(await self._fetch(self._extent.size(taken), cursor), taken)
            yield page
            taken, cursor = taken + len(page.items), page.next
            if self._extent.ends(taken, cursor):
                return

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for item in page.items:
                yield item


publish(globals())
