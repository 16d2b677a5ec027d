"""Changes of tenants and keys by the operator."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, Unpack

import msgspec
from redis.asyncio import Redis, RedisCluster

from tidings.protocol.names import TENANT_RULE, is_tenant
from tidings_workers.registry.api_keys import Key, KeyInfo, decode_keys, info_of, new_key
from tidings_workers.store.keys import KEY_COUNTERS, REGISTRY_VERSION, TENANTS, tenant_keys
from tidings_workers.store.lua import SCRIPTS
from tidings_workers.tenants import InvalidValue, RegistryError, Tenant, TenantSettings, changed
from tidings_workers.webhook_endpoints import Webhook

Commands: TypeAlias = "Redis | RedisCluster"

_SWAP_TRIES: Final = 10


class TenantExists(RegistryError):
    """There is a tenant of this id already."""


class NameKeepsData(RegistryError):
    """The store may hold data of a deleted tenant of this id."""


class Registry:
    """Tenants and keys in Redis. Each change is atomic, and every process sees it within a second.

    Methods raise RegistryError for a change that is not possible, and the errors of redis when Redis does
    not answer.
    """

    def __init__(self, redis: Commands) -> None:
        self._redis: Any = redis  # redis-py's two clients share no common type

    async def create_tenant(self, tenant: str, **settings: Unpack[TenantSettings]) -> Tenant:
        """Create a tenant without keys.

        Raises TenantExists when the id is taken, and NameKeepsData for the id of a deleted tenant that had
        a key: its data are still stored. Without a key no data can have been stored.
        """
        if not is_tenant(tenant):
            raise InvalidValue(f"a tenant's id is {TENANT_RULE}, not {tenant!r}")
        record = changed(Tenant(id=tenant, created_at=datetime.now(UTC), guests=False), settings)
        keys = (TENANTS, KEY_COUNTERS, REGISTRY_VERSION)
        outcome = await self._run("registry_create_tenant", keys, tenant, msgspec.json.encode(record))
        if outcome == b"exists":
            raise TenantExists(f"there is a tenant {tenant!r} already")
        if outcome == b"kept":
            raise NameKeepsData(f"the store keeps data of an earlier tenant {tenant!r}: choose another name")
        return record

    async def update_tenant(self, tenant: str, **settings: Unpack[TenantSettings]) -> Tenant:
        """Change the settings that are named, and keep the others."""
        for _ in range(_SWAP_TRIES):
            before = await self._redis.hget(TENANTS, tenant)
            if before is None:
                raise _no_tenant(tenant)
            after = changed(msgspec.json.decode(before, type=Tenant), settings)
            if await self._swap(TENANTS, tenant, before, msgspec.json.encode(after)):
                return after
        raise RegistryError(f"tenant {tenant!r} is being changed by others: try again")

    async def change_webhooks(
        self, tenant: str, change: Callable[[tuple[Webhook, ...]], tuple[Webhook, ...]]
    ) -> tuple[Webhook, ...]:
        """Replace the webhook endpoints by those that `change` makes of them; it may be called again."""
        for _ in range(_SWAP_TRIES):
            before = await self._redis.hget(TENANTS, tenant)
            if before is None:
                raise _no_tenant(tenant)
            record = msgspec.json.decode(before, type=Tenant)
            webhooks = change(record.webhooks)
            after = msgspec.json.encode(msgspec.structs.replace(record, webhooks=webhooks))
            if after == before or await self._swap(TENANTS, tenant, before, after):
                return webhooks
        raise RegistryError(f"tenant {tenant!r} is being changed by others: try again")

    async def tenant(self, tenant: str) -> Tenant | None:
        """The tenant as it is stored now, or None."""
        record = await self._redis.hget(TENANTS, tenant)
        return msgspec.json.decode(record, type=Tenant) if record is not None else None

    async def list_tenants(self) -> list[Tenant]:
        """All tenants, sorted by id."""
        records = (await self._redis.hgetall(TENANTS)).values()
        return sorted((msgspec.json.decode(r, type=Tenant) for r in records), key=lambda each: each.id)

    async def delete_tenant(self, tenant: str) -> None:
        """Remove the tenant and its keys. Its tokens expire and its sockets close within 2 s.

        Its data stay in the store, so no new tenant can have its id: see `create_tenant`.
        """
        if not await self._run(
            "registry_delete_tenant", (TENANTS, tenant_keys(tenant), REGISTRY_VERSION), tenant
        ):
            raise _no_tenant(tenant)

    async def was_deleted(self, tenant: str) -> bool:
        """Whether there was a tenant of this id, with a key, that was deleted."""
        had_keys = await self._redis.hexists(KEY_COUNTERS, tenant)
        return bool(had_keys) and not await self._redis.hexists(TENANTS, tenant)

    async def create_key(
        self,
        tenant: str,
        scopes: Iterable[str] | None = None,
        public_key: str | None = None,
        alg: str | None = None,
        name: str = "",
    ) -> str:
        """Create a key with these scopes (default: all of them) and this note.

        Without a `public_key` it is an HS256 key, and the answer is ``<tenant>.<kid>.<secret>``; the secret
        is never shown again. With a `public_key` (PEM) and its `alg` the answer is ``<tenant>.<kid>``, from
        which the signer takes `iss` and `kid`.
        """
        record = new_key(scopes, public_key, alg, name)
        keys = (TENANTS, tenant_keys(tenant), KEY_COUNTERS, REGISTRY_VERSION)
        kid = (await self._run("registry_create_key", keys, tenant, msgspec.json.encode(record))).decode()
        if not kid:
            raise _no_tenant(tenant)
        return f"{tenant}.{kid}" if record.secret is None else f"{tenant}.{kid}.{record.secret}"

    async def list_keys(self, tenant: str) -> list[KeyInfo]:
        """The tenant's keys without their secrets, the oldest first, revoked keys included."""
        if not await self._redis.hexists(TENANTS, tenant):
            raise _no_tenant(tenant)
        return [info_of(key) for key in await self._keys(tenant)]

    async def revoke_key(self, tenant: str, kid: str) -> None:
        """Revoke a key. Its tokens expire and their sockets close within 2 s; idempotent."""
        key_hash = tenant_keys(tenant)
        for _ in range(_SWAP_TRIES):
            before = await self._redis.hget(key_hash, kid)
            if before is None:
                raise RegistryError(f"tenant {tenant!r} has no key {kid!r}")
            key = msgspec.json.decode(before, type=Key)
            if key.revoked_at is not None:
                return
            after = msgspec.json.encode(msgspec.structs.replace(key, revoked_at=datetime.now(UTC)))
            if await self._swap(key_hash, kid, before, after):
                return
        raise RegistryError(f"key {kid!r} is being changed by others: try again")

    async def signing_key(self, tenant: str, scopes: Iterable[str] = ()) -> Key | None:
        """The newest of the `signing_keys` that has all these scopes."""
        wanted = set(scopes)
        fit = [key for key in await self.signing_keys(tenant) if wanted <= set(key.scopes)]
        return fit[-1] if fit else None

    async def signing_keys(self, tenant: str) -> list[Key]:
        """The keys with which the server can sign tokens: HS256 and not revoked, the oldest first."""
        return [key for key in await self._keys(tenant) if key.secret is not None and key.revoked_at is None]

    async def _keys(self, tenant: str) -> list[Key]:
        return sorted(
            decode_keys(await self._redis.hgetall(tenant_keys(tenant))).values(),
            key=lambda key: int(key.kid[1:]),
        )

    async def _swap(self, key: str, field: str, before: bytes, after: bytes) -> bool:
        return bool(await self._run("registry_swap", (key, REGISTRY_VERSION), field, before, after))

    async def _run(self, script: str, keys: tuple[str, ...], *arguments: str | bytes) -> Any:
        return await self._redis.eval(SCRIPTS[script], len(keys), *keys, *arguments)


def _no_tenant(tenant: str) -> RegistryError:
    return RegistryError(f"there is no tenant {tenant!r}")
