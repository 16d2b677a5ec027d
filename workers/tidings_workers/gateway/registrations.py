"""One gateway's connections in the store: registered when they attach, removed after they close.

The call that attaches a connection registers it; closed connections are removed in batches. The audit
corrects lost changes: a lost feed item that names a connection to close, or a lost last second of writes.
"""

import asyncio
import itertools
from typing import Final

import structlog

from tidings.protocol import closing
from tidings_workers.gateway.outlet import Outlet
from tidings_workers.store import StorageUnavailable, Store
from tidings_workers.store.feed_items import Kicked
from tidings_workers.store.presence import place_of

# A gateway that was silent for twice this time is considered dead; others remove its registrations.
REAP_SECONDS: Final = 60.0

_log = structlog.get_logger()


class Registrations:
    """The registrations of one gateway."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        self._parts: list[dict[str, Outlet]] = [{} for _ in range(store.partitions)]
        # Ids that the store may not have registered yet.
        self._attaching: set[str] = set()
        # Ids to remove from the store, with the base of the user's log.
        self._closed: dict[str, str] = {}
        self._storing = asyncio.Lock()
        self._turn = itertools.cycle(range(store.partitions))
        self._silent: set[str] = set()

    def add(self, identity: str, outlet: Outlet) -> None:
        """Add a connection that is about to be registered; `confirm` or `remove` follows."""
        self._of(identity)[identity] = outlet
        self._attaching.add(identity)

    def confirm(self, identity: str) -> None:
        """The store has registered the connection; `remove` follows."""
        self._attaching.discard(identity)

    def remove(self, identity: str, base: str) -> None:
        """The connection is closed, or was not attached; `flush` removes it from the store.

        `base` is that of the user's log.
        """
        self._attaching.discard(identity)
        if self._of(identity).pop(identity, None) is not None:
            self._closed[identity] = base

    async def flush(self) -> None:
        """Remove closed connections from the store. All of them are removed on return.

        On StorageUnavailable they are kept for the next call.
        """
        async with self._storing:
            closed, self._closed = self._closed, {}
            if not closed:
                return
            try:
                await self._store.sessions.remove(self._name, closed)
            except StorageUnavailable:
                self._closed |= closed
                raise

    def close(self, item: Kicked) -> None:
        """Close the connections that a feed item names."""
        for identity in item.connections:
            outlet = self._of(identity).get(identity)
            if outlet is not None:
                outlet.close(closing.CLOSE_CODES[item.code])

    async def audit(self) -> None:
        """Audit one partition per call: the next whose count differs from the store's, else that in turn."""
        counts = await self._store.sessions.counts(self._name)
        turn = next(self._turn)
        differing = [number for number, count in enumerate(counts) if count != len(self._parts[number])]
        await self._audit(next((number for number in differing if number >= turn), turn))

    async def _audit(self, partition: int) -> None:
        part = self._parts[partition]
        confirmed = [identity for identity in part if identity not in self._attaching]
        registered, closings = await self._store.sessions.registered(self._name, partition)
        for identity, code in closings.items():
            outlet = part.get(identity)
            if outlet is not None:
                outlet.close(closing.CLOSE_CODES[code])
            else:
                self._closed.setdefault(identity, "")
        for identity, base in registered.items():
            if identity not in part:
                self._closed[identity] = base
        lost = [part[identity] for identity in confirmed if identity not in registered and identity in part]
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
        silent = await self._store.sessions.silent(REAP_SECONDS)
        for gateway in before & silent.keys():
            await self._store.sessions.remove_all(gateway, silent[gateway])
        self._silent = silent.keys() - before

    def _of(self, identity: str) -> dict[str, Outlet]:
        place = place_of(identity)
        return self._parts[place[1]] if place is not None else {}
