"""The open connections of a gateway, and how all of them are closed."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final

from tidings.protocol import closing
from tidings_workers.gateway.connection import Connection

RESTART_SECONDS: Final = 2.0


class Connections:
    """Every connection from its accept to its close. Its length counts them."""

    def __init__(self) -> None:
        self._open: dict[Connection, None] = {}
        self._all_closed: asyncio.Event | None = None

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection]:
        """All connections at this moment; the loop may close them."""
        return iter(list(self._open))

    def add(self, connection: Connection) -> None:
        """A client has connected."""
        self._open[connection] = None

    def remove(self, connection: Connection) -> None:
        """The transport of a connection is closed."""
        del self._open[connection]
        if self._all_closed is not None and not self._open:
            self._all_closed.set()

    def restart(self) -> None:
        """Close all with 1012, now, so that clients reconnect."""
        for connection in self:
            connection.close(closing.RESTART)

    async def drain(self) -> None:
        """Close all with 1012. On return all are closed.

        The closes are spread over up to RESTART_SECONDS. Those that are not closed RESTART_SECONDS later are
        dropped.
        """
        leaving = list(self)
        part = max(100, len(leaving) // 20)
        for start in range(0, len(leaving), part):
            for connection in leaving[start : start + part]:
                connection.close(closing.RESTART)
            await asyncio.sleep(RESTART_SECONDS / 20 if start + part < len(leaving) else 0)
        if self._open:
            self._all_closed = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_closed.wait(), RESTART_SECONDS)
        for connection in self:
            connection.abort()
