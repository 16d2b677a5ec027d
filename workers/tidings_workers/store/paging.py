"""Pages of lists, and their cursors."""

from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from tidings_workers.store.packing import pack

T = TypeVar("T")


class Page(Struct, Generic[T], frozen=True):
    """One page of a list, and the packed cursors of its neighbours (None at an end)."""

    items: list[T]
    next: bytes | None
    previous: bytes | None


class Cursor(Struct, array_like=True, frozen=True):
    """The start of a page: after or before the item `edge`, in the order of the list."""

    forward: bool
    edge: str


def page_of(items: list[T], edges: list[str], cursor: Cursor | None, limit: int) -> Page[T]:
    """A page from up to `limit + 1` items that were read in the direction of the cursor."""
    more = len(items) > limit
    items, edges = items[:limit], edges[:limit]
    forward = cursor is None or cursor.forward
    if not forward:
        items, edges = items[::-1], edges[::-1]
    has_next = more if forward else True
    has_previous = cursor is not None if forward else more
    if not items:
        return Page([], None, None)
    return Page(
        items,
        pack(Cursor(forward=True, edge=edges[-1])) if has_next else None,
        pack(Cursor(forward=False, edge=edges[0])) if has_previous else None,
    )


def read_cursor(raw: bytes | None) -> Cursor | None:
    """A packed cursor. The API has checked its signature."""
    return msgspec.msgpack.decode(raw, type=Cursor) if raw is not None else None
