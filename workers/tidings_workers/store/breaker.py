"""The circuit breaker of the store: open from a failure of the server until a probe is answered."""

import asyncio
from collections.abc import Callable
from typing import Final

from tidings_workers import metrics
from tidings_workers.store import clients
from tidings_workers.store.clients import Client
from tidings_workers.store.errors import StorageUnavailable
from tidings_workers.store.outage import Outage
from tidings_workers.store.reasons import WRONG_SERVER

PAUSE_SECONDS: Final = 0.2
"""The time between a failure and the probe of the server."""


class Breaker:
    """Whether calls may reach the server.

    While it is open, `failure` is set and its owner refuses every call with it, so that no caller waits for a
    second timeout. Opening drops every connection, because the address may lead to another server by now.
    """

    def __init__(self, client: Client, outage: Outage, probe: Callable[[], None]) -> None:
        self.failure: StorageUnavailable | None = None
        # Readers connect again after it has changed.
        self.generation = 0
        self._client = client
        self._outage = outage
        self._probe = probe
        self._stopped = False
        self._timer: asyncio.TimerHandle | None = None
        self._dropping: asyncio.Task[None] | None = None

    def open(self, failure: StorageUnavailable) -> None:
        """Set `failure`, drop the connections, and call `probe` after a pause."""
        metrics.STORE_ERRORS.inc()
        self._outage.failed(failure)
        self.failure = failure
        self.generation += 1
        loop = asyncio.get_running_loop()
        if self._dropping is None or self._dropping.done():
            self._dropping = loop.create_task(clients.drop_connections(self._client))
        if self._timer is not None:
            self._timer.cancel()
        if not self._stopped:
            self._timer = loop.call_later(PAUSE_SECONDS, self._probe)

    async def answered(self, *, probe: bool) -> None:
        """Close the breaker after an answer, if that answer shows a primary.

        A replica answers reads too: after a failure of that kind only the answer of a probe counts.
        """
        if self.failure is not None and (probe or self.failure.reason not in WRONG_SERVER):
            # Some connections made since the failure may still lead to the old server.
            self.generation += 1
            await clients.drop_connections(self._client)
            self.failure = None

    def stop(self) -> None:
        """Probe no more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    async def wait_dropped(self) -> None:
        """Return when no connections are being dropped."""
        if self._dropping is not None:
            await asyncio.wait([self._dropping])
