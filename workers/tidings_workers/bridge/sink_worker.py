"""Writes the events of one sink to its broker: the same loop for every broker.

The position in the events moves after the broker has confirmed all events before it.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from tidings.protocol.events import EVENTS_LOST
from tidings_workers.bridge.brokers import Outgoing, SinkBroker, SinkConnection
from tidings_workers.bridge.configuration import AnySink
from tidings_workers.bridge.loop import Loop, Stopped
from tidings_workers.bridge.status import Status
from tidings_workers.logs import get_logger
from tidings_workers.store import StorageUnavailable, Store
from tidings_workers.store.event_items import Event, body_of
from tidings_workers.store.sinks import LEASE_SECONDS

# Events of one turn.
EVENTS: Final = 200
# How long one wait for events lasts; the wish is renewed after it.
WAIT_SECONDS: Final = 20.0
# A turn that is in progress at the end may take this long.
FINISH_SECONDS: Final = 5.0
CHECK_SECONDS: Final = 5.0

_log = get_logger(__name__)


class _LeaseLost(Exception):
    """Another bridge writes for the sink."""


class SinkWorker(Loop):
    """The work of one sink. `bridge` is the name of the process, which holds the lease of the sink."""

    def __init__(
        self,
        sink: AnySink,
        broker: SinkBroker,
        store: Store,
        status: Status,
        has_tenant: Callable[[], bool],
        stop: asyncio.Event,
        bridge: str,
    ) -> None:
        super().__init__(sink, status, has_tenant, stop)
        self._sink = sink
        self._broker = broker
        self._store = store
        self._bridge = bridge
        self._lease = (sink.tenant, sink.name, bridge)
        self._positions: dict[int, int] = {}
        # Ids of events behind the position that the broker has confirmed.
        self._confirmed: set[str] = set()

    async def run(self) -> None:
        """Write events until `stop` is set; then another bridge may do so at once."""
        try:
            await super().run()
        finally:
            try:
                await self._store.sinks.release(*self._lease)
            except StorageUnavailable as error:
                _log.debug("lease not released", sink=self._sink.name, reason=error.reason)

    async def _try(self) -> None:
        try:
            if await self._until_stop(self._begins()):
                await self._write()
        except _LeaseLost:
            self._confirmed.clear()
            return
        # Another bridge of the same file writes: this one is its reserve.
        self._status.works()
        await self._sleep(LEASE_SECONDS / 2)

    async def _begins(self) -> bool:
        """Wish for the events, and take the lease. Returns False when another bridge has it."""
        sink, store = self._sink, self._store
        # The wish is renewed while the broker is away, too. Before it, so that no event is between them.
        heads = await store.events.heads(sink.tenant)
        await store.events.renew(sink.tenant, f"sink/{sink.name}", sink.types)
        positions = await store.sinks.take(*self._lease, heads)
        if positions is None:
            self._confirmed.clear()
            return False
        self._positions = positions
        self._lags(heads)
        return True

    async def _write(self) -> None:
        async with self._broker.connection() as connection:
            self._status.works()
            watching = asyncio.create_task(self._watch(connection))
            try:
                while True:
                    await self._turn(connection, watching)
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self, connection: SinkConnection) -> None:
        """Renew the lease and check the connection. Raises _LeaseLost and BrokerError."""
        clock = asyncio.get_running_loop().time
        checked = clock()
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            if not await self._store.sinks.renew(*self._lease):
                raise _LeaseLost
            if clock() - checked >= CHECK_SECONDS:
                await connection.check()
                heads = await self._store.events.heads(self._sink.tenant)
                self._lags(heads)
                if any(at > heads.get(partition, 0) for partition, at in self._positions.items()):
                    # The store has older data than before: begin again at its position.
                    raise _LeaseLost
                checked = clock()

    def _lags(self, heads: Mapping[int, int]) -> None:
        self._status.lags(
            sum(max(0, head - self._positions.get(partition, 0)) for partition, head in heads.items())
        )

    async def _turn(self, connection: SinkConnection, watching: asyncio.Task[None]) -> None:
        """Write the next events, or wait for some."""
        sink, events = self._sink, self._store.events
        await self._until_stop(events.renew(sink.tenant, f"sink/{sink.name}", sink.types), watching)
        read = events.read(sink.tenant, self._positions, sink.types, EVENTS)
        batch = await self._until_stop(read, watching)
        if batch.events:
            await self._publish(connection, batch.events, watching)
        if batch.positions != self._positions:
            if not await self._store.sinks.move(*self._lease, batch.positions):
                raise _LeaseLost
            self._positions = batch.positions
            self._confirmed.clear()
        elif not batch.more:
            waiting = events.wait(sink.tenant, self._positions, WAIT_SECONDS)
            await self._until_stop(waiting, watching)

    async def _publish(
        self, connection: SinkConnection, events: list[Event], watching: asyncio.Task[None]
    ) -> None:
        """Write events. Those of one user wait for each other, so that a fault changes no order."""
        chains: dict[str, list[Event]] = {}
        for event in events:
            chains.setdefault(event.user or f"/{event.id}", []).append(event)
        writing = asyncio.create_task(self._all(connection, chains.values()))
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([writing, watching, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not writing.done() and not watching.done():
                await asyncio.wait([writing, watching], timeout=FINISH_SECONDS)
            if not writing.done():
                if watching.done():
                    watching.result()
                raise Stopped
            writing.result()
        finally:
            stopping.cancel()
            writing.cancel()
            await asyncio.gather(writing, stopping, return_exceptions=True)

    async def _all(self, connection: SinkConnection, chains: Iterable[list[Event]]) -> None:
        """Write chains at the same time. A fault of one ends no other; then the first fault is raised."""
        writing = (self._chain(connection, chain) for chain in chains)
        for outcome in await asyncio.gather(*writing, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _chain(self, connection: SinkConnection, events: list[Event]) -> None:
        for event in events:
            outgoing = self._outgoing(event)
            if outgoing.id in self._confirmed:
                continue
            await connection.publish(outgoing)
            self._confirmed.add(outgoing.id)
            self._status.accepts(1)

    def _outgoing(self, event: Event) -> Outgoing:
        identity = event.id
        if event.type == EVENTS_LOST:
            # A notice that is read again has the same id: it follows the same position.
            place = msgspec.json.encode([self._sink.tenant, sorted(self._positions.items())])
            identity = f"evt_{hashlib.sha256(place).hexdigest()[:16]}_lost"
        return Outgoing(identity, event.type, event.at, event.user, body_of(event))
