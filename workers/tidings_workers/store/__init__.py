"""The store: Redis streams and scripts, as rooms of one object.

Every method that reaches Redis raises StorageUnavailable when Redis does not answer. The call may then be
repeated. Positions are whole numbers, dense per log; times are Unix milliseconds.
"""

from collections.abc import Callable
from typing import Self

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from tidings_workers.archive import Archive
from tidings_workers.config import Settings
from tidings_workers.store.acknowledging import Acknowledging
from tidings_workers.store.acting import Acting, ActResult
from tidings_workers.store.archiving import Archiving
from tidings_workers.store.bridges import Bridges
from tidings_workers.store.changes import Change
from tidings_workers.store.claims import Idempotency
from tidings_workers.store.copies import Copies
from tidings_workers.store.core import Core
from tidings_workers.store.erasure import ErasedUser, Erasure
from tidings_workers.store.errors import (
    ActionUsed,
    ConnectionLimitReached,
    DataLost,
    IdempotencyInProgress,
    IdempotencyMismatch,
    NotInInbox,
    NoUserReceipts,
    StorageUnavailable,
    StoreError,
    StoreMismatch,
    TooManyConsumers,
    UnknownAction,
)
from tidings_workers.store.events import Events
from tidings_workers.store.exports import Exports
from tidings_workers.store.feeds import Feeds
from tidings_workers.store.groups import GroupInfo, Groups
from tidings_workers.store.inbox import Inbox, InboxPage
from tidings_workers.store.inbox_items import InboxItem
from tidings_workers.store.ingress import Ingress
from tidings_workers.store.keys import Keys
from tidings_workers.store.leases import leases_of_archivers, leases_of_dispatchers
from tidings_workers.store.listing import InboxQuery
from tidings_workers.store.logs import Logs
from tidings_workers.store.marks import MarkResult, Marks
from tidings_workers.store.outage import Outage
from tidings_workers.store.paging import Page
from tidings_workers.store.pipeline import Pipeline
from tidings_workers.store.plans import Plans
from tidings_workers.store.presence import Connections, OpenConnection, UserPresence
from tidings_workers.store.reader import Reader
from tidings_workers.store.receipts import Receipts, UserProgress
from tidings_workers.store.records import StoredNotification
from tidings_workers.store.retention import Lost, Retention
from tidings_workers.store.sends import Acceptance, Sends
from tidings_workers.store.sinks import Sinks
from tidings_workers.store.snoozing import Snoozing
from tidings_workers.store.swaps import Swaps
from tidings_workers.store.tickets import Tickets
from tidings_workers.store.topics import TopicInfo, Topics
from tidings_workers.store.uses import Use
from tidings_workers.store.webhooks import Webhooks
from tidings_workers.tenants import Tenant

__all__ = [
    "Acceptance",
    "ActResult",
    "ActionUsed",
    "Change",
    "ConnectionLimitReached",
    "DataLost",
    "ErasedUser",
    "GroupInfo",
    "Idempotency",
    "IdempotencyInProgress",
    "IdempotencyMismatch",
    "InboxItem",
    "InboxPage",
    "InboxQuery",
    "Lost",
    "MarkResult",
    "NoUserReceipts",
    "NotInInbox",
    "OpenConnection",
    "Outage",
    "Page",
    "StorageUnavailable",
    "Store",
    "StoreError",
    "StoreMismatch",
    "StoredNotification",
    "TooManyConsumers",
    "TopicInfo",
    "UnknownAction",
    "Use",
    "UserPresence",
    "UserProgress",
]


class Store:
    """An open store. Each attribute is a room: one subject with its methods.

    The API uses `sends`, `groups`, `topics`, `inbox`, `marks`, `acting`, `snoozing`, `receipts`, `exports`,
    `connections` and `erasure`. A gateway uses `feeds`, `logs`, `connections`, `topics` and `retention` too,
    a dispatcher `leases`, `ingress`, `plans`, `copies`, `groups`, `logs`, `retention` and `snoozing`, a
    bridge `sends`, `bridges`, `events` and `sinks`, an archiver `archivers` and `archiving`.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self.sends = Sends(core)
        self.groups = Groups(core)
        self.inbox = Inbox(core)
        swaps = Swaps(core)
        self.marks = Marks(core, swaps)
        self.acting = Acting(core, swaps)
        self.snoozing = Snoozing(core, swaps)
        self.receipts = Receipts(core)
        self.exports = Exports(core)
        self.topics = Topics(core)
        self.tickets = Tickets(core)
        self.events = Events(core)
        self.webhooks = Webhooks(core)
        self.connections = Connections(core)
        self.erasure = Erasure(core, self.groups, self.connections)
        self.logs = Logs(core)
        self.feeds = Feeds(core)
        self.acknowledging = Acknowledging(core, self.feeds)
        self.ingress = Ingress(core)
        self.leases = leases_of_dispatchers(core)
        self.archivers = leases_of_archivers(core)
        self.archiving = Archiving(core)
        self.plans = Plans(core)
        self.copies = Copies(core)
        self.retention = Retention(core)
        self.bridges = Bridges(core)
        self.sinks = Sinks(core)

    @classmethod
    async def open(cls, settings: Settings, *, name: str, outage: Outage | None = None) -> Self:
        """Open the store that `settings.redis_url` names. A new store is created.

        Failures and recoveries are reported to `outage`.

        Raises StorageUnavailable, or StoreMismatch when the data there has another layout.
        """
        if settings.redis_url is None:
            message = "REDIS_URL is not set"
            raise StoreMismatch(message)
        core = Core(Pipeline(settings.redis_url, f"tidings-{name}", outage), settings)
        try:
            await core.open()
        except BaseException:
            await core.pipeline.close()
            raise
        return cls(core)

    async def close(self) -> None:
        """Wait for running commands, then close the connections."""
        await self._core.pipeline.close()
        if self._core.archive is not None:
            await self._core.archive.close()

    @property
    def archive(self) -> Archive | None:
        """The archive that the settings name."""
        return self._core.archive

    async def ping(self) -> None:
        """Return when Redis answers."""
        await self._core.ping()

    async def refresh(self) -> bool:
        """Read epoch and durability again. Returns whether the epoch changed.

        A store that was emptied gets a new epoch here.
        """
        return await self._core.refresh()

    async def start_new_epoch(self) -> str:
        """Give the data a new epoch after a loss, and return it. Every client then gets a notice."""
        return await self._core.start_new_epoch()

    def reader(self, name: str) -> Reader:
        """A connection of its own for blocking reads; `name` is shown in `CLIENT LIST`."""
        return self._core.pipeline.reader(name)

    def follow_policies(self, tenant: Callable[[str], Tenant | None]) -> None:
        """Use each tenant's own rules of retention, looked up by its name. Until then the default applies."""
        self._core.policies.follow(tenant)

    @property
    def keys(self) -> Keys:
        """The names of this store's logs."""
        return self._core.keys

    @property
    def is_cluster(self) -> bool:
        """Whether the store is a Redis cluster: one command then reaches one slot only."""
        return self._core.pipeline.cluster

    @property
    def epoch(self) -> str:
        """The name of the data. It changes only when data was lost."""
        return self._core.epoch

    @property
    def partitions(self) -> int:
        """How many partitions the store has."""
        return self._core.partitions

    @property
    def durability(self) -> str:
        """The durability of an answered send: `memory`, `everysec` or `always`."""
        return self._core.durability

    @property
    def secret(self) -> bytes:
        """A secret of this store, for signing cursors."""
        return self._core.secret

    @property
    def identity(self) -> str:
        """A public name of this store. `doctor` compares it to see whether two parts use the same store."""
        return self._core.identity

    @property
    def redis(self) -> Redis | RedisCluster:
        """The client for commands; replies are bytes."""
        return self._core.pipeline.client
