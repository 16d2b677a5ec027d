"""Shares the requests of a dispatcher among tenants, and those of a tenant among its endpoints."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from tidings_workers.slots import Slots

TOTAL: Final = 1_024
PER_TENANT: Final = 256
PER_ENDPOINT: Final = 16


class Budget:
    """Requests in progress. An endpoint whose last try failed has one at a time."""

    def __init__(self) -> None:
        self._tenants = Slots(TOTAL, PER_TENANT)
        self._endpoints: dict[str, Slots] = {}
        self._failing: set[str] = set()
        self._single = Slots(TOTAL, 1)

    def failed(self, endpoint: str) -> None:
        """The last try of an endpoint failed."""
        self._failing.add(endpoint)

    def recovered(self, endpoint: str) -> None:
        """The last try of an endpoint succeeded."""
        self._failing.discard(endpoint)

    @asynccontextmanager
    async def slot(self, tenant: str, endpoint: str) -> AsyncIterator[None]:
        """A slot of the endpoint, then of the tenant, each after the earlier callers."""
        slots = self._endpoints.get(tenant)
        if slots is None:
            slots = self._endpoints[tenant] = Slots(PER_TENANT, PER_ENDPOINT)
        single = endpoint in self._failing
        if single:
            await self._single.acquire(endpoint)
            if endpoint not in self._failing:
                self._single.release(endpoint)
                single = False
        try:
            await slots.acquire(endpoint)
            try:
                await self._tenants.acquire(tenant)
                try:
                    yield
                finally:
                    self._tenants.release(tenant)
            finally:
                slots.release(endpoint)
        finally:
            if single:
                self._single.release(endpoint)
