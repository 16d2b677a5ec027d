"""One gateway's connections in the store: registered when they attach, removed after they close.

The call that attaches a connection registers it; closed connections are removed in batches. The audit
corrects lost changes: a lost feed item that names a connection to close, or a lost last second of writes.
"""

import asyncio
import itertools
from typing import Final

from tidings.protocol import closing
from tidings_workers.gateway.outlet import Outlet
from tidings_workers.logs import get_logger
from tidings_workers.store import StorageUnavailable, Store
from tidings_workers.store.feed_items import Kicked
from tidings_workers.store.presence import place_of

# A gateway that was silent for twice this time is considered dead; others remove its registrations.
REAP_SECONDS: Final = 60.0

_log = get_logger(__name__)


class Registrations:
    """The registrations of one gateway."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self.name = name
        self._parts: list[dict[str, Outlet]] = [{} for _ in range(store.partitions)]
        # Ids that the store may not have registered yet.
        self._attaching: set[str] = set()
        # Ids to remove from the store, with the base of the user's log.
        self._closed: dict[str, str] = {}
        self._storing = asyncio.Lock()
        self._turn = itertools.cycle(range(store.partitions))
        self._silent: set[str] = set()

    def add(self, connection_id: str, outlet: Outlet) -> None:
        """Add a connection that is about to be registered; `confirm` or `remove` follows."""
        self._of(connection_id)[connection_id] = outlet
        self._attaching.add(connection_id)

    def confirm(self, connection_id: str) -> None:
        """The store has registered the connection; `remove` follows."""
        self._attaching.discard(connection_id)

    def remove(self, connection_id: str, base: str) -> None:
        """The connection is closed, or was not attached; `flush` removes it from the store.

        `base` is that of the user's log.
        """
        self._attaching.discard(connection_id)
        if self._of(connection_id).pop(connection_id, None) is not None:
            self._closed[connection_id] = base

    async def flush(self) -> None:
        """Remove closed connections from the store. All of them are removed on return.

        On StorageUnavailable they are kept for the next call.
        """
        async with self._storing:
            closed, self._closed = self._closed, {}
            if not closed:
                return
            try:
                await self._store.connections.remove(self.name, closed)
            except StorageUnavailable:
                self._closed |= closed
                raise

    def close(self, item: Kicked) -> None:
        """Close the connections that a feed item names."""
        for connection_id in item.connections:
            outlet = self._of(connection_id).get(connection_id)
            if outlet is not None:
                outlet.close(closing.CLOSE_CODES[item.code])

    async def audit(self) -> None:
        """Audit one partition per call: the next whose count differs from the store's, else that in turn."""
        counts = await self._store.connections.counts(self.name)
        turn = next(self._turn)
        differing = [number for number, count in enumerate(counts) if count != len(self._parts[number])]
        await self._audit(next((number for number in differing if number >= turn), turn))

    async def _audit(self, partition: int) -> None:
        part = self._parts[partition]
        confirmed = [connection_id for connection_id in part if connection_id not in self._attaching]
        registered, closings = await self._store.connections.registered(self.name, partition)
        for connection_id, code in closings.items():
            outlet = part.get(connection_id)
            if outlet is not None:
                outlet.close(closing.CLOSE_CODES[code])
            else:
                self._closed.setdefault(connection_id, "")
        for connection_id, base in registered.items():
            if connection_id not in part:
                self._closed[connection_id] = base
        lost = [
            part[connection_id]
            for connection_id in confirmed
            if connection_id not in registered and connection_id in part
        ]
        for outlet in lost:
            # Another gateway removed it, or the store lost it. It reconnects to be registered.
            outlet.close(closing.REBALANCED)
        if lost:
            _log.warning("connections were no longer registered", count=len(lost), partition=partition)

    async def reap(self) -> None:
        """Remove the registrations of gateways that were silent in this call and in the one before.

        One call is not enough, because after an outage all gateways have been silent.
        """
        before, self._silent = self._silent, set()
        silent = await self._store.connections.silent(REAP_SECONDS)
        for gateway in before & silent.keys():
            await self._store.connections.remove_all(gateway, silent[gateway])
        self._silent = silent.keys() - before

    def _of(self, connection_id: str) -> dict[str, Outlet]:
        place = place_of(connection_id)
        return self._parts[place[1]] if place is not None else {}
