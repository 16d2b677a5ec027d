"""The copy of all tenants and keys that every process keeps."""

import asyncio
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, Final

import msgspec

from tidings_workers.cancellation import raise_if_cancelled
from tidings_workers.logs import get_logger
from tidings_workers.origins import is_listed
from tidings_workers.registry.api_keys import Key, decode_keys
from tidings_workers.registry.changes import Commands
from tidings_workers.store.errors import UNREACHABLE, StorageUnavailable
from tidings_workers.store.keys import REGISTRY_VERSION, TENANTS, tenant_keys
from tidings_workers.store.reasons import unavailable
from tidings_workers.tenants import Tenant
from tidings_workers.webhook_endpoints import Webhook

POLL_SECONDS: Final = 0.5
REFRESH_SECONDS: Final = 0.05

_log = get_logger(__name__)


class RegistryView:
    """A process' copy of all tenants and keys, for look-ups without waiting.

    Call `load` once, then `run` in the process' TaskGroup. While Redis does not answer, the view keeps its
    last state; it is updated when Redis answers again.
    """

    def __init__(self, redis: Commands) -> None:
        self._redis: Any = redis  # redis-py's two clients share no common type
        self._version: bytes | None = None
        self._tenants: dict[str, Tenant] = {}
        self._keys: dict[tuple[str, str], Key] = {}
        self._listed: frozenset[str] | None = None
        self._hosts: tuple[str, ...] = ()
        self._webhooks: dict[str, tuple[Webhook, ...]] = {}
        self._callbacks: list[Callable[[], None]] = []
        self._loading = asyncio.Lock()
        self._refreshing = asyncio.Lock()
        self._polled_at = float("-inf")

    def tenant(self, tenant: str) -> Tenant | None:
        """The tenant, or None."""
        return self._tenants.get(tenant)

    def key(self, tenant: str, kid: str) -> Key | None:
        """The tenant's key; None for an unknown or a revoked one."""
        return self._keys.get((tenant, kid))

    @property
    def with_guests(self) -> tuple[str, ...]:
        """The tenants that allow guests."""
        return self._hosts

    @property
    def webhooks(self) -> dict[str, tuple[Webhook, ...]]:
        """The webhook endpoints of the tenants that have some."""
        return self._webhooks

    def admits(self, origin: str, tenant: str | None = None) -> bool:
        """Whether the tenant admits pages of this origin; without a tenant, whether any tenant does."""
        if tenant is None:
            return self._listed is None or is_listed(origin, self._listed)
        known = self._tenants.get(tenant)
        return known is None or known.admits(origin)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call `callback` in the event loop after every change of the view."""
        self._callbacks.append(callback)

    async def load(self) -> None:
        """Update the view now. Raises StorageUnavailable and keeps the last state when that fails."""
        try:
            changed = await self._load()
        except UNREACHABLE as error:
            raise unavailable(error, "") from error
        if changed:
            for callback in self._callbacks:
                callback()

    async def _load(self) -> bool:
        async with self._loading:
            self._polled_at = asyncio.get_running_loop().time()
            # The version is read before the data, so a change between the two is loaded at the next poll.
            version = await self._redis.get(REGISTRY_VERSION) or b""
            if version == self._version:
                return False
            tenants = {
                name.decode(): msgspec.json.decode(record, type=Tenant)
                for name, record in (await self._redis.hgetall(TENANTS)).items()
            }
            pipeline = self._redis.pipeline(transaction=False)
            for name in tenants:
                pipeline.hgetall(tenant_keys(name))
            hashes = await pipeline.execute() if tenants else []
            self._tenants = tenants
            self._listed = _listed(tenants.values())
            self._hosts = tuple(name for name, tenant in tenants.items() if tenant.guests is True)
            self._webhooks = {name: tenant.webhooks for name, tenant in tenants.items() if tenant.webhooks}
            self._keys = {
                (name, kid): key
                for name, records in zip(tenants, hashes, strict=True)
                for kid, key in decode_keys(records).items()
                if key.revoked_at is None
            }
            self._version = version
            return True

    async def refresh(self) -> None:
        """Update the view for a key that may be newer than it: at most one poll every 50 ms.

        Concurrent calls share that poll. After a failure the view keeps its last state.
        """
        clock = asyncio.get_running_loop().time
        called_at = clock()
        async with self._refreshing:
            async with self._loading:
                # A poll that began after this call is enough. One at the same time may have begun before it:
                # the loop's clock does not move during one turn of the loop.
                if self._polled_at > called_at:
                    return
            await asyncio.sleep(self._polled_at + REFRESH_SECONDS - clock())
            try:
                await self.load()
            except StorageUnavailable as error:
                _log.debug("registry not refreshed", reason=str(error))

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until `stop` is set, also through outages."""
        while not stop.is_set():
            try:
                await self.load()
            except StorageUnavailable as error:
                # The process logs an outage once, so this is for debugging only.
                _log.debug("registry not loaded", reason=error.reason, error=str(error))
            raise_if_cancelled()
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await stop.wait()
            except TimeoutError:
                continue


def _listed(tenants: Iterable[Tenant]) -> frozenset[str] | None:
    """All origins that some tenant lists; None when a tenant has no list and so admits any origin."""
    lists = [tenant.origins for tenant in tenants]
    return frozenset(chain.from_iterable(lists)) if all(lists) else None
