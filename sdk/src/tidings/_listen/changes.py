"""The changes of a live inbox, for any number of readers."""

from collections.abc import Callable
from typing import Self
from weakref import WeakSet

from tidings._listen.buffer import Buffer
from tidings._listen.events import Changed, InboxChange
from tidings._public import publish


class Changes:
    """The result of `changes()`, for one `async for`: each `InboxChange` in order, as it arrives.

    At most 256 wait for the reader. If the reader is slower, one `Changed` with `reload` replaces those that
    wait. It ends when the inbox ends, and raises the error that ended the inbox.
    """

    def __init__(self, buffer: Buffer[InboxChange]) -> None:
        self._buffer = buffer

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> InboxChange:
        return await self._buffer.get()

    def put(self, change: InboxChange, reload: Callable[[], Changed]) -> None:
        """Add a change; if the buffer is full, `reload()` replaces it and all that wait."""
        if self._buffer.full:
            self._buffer.drop(lambda _: True)
            change = reload()
        self._buffer.put(change)

    def end(self, error: Exception | None) -> None:
        """Close this reader."""
        self._buffer.end(error)


class Readers:
    """All readers of one inbox. A reader that the application drops is removed."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: WeakSet[Changes] = WeakSet()

    def __len__(self) -> int:
        return len(self._open)

    def add(self) -> Changes:
        """Another reader, of the changes from now on."""
        reader = Changes(Buffer(self._limit))
        self._open.add(reader)
        return reader

    def put(self, change: InboxChange, reload: Callable[[], Changed]) -> None:
        """Add a change to all readers. `reload` makes the change for readers that are too slow."""
        for reader in tuple(self._open):
            reader.put(change, reload)

    def end(self, error: Exception | None) -> None:
        """Close all readers."""
        for reader in tuple(self._open):
            reader.end(error)


publish(globals())
