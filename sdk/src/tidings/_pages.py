"""Lists that are fetched page by page, as they are iterated."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from tidings import _publish


class _Paged(Protocol):
    @property
    def items(self) -> Sequence[Any]: ...
    @property
    def next(self) -> str | None: ...


P = TypeVar("P", bound=_Paged)
T = TypeVar("T")


class Pages(Generic[P, T]):
    """A list of the API. Iterating gives the items of all pages; nothing is fetched before.

    Each iteration starts again at the cursor it was made with. What is added or taken away meanwhile
    may or may not appear; nothing else is left out or given twice.
    """

    def __init__(self, fetch: Callable[[str | None], P], cursor: str | None) -> None:
        self._fetch = fetch
        self._cursor = cursor

    def page(self) -> P:
        """The first page alone, with the cursors of its neighbours."""
        return self._fetch(self._cursor)

    def pages(self) -> Iterator[P]:
        """Page after page, to the end of the list."""
        page = self.page()
        yield page
        while page.next is not None:
            page = self._fetch(page.next)
            yield page

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.items


class AsyncPages(Generic[P, T]):
    """As `Pages`, for `async for`."""

    def __init__(self, fetch: Callable[[str | None], Awaitable[P]], cursor: str | None) -> None:
        self._fetch = fetch
        self._cursor = cursor

    async def page(self) -> P:
        """The first page alone, with the cursors of its neighbours."""
        return await self._fetch(self._cursor)

    async def pages(self) -> AsyncIterator[P]:
        """Page after page, to the end of the list."""
        page = await self.page()
        yield page
        while page.next is not None:
            page = await self._fetch(page.next)
            yield page

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for item in page.items:
                yield item


_publish(globals())
