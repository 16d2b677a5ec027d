"""Changes of an inbox for any number of readers."""

from collections.abc import Callable
from typing import Self
from weakref import WeakSet

from tidings import _publish
from tidings._listen.buffer import Buffer
from tidings._listen.events import Changed, InboxChange


class Changes:
    """What `changes()` gives, for one `async for`: `InboxChange` in order, as they arrive.

    It holds 256. Where its reader is slower, what waits is replaced by one `Changed` with `reload`. It
    ends with the inbox, and raises what ended that.
    """

    def __init__(self, buffer: Buffer[InboxChange]) -> None:
        self._buffer = buffer

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> InboxChange:
        return await self._buffer.get()

    def put(self, change: InboxChange, reload: Callable[[], Changed]) -> None:
        """Add a change."""
        if self._buffer.full:
            self._buffer.drop(lambda _: True)
            change = reload()
        self._buffer.put(change)

    def end(self, error: Exception | None) -> None:
        """Nothing comes any more."""
        self._buffer.end(error)


class Readers:
    """All readers of one inbox. One that is dropped by its application is forgotten."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: WeakSet[Changes] = WeakSet()

    def __len__(self) -> int:
        return len(self._open)

    def add(self) -> Changes:
        """Another reader, of what comes from now on."""
        reader = Changes(Buffer(self._limit))
        self._open.add(reader)
        return reader

    def put(self, change: InboxChange, reload: Callable[[], Changed]) -> None:
        """Tell all of them; `reload` is made for those who are too slow."""
        for reader in tuple(self._open):
            reader.put(change, reload)

    def end(self, error: Exception | None) -> None:
        """Nothing comes any more."""
        for reader in tuple(self._open):
            reader.end(error)


_publish(globals())
