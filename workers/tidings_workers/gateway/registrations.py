"""One gateway's connections as the store knows them: who came is registered there, who went taken out.

A connection is registered by the call that attaches it and taken out in batches. Whatever is lost on the way
- a feed that says whom to close, a write of the store's last second - an audit finds.
"""

import asyncio
import itertools
from typing import TYPE_CHECKING, Final

import structlog

from tidings.protocol import closing
from tidings_workers.store import StorageUnavailable, Store
from tidings_workers.store.feeds import Kicked
from tidings_workers.store.presence import place_of

if TYPE_CHECKING:
    from tidings_workers.gateway.connection import Connection

# A gateway that is silent for twice as long as this is dead for good, and others take out what it left.
REAP_SECONDS: Final = 60.0

_log = structlog.get_logger()


class Registrations:
    """The registrations of one gateway."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        self._parts: list[dict[str, Connection]] = [{} for _ in range(store.partitions)]
        self._ended: dict[str, str] = {}
        self._storing = asyncio.Lock()
        self._turn = itertools.cycle(range(store.partitions))
        self._silent: set[str] = set()

    def begin(self, connection: "Connection") -> None:
        """A connection with an id is about to be registered; `end` follows."""
        self._of(connection.id)[connection.id] = connection

    def end(self, connection: "Connection", base: str) -> None:
        """A connection of the user of this base is no longer there; `store` says so."""
        if self._of(connection.id).pop(connection.id, None) is not None:
            self._ended[connection.id] = base

    async def store(self) -> None:
        """Take out what ended since the last time; all of it is out on return."""
        async with self._storing:
            ended, self._ended = self._ended, {}
            if not ended:
                return
            try:
                await self._store.sessions.leave(self._name, ended)
            except StorageUnavailable:
                self._ended |= ended
                raise

    def close(self, item: Kicked) -> None:
        """Close connections that the store has let go of."""
        for identity in item.connections:
            connection = self._of(identity).get(identity)
            if connection is not None:
                connection.close(closing.CLOSE_CODES[item.code])

    async def audit(self) -> None:
        """Compare a partition with the store: one that differs in number, or the next in turn."""
        counts = await self._store.sessions.counts(self._name)
        turn = next(self._turn)
        differing = [number for number, count in enumerate(counts) if count != len(self._parts[number])]
        await self._audit(next((number for number in differing if number >= turn), turn))

    async def _audit(self, partition: int) -> None:
        part = self._parts[partition]
        # Who is still being attached may not be in the store yet.
        settled = [identity for identity, connection in part.items() if hasattr(connection, "user")]
        registered, closings = await self._store.sessions.registered(self._name, partition)
        for identity, code in closings.items():
            connection = part.get(identity)
            if connection is not None:
                connection.close(closing.CLOSE_CODES[code])
            else:
                self._ended.setdefault(identity, "")
        for identity, base in registered.items():
            if identity not in part:
                self._ended[identity] = base
        lost = [part[identity] for identity in settled if identity not in registered and identity in part]
        for connection in lost:
            # Taken for dead, or registered in what the store lost: it may come back and be registered.
            connection.close(closing.REBALANCED)
        if lost:
            _log.warning("connections were no longer registered", count=len(lost), partition=partition)

    async def reap(self) -> None:
        """Take out what dead gateways left: those silent for a minute now, and a minute ago.

        Twice, because after an outage all have been silent.
        """
        silent, self._silent = self._silent, set()
        dead = await self._store.sessions.dead(REAP_SECONDS)
        for gateway in silent & dead.keys():
            await self._store.sessions.clear(gateway, dead[gateway])
        self._silent = dead.keys() - silent

    def _of(self, identity: str) -> "dict[str, Connection]":
        place = place_of(identity)
        return self._parts[place[1]] if place is not None else {}
