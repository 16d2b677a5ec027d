"""Blocking reads of streams. Each reader has its own connection."""

from collections.abc import Iterable
from typing import Any, Final, Protocol, cast

from tidings_workers.store import clients
from tidings_workers.store.clients import COMMAND_SECONDS, Address
from tidings_workers.store.errors import UNREACHABLE, StorageUnavailable

StreamEntry = tuple[bytes, dict[bytes, bytes]]

BLOCK_SECONDS: Final = 2.0


class Source(Protocol):
    """The pipeline that a reader belongs to."""

    @property
    def generation(self) -> int:
        """A number that changes when earlier connections may lead to the wrong server."""

    def report_failure(self, error: BaseException) -> StorageUnavailable:
        """Count a failure and return it in words."""


class Reader:
    """Blocking reads of streams, on one connection."""

    def __init__(self, source: Source, url: str, name: str, nodes: Iterable[Address]) -> None:
        self._source = source
        self._generation = source.generation
        self._client = clients.connect(
            url, name, socket_seconds=BLOCK_SECONDS + COMMAND_SECONDS, connections=1, nodes=nodes
        )

    async def read(self, positions: dict[str, str], count: int) -> dict[str, list[StreamEntry]]:
        """Entries after these ids, by stream. Empty when none was added within two seconds.

        On a cluster all streams must be in one slot. Raises StorageUnavailable.
        """
        if self._generation != self._source.generation:
            # A replica answers reads too, so no error would show that it is one.
            self._generation = self._source.generation
            await clients.drop_connections(self._client)
        try:
            answer: dict[bytes, Any] = await cast("Any", self._client).xread(
                positions, count=count, block=int(BLOCK_SECONDS * 1000)
            )
        except UNREACHABLE as error:
            raise self._source.report_failure(error) from error
        # RESP3 wraps the entries of a stream in one more list.
        return {
            key.decode(): entries[0] if entries and isinstance(entries[0], list) else entries
            for key, entries in (answer or {}).items()
        }

    async def close(self) -> None:
        """Close the connection, also when it is broken."""
        await clients.close(self._client)
