"""What every part of the store needs: the connection, the keys, the facts of this store."""

import asyncio
import secrets
from typing import Any, Final

import msgspec
import structlog
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import ResponseError

from tidings.protocol import limits
from tidings_workers.config import SYNCED_EVERY_SECOND, Settings
from tidings_workers.identity import identity_of
from tidings_workers.store.connection import Argument, Connection
from tidings_workers.store.errors import UNREACHABLE, StoreMismatch
from tidings_workers.store.keys import META, PARTITIONS_MAXIMUM, Keys
from tidings_workers.store.reasons import misfit
from tidings_workers.tenants import Policies

LAYOUT: Final = "2"

# A record outlives the claim of its idempotency key, or a late retry would send once more.
LEAST_RECORD_MS: Final = limits.IDEMPOTENCY_KEPT_SECONDS * 1000

_DURABILITIES: Final = ("memory", "everysec", "always")

_log = structlog.get_logger()

pack: Final = msgspec.msgpack.Encoder().encode


def text(value: Any) -> str:
    """A reply of Redis as text."""
    return value.decode() if isinstance(value, bytes) else str(value)


class Core:
    """An open store. `epoch` names its data; `partitions` is fixed for its life."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self.connection = connection
        self.settings = settings
        self.retention_ms = settings.retention_seconds * 1000
        self.policies = Policies(self.retention_ms)
        self.keys = Keys(settings.partitions)
        self.epoch = ""
        self.secret = b""
        self.identity = ""
        self.durability = "memory"
        self._warned = False

    @property
    def partitions(self) -> int:
        """How many partitions this store has."""
        return self.keys.partitions

    def record_life(self, tenant: str, category: str | None) -> int:
        """How long the record of a notification is kept, in ms; 0 for ever."""
        kept = self.policies.rules(tenant).keep(category)
        return 0 if kept is None else max(kept, LEAST_RECORD_MS)

    def run(
        self, script: str, partition: int, *arguments: Argument, durable: bool = False
    ) -> asyncio.Future[Any]:
        """Run a script in a partition; see `Connection.run`."""
        return self.connection.run(script, partition, *arguments, durable=durable)

    async def open(self) -> None:
        """Make or read the facts of the store, load the scripts, find out what durability holds."""
        try:
            await self.check_mode()
            await self._read_meta()
            await self.connection.load_scripts()
            await self.observe_durability()
        except UNREACHABLE as error:
            raise self.connection.note(error) from error

    async def check_mode(self) -> None:
        """Raise StorageUnavailable for what speaks the protocol, but is no single server."""
        if self.connection.cluster:
            return
        # A user without INFO may ask this too.
        hello = await self.connection.client.execute_command("HELLO")
        mode = {text(key): value for key, value in hello.items()}.get("mode", b"")
        if text(mode) == "cluster":
            raise self.connection.note(misfit("is-a-cluster", self.connection.url))
        if text(mode) == "sentinel":
            raise self.connection.note(misfit("sentinel", self.connection.url))

    async def _read_meta(self) -> None:
        client: Any = self.connection.client
        fresh: dict[str, str] = {
            "layout": LAYOUT,
            "partitions": str(self.settings.partitions),
            "epoch": secrets.token_hex(8),
            "secret": secrets.token_hex(32),
        }
        for field, value in fresh.items():
            await client.hsetnx(META, field, value)
        meta = await client.hgetall(META)
        layout = text(meta[b"layout"])
        if layout != LAYOUT:
            message = f"the store has layout {layout}, this version reads {LAYOUT}"
            raise StoreMismatch(message)
        partitions = int(meta[b"partitions"])
        if not 1 <= partitions <= PARTITIONS_MAXIMUM:
            message = f"the store says it has {partitions} partitions"
            raise StoreMismatch(message)
        # What the store was made with holds, whatever the settings say now.
        self.keys = Keys(partitions)
        self.epoch = text(meta[b"epoch"])
        self.secret = bytes.fromhex(text(meta[b"secret"]))
        self.identity = identity_of(self.secret)

    async def start_new_epoch(self) -> str:
        """Name the data anew, because some of it was lost: every client will be told."""
        self.epoch = secrets.token_hex(8)
        try:
            await self.connection.client.hset(META, "epoch", self.epoch)
        except UNREACHABLE as error:
            raise self.connection.note(error) from error
        return self.epoch

    async def refresh(self) -> bool:
        """Look at the facts of the store again; True when its epoch is another than before.

        A store that was emptied gets its facts, and with them a new epoch, here.
        """
        before = self.epoch
        try:
            await self._read_meta()
            await self.observe_durability()
        except UNREACHABLE as error:
            raise self.connection.note(error) from error
        return self.epoch != before

    async def observe_durability(self) -> None:
        """Set `durability` to what truly holds: what is configured, or less when the server does less."""
        held, syncs = await self._held_by_server()
        wanted = self.settings.durability
        self.connection.wait_for_fsync = (
            wanted == "always" and held == "everysec" and syncs and not self.connection.cluster
        )
        if self.connection.wait_for_fsync:
            held = "always"
        self.durability = min(wanted, held, key=_DURABILITIES.index)

    async def _held_by_server(self) -> tuple[str, bool]:
        """What the server holds by itself, and whether it is the one that syncs.

        On a cluster what all primaries hold.
        """
        client: Any = self.connection.client
        everywhere = {"target_nodes": RedisCluster.PRIMARIES} if self.connection.cluster else {}
        try:
            answer = await client.config_get("appendonly", "appendfsync", "proc-title-template", **everywhere)
        except ResponseError:
            # Hosted Redis often forbids CONFIG; INFO says only whether there is an append-only file.
            try:
                answer = await client.info("persistence", **everywhere)
            except ResponseError:
                self._warn_of_durability()
                return "memory", False
            servers = answer.values() if everywhere else [answer]
            held = all(info.get("aof_enabled") for info in servers)
            return "everysec" if held else "memory", True
        servers = answer.values() if everywhere else [answer]
        return min(map(_durability_of, servers), key=lambda found: _DURABILITIES.index(found[0]))

    def _warn_of_durability(self) -> None:
        if not self._warned:
            self._warned = True
            _log.warning(
                "durability unknown: answers say memory",
                reason="the store allows neither CONFIG GET nor INFO",
                cure="allow the user of REDIS_URL the command INFO (ACL: +info)",
            )

    async def ping(self) -> None:
        """Answer when Redis does; raises StorageUnavailable."""
        await self.connection.call("HGET", META, "epoch")


def _durability_of(configuration: dict[Any, Any]) -> tuple[str, bool]:
    facts = {text(key): text(value) for key, value in configuration.items()}
    if facts.get("appendonly") != "yes":
        return "memory", False
    if SYNCED_EVERY_SECOND in facts.get("proc-title-template", ""):
        return "everysec", False
    held = facts.get("appendfsync", "")
    return (held, True) if held in _DURABILITIES else ("memory", False)
