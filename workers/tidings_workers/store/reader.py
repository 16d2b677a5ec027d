"""Blocking reads of streams. Each reader has its own connection.

A gateway repeats the same read after each notification, so the packed words of the command are kept.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Protocol, cast

from redis.asyncio import Redis

from tidings_workers.store import clients
from tidings_workers.store.clients import Address
from tidings_workers.store.connections import COMMAND_SECONDS
from tidings_workers.store.errors import UNREACHABLE, StorageUnavailable
from tidings_workers.store.round_trips import Argument, RoundTrips, packed

StreamEntry = tuple[bytes, dict[bytes, bytes]]

BLOCK_SECONDS: Final = 2.0

_BLOCK_MS: Final = int(BLOCK_SECONDS * 1000)


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
        # None on a cluster, where redis-py finds the node of the streams.
        self._round_trips = (
            RoundTrips(self._client.connection_pool) if isinstance(self._client, Redis) else None
        )

    async def read(self, positions: Mapping[str, str], count: int) -> dict[str, list[StreamEntry]]:
        """Entries after these ids, by stream. Empty when none was added within two seconds.

        On a cluster all streams must be in one slot. Raises StorageUnavailable.
        """
        if self._generation != self._source.generation:
            # A replica answers reads too, so no error would show that it is one.
            self._generation = self._source.generation
            await clients.drop_connections(self._client)
        try:
            if self._round_trips is None:
                return await self._read_cluster(positions, count)
            command = _packed_words(tuple(positions), count) + b"".join(map(_packed_id, positions.values()))
            (answer,) = await self._round_trips.run(command, 1)
            if isinstance(answer, BaseException):
                raise answer
        except UNREACHABLE as error:
            raise self._source.report_failure(error) from error
        return {key.decode(): [*_entries(rows)] for key, rows in _pairs(answer or ())}

    async def _read_cluster(self, positions: Mapping[str, str], count: int) -> dict[str, list[StreamEntry]]:
        client = cast("Any", self._client)
        answer = await client.xread(positions, count=count, block=_BLOCK_MS)
        # RESP3 wraps the entries of a stream in one more list.
        return {
            key.decode(): entries[0] if entries and isinstance(entries[0], list) else entries
            for key, entries in (answer or {}).items()
        }

    async def close(self) -> None:
        """Close the connection, also when it is broken."""
        await clients.close(self._client)


@lru_cache(maxsize=64)
def _packed_words(streams: tuple[str, ...], count: int) -> bytes:
    """A read without its ids, which follow."""
    words: list[Argument] = ["XREAD", "COUNT", count, "BLOCK", _BLOCK_MS, "STREAMS", *streams]
    return b"*%d\r\n" % (len(words) + len(streams)) + packed(words)


@lru_cache(maxsize=1024)
def _packed_id(entry_id: str) -> bytes:
    return packed([entry_id])


def _entries(rows: Sequence[Any]) -> Iterator[StreamEntry]:
    """The entries of one stream."""
    for entry_id, fields in rows:
        yield entry_id, dict(_pairs(fields))


def _pairs(reply: Any) -> Iterable[tuple[Any, Any]]:
    """A map of a reply: a dictionary, or in RESP2 a list of pairs, or a flat list."""
    if isinstance(reply, dict):
        return reply.items()
    if reply and isinstance(reply[0], list):
        return reply  # type: ignore[no-any-return]
    return zip(reply[::2], reply[1::2], strict=True)
