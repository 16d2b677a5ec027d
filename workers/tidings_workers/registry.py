"""Tenants and their keys: the operator's changes, and the view that every process keeps of them.

All of it lives in one slot of Redis (hash tag ``{tidings}``), so each change is one atomic script
that also bumps a version; the views poll that version and load everything anew when it moved.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final, Literal, TypeAlias, Unpack

import msgspec
import structlog
from msgspec import Struct
from redis.asyncio import Redis, RedisCluster

from tidings.protocol.names import TENANT_RULE, is_tenant
from tidings_workers.origins import is_listed
from tidings_workers.public_keys import InvalidPublicKey, normalise_public_key
from tidings_workers.store.errors import UNREACHABLE, StorageUnavailable
from tidings_workers.store.lua import SCRIPTS
from tidings_workers.store.reasons import unavailable
from tidings_workers.tenants import InvalidValue, RegistryError, Tenant, TenantSettings, changed

Commands: TypeAlias = "Redis | RedisCluster"
Algorithm = Literal["HS256", "RS256", "ES256", "EdDSA"]

SERVER_SCOPES: Final = ("send", "read", "groups", "users", "tokens", "tenant")
INBOX_SCOPE: Final = "inbox"
SCOPES: Final = (*SERVER_SCOPES, INBOX_SCOPE)

POLL_SECONDS: Final = 0.5
REFRESH_SECONDS: Final = 0.05

_TENANTS: Final = "{tidings}/tenants"
_COUNTERS: Final = "{tidings}/key-counters"
_VERSION: Final = "{tidings}/registry-version"
_SWAP_TRIES: Final = 10

_log = structlog.get_logger(__name__)


# A key's name is a note for people: one line that a terminal shows as it is.
KEY_NAME_CHARACTERS: Final = 100


class TenantExists(RegistryError):
    """There is a tenant of this id already."""


class NameKeepsData(RegistryError):
    """The store may hold data of a deleted tenant of this id."""


class Key(Struct, frozen=True, kw_only=True):
    """One key of a tenant, secrets included: never answer or log it, see `KeyInfo`.

    `secret` is the HMAC key's ASCII text (HS256), `public_key` a PEM text (all others), and
    `token_secret` the HMAC key of the user tokens that the server makes on this key's authority. `name`
    is the operator's note.
    """

    kid: str = ""
    name: str = ""
    alg: Algorithm
    secret: str | None = None
    public_key: str | None = None
    token_secret: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None = None


class KeyInfo(Struct, frozen=True, kw_only=True):
    """What may be told about a key."""

    kid: str
    name: str
    alg: Algorithm
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


class Registry:
    """The operator's side: every method is one atomic change, seen by all views within a second.

    Methods raise RegistryError for what can't be done and redis' own errors when the store is away.
    """

    def __init__(self, redis: Commands) -> None:
        self._redis: Any = redis  # redis-py's two clients share no common type

    async def create_tenant(self, tenant: str, **settings: Unpack[TenantSettings]) -> Tenant:
        """A new tenant without keys; TenantExists when the id is taken.

        Raises NameKeepsData for the id of a deleted tenant that ever had a key: its data are still
        stored. Without a key nothing can have been stored.
        """
        if not is_tenant(tenant):
            raise InvalidValue(f"a tenant's id is {TENANT_RULE}, not {tenant!r}")
        record = changed(Tenant(id=tenant, created_at=_now()), settings)
        keys = (_TENANTS, _COUNTERS, _VERSION)
        outcome = await self._redis.eval(
            SCRIPTS["registry_create_tenant"], len(keys), *keys, tenant, msgspec.json.encode(record)
        )
        if outcome == b"exists":
            raise TenantExists(f"there is a tenant {tenant!r} already")
        if outcome == b"kept":
            raise NameKeepsData(f"the store keeps data of an earlier tenant {tenant!r}: choose another name")
        return record

    async def update_tenant(self, tenant: str, **settings: Unpack[TenantSettings]) -> Tenant:
        """Changes the settings that are named; every process knows within a second."""
        for _ in range(_SWAP_TRIES):
            before = await self._redis.hget(_TENANTS, tenant)
            if before is None:
                raise _no_tenant(tenant)
            after = changed(msgspec.json.decode(before, type=Tenant), settings)
            if await self._swap(_TENANTS, tenant, before, msgspec.json.encode(after)):
                return after
        raise RegistryError(f"tenant {tenant!r} is being changed by others: try again")

    async def list_tenants(self) -> list[Tenant]:
        """All tenants by id."""
        records = (await self._redis.hgetall(_TENANTS)).values()
        return sorted((msgspec.json.decode(r, type=Tenant) for r in records), key=lambda each: each.id)

    async def delete_tenant(self, tenant: str) -> None:
        """Takes the tenant and its keys away: its tokens and sockets end within 2 s.

        Its data stay in the store, so its id can't be given to a new tenant: see `create_tenant`.
        """
        keys = (_TENANTS, _keys_of(tenant), _VERSION)
        if not await self._redis.eval(SCRIPTS["registry_delete_tenant"], len(keys), *keys, tenant):
            raise _no_tenant(tenant)

    async def create_key(
        self,
        tenant: str,
        scopes: Iterable[str] | None = None,
        public_key: str | None = None,
        alg: str | None = None,
        name: str = "",
    ) -> str:
        """A new key with these scopes (all of them unless told otherwise) and this note.

        Without a `public_key` it is an HS256 key and the answer the one string
        ``<tenant>.<kid>.<secret>`` that is never shown again. With a `public_key` (PEM) and its `alg`
        the answer is ``<tenant>.<kid>``: what the signer puts into `iss` and `kid`.
        """
        record = msgspec.structs.replace(_new_key(_scopes(scopes), public_key, alg), name=_key_name(name))
        keys = (_TENANTS, _keys_of(tenant), _COUNTERS, _VERSION)
        kid = (
            await self._redis.eval(
                SCRIPTS["registry_create_key"], len(keys), *keys, tenant, msgspec.json.encode(record)
            )
        ).decode()
        if not kid:
            raise _no_tenant(tenant)
        return f"{tenant}.{kid}" if record.secret is None else f"{tenant}.{kid}.{record.secret}"

    async def list_keys(self, tenant: str) -> list[KeyInfo]:
        """The tenant's keys, oldest first, the revoked ones too, and no secret."""
        if not await self._redis.hexists(_TENANTS, tenant):
            raise _no_tenant(tenant)
        return [
            KeyInfo(
                kid=key.kid,
                name=key.name,
                alg=key.alg,
                scopes=key.scopes,
                created_at=key.created_at,
                revoked_at=key.revoked_at,
            )
            for key in await self._keys(tenant)
        ]

    async def revoke_key(self, tenant: str, kid: str) -> None:
        """Ends the key, all tokens that rest on it and their sockets within 2 s; idempotent."""
        for _ in range(_SWAP_TRIES):
            before = await self._redis.hget(_keys_of(tenant), kid)
            if before is None:
                raise RegistryError(f"tenant {tenant!r} has no key {kid!r}")
            key = msgspec.json.decode(before, type=Key)
            if key.revoked_at is not None:
                return
            after = msgspec.json.encode(msgspec.structs.replace(key, revoked_at=_now()))
            if await self._swap(_keys_of(tenant), kid, before, after):
                return
        raise RegistryError(f"key {kid!r} is being changed by others: try again")

    async def signing_key(self, tenant: str, scopes: Iterable[str] = ()) -> Key | None:
        """The newest key that the server can sign a token of these scopes with; see `signing_keys`."""
        wanted = set(scopes)
        fit = [key for key in await self.signing_keys(tenant) if wanted <= set(key.scopes)]
        return fit[-1] if fit else None

    async def signing_keys(self, tenant: str) -> list[Key]:
        """The live keys whose secret the server has (HS256), oldest first, for operator's tokens."""
        return [key for key in await self._keys(tenant) if key.secret is not None and key.revoked_at is None]

    async def _keys(self, tenant: str) -> list[Key]:
        return sorted(
            _decode_keys(await self._redis.hgetall(_keys_of(tenant))).values(),
            key=lambda key: int(key.kid[1:]),
        )

    async def _swap(self, key: str, field: str, before: bytes, after: bytes) -> bool:
        return bool(await self._redis.eval(SCRIPTS["registry_swap"], 2, key, _VERSION, field, before, after))


class RegistryView:
    """A process' own copy of all tenants and keys, for synchronous look-ups.

    `load` once, then `run` under the process' TaskGroup. While Redis is away the last state goes on
    being served; it is caught up by itself afterwards.
    """

    def __init__(self, redis: Commands) -> None:
        self._redis: Any = redis
        self._version: bytes | None = None
        self._tenants: dict[str, Tenant] = {}
        self._keys: dict[tuple[str, str], Key] = {}
        self._listed: frozenset[str] | None = None
        self._callbacks: list[Callable[[], None]] = []
        self._loading = asyncio.Lock()
        self._refreshing = asyncio.Lock()
        self._looked_at = float("-inf")

    def tenant(self, tenant: str) -> Tenant | None:
        """The tenant, or None."""
        return self._tenants.get(tenant)

    def key(self, tenant: str, kid: str) -> Key | None:
        """The tenant's key, or None when there is none or it is revoked."""
        return self._keys.get((tenant, kid))

    def admits(self, origin: str, tenant: str | None = None) -> bool:
        """Whether the tenant lets pages of this origin in; without a tenant, whether any does."""
        if tenant is None:
            return self._listed is None or is_listed(origin, self._listed)
        known = self._tenants.get(tenant)
        return known is None or known.admits(origin)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Has `callback` called in the event loop after every change of the view."""
        self._callbacks.append(callback)

    async def load(self) -> None:
        """Brings the view up to date now, or raises StorageUnavailable and leaves it as it was."""
        try:
            changed = await self._load()
        except UNREACHABLE as error:
            raise unavailable(error, "") from error
        if changed:
            for callback in self._callbacks:
                callback()

    async def _load(self) -> bool:
        async with self._loading:
            self._looked_at = asyncio.get_running_loop().time()
            # The version is read before the data: what changes in between is loaded again next time.
            version = await self._redis.get(_VERSION) or b""
            if version == self._version:
                return False
            tenants = {
                name.decode(): msgspec.json.decode(record, type=Tenant)
                for name, record in (await self._redis.hgetall(_TENANTS)).items()
            }
            pipeline = self._redis.pipeline(transaction=False)
            for name in tenants:
                pipeline.hgetall(_keys_of(name))
            hashes = await pipeline.execute() if tenants else []
            self._tenants = tenants
            self._listed = _listed(tenants.values())
            self._keys = {
                (name, kid): key
                for name, records in zip(tenants, hashes, strict=True)
                for kid, key in _decode_keys(records).items()
                if key.revoked_at is None
            }
            self._version = version
            return True

    async def refresh(self) -> None:
        """As `load`, for a key that may be newer than the view: one look at most every 50 ms.

        All who wait share that look; an error leaves the view as it was.
        """
        clock = asyncio.get_running_loop().time
        asked = clock()
        async with self._refreshing:
            async with self._loading:
                # A look that had begun is done. One of the same time may have begun too early: the loop's
                # clock stands still for as long as a turn of it takes.
                if self._looked_at > asked:
                    return
            await asyncio.sleep(self._looked_at + REFRESH_SECONDS - clock())
            try:
                await self.load()
            except StorageUnavailable as error:
                _log.debug("registry not refreshed", reason=str(error))

    async def run(self, stop: asyncio.Event) -> None:
        """Follows the registry until `stop` is set, outages included."""
        while not stop.is_set():
            try:
                await self.load()
            except StorageUnavailable as error:
                # The part says once that the store is away; this task of it need not.
                _log.debug("registry not loaded", reason=error.reason, error=str(error))
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await stop.wait()
            except TimeoutError:
                continue


def _keys_of(tenant: str) -> str:
    return f"{{tidings}}/keys/{tenant}"


def _decode_keys(records: dict[bytes, bytes]) -> dict[str, Key]:
    keys = {}
    for kid, record in records.items():
        name = kid.decode()
        keys[name] = msgspec.structs.replace(msgspec.json.decode(record, type=Key), kid=name)
    return keys


def _listed(tenants: Iterable[Tenant]) -> frozenset[str] | None:
    """All origins that some tenant lists; None when there is a tenant without a list, which lets any in."""
    lists = [tenant.origins for tenant in tenants]
    return frozenset(chain.from_iterable(lists)) if all(lists) else None


def _new_key(scopes: tuple[str, ...], public_key: str | None, alg: str | None) -> Key:
    token_secret = secrets.token_urlsafe(32)
    if public_key is None:
        if alg not in {None, "HS256"}:
            raise InvalidValue(f"an {alg} key is registered with its public half, and none was given")
        return Key(
            alg="HS256",
            secret=secrets.token_urlsafe(32),
            token_secret=token_secret,
            scopes=scopes,
            created_at=_now(),
        )
    if alg is None:
        raise InvalidValue("a public key needs its alg: RS256, ES256 or EdDSA")
    try:
        pem = normalise_public_key(public_key, alg)
    except InvalidPublicKey as error:
        raise RegistryError(str(error)) from error
    return Key(
        alg=msgspec.convert(alg, Algorithm),
        public_key=pem,
        token_secret=token_secret,
        scopes=scopes,
        created_at=_now(),
    )


def _scopes(scopes: Iterable[str] | None) -> tuple[str, ...]:
    wanted = SCOPES if scopes is None else tuple(dict.fromkeys(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        named = ", ".join(map(repr, unknown)) or "an empty list"
        raise InvalidValue(f"scopes are {', '.join(SCOPES)}, not {named}")
    return wanted


def _key_name(name: str) -> str:
    if len(name) > KEY_NAME_CHARACTERS or not name.isprintable():
        raise InvalidValue(f"a key's name is one line of up to {KEY_NAME_CHARACTERS} characters")
    return name.strip()


def _no_tenant(tenant: str) -> RegistryError:
    return RegistryError(f"there is no tenant {tenant!r}")


def _now() -> datetime:
    return datetime.now(UTC)
