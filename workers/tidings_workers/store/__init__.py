"""The store: Redis streams and scripts behind one face.

Every method that reaches Redis raises StorageUnavailable when it is away, and may then be
repeated. Positions are whole numbers, dense per log; times are milliseconds since the epoch.
"""

from typing import Self

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from tidings_workers.config import Settings
from tidings_workers.store.connection import Connection
from tidings_workers.store.core import Core
from tidings_workers.store.erasure import ErasedUser, Erasure
from tidings_workers.store.errors import (
    DataLost,
    IdempotencyInProgress,
    IdempotencyMismatch,
    NoUserReceipts,
    SessionRefused,
    StorageUnavailable,
    StoreError,
    StoreMismatch,
)
from tidings_workers.store.feeds import Feeds
from tidings_workers.store.groups import GroupInfo, Groups, Page
from tidings_workers.store.inbox import Inbox, InboxItem, InboxPage, InboxQuery
from tidings_workers.store.ingress import Ingress
from tidings_workers.store.marks import Change, MarkResult, Marks
from tidings_workers.store.outage import Outage
from tidings_workers.store.presence import OpenConnection, Sessions, UserPresence
from tidings_workers.store.receipts import Receipts, UserProgress
from tidings_workers.store.records import StoredNotification
from tidings_workers.store.retention import Lost, Retention
from tidings_workers.store.sends import Acceptance, Idempotency, Sends

__all__ = [
    "Acceptance",
    "Change",
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
    "OpenConnection",
    "Outage",
    "Page",
    "SessionRefused",
    "StorageUnavailable",
    "Store",
    "StoreError",
    "StoreMismatch",
    "StoredNotification",
    "UserPresence",
    "UserProgress",
]


class Store:
    """An open store.

    The methods of `Sends`, `Groups`, `Inbox`, `Marks` and `Receipts`, which the API needs, stand here
    directly; `feeds` is for a gateway and `ingress` for a dispatcher.
    """

    def __init__(self, core: Core) -> None:
        self.core = core
        sends, groups, inbox = Sends(core), Groups(core), Inbox(core)
        marks, receipts = Marks(core), Receipts(core)
        self.send = sends.send
        self.notification = sends.notification
        self.recall = sends.recall
        self.change_members = groups.change_members
        self.group = groups.group
        self.delete_group = groups.delete_group
        self.members = groups.members
        self.groups = groups.groups
        self.groups_of = groups.groups_of
        self.inbox = inbox.inbox
        self.inbox_counts = inbox.counts
        self.mark = marks.mark
        self.receipts = receipts.receipts
        self.sent = receipts.sent
        self.sessions = Sessions(core)
        self.erase = Erasure(core, groups, self.sessions).erase
        self.presence = self.sessions.presence
        self.disconnect = self.sessions.disconnect
        self.disconnect_one = self.sessions.disconnect_one
        self.feeds = Feeds(core)
        self.ingress = Ingress(core)
        self.retention = Retention(core)
        self.ping = core.ping
        self.renew_epoch = core.renew_epoch
        self.observe = core.observe
        self.probe = self.ingress.probe

    @classmethod
    async def open(cls, settings: Settings, *, name: str, outage: Outage | None = None) -> Self:
        """Open the store that `settings.redis_url` names, making it when it is new.

        `outage` is told when the store is away, and when it is back.

        Raises StorageUnavailable, or StoreMismatch when the data there is of another layout.
        """
        if settings.redis_url is None:
            message = "REDIS_URL is not set"
            raise StoreMismatch(message)
        core = Core(Connection(settings.redis_url, f"tidings-{name}", outage), settings)
        try:
            await core.open()
        except BaseException:
            await core.connection.close()
            raise
        return cls(core)

    async def close(self) -> None:
        """Finish what is under way and close the connections."""
        await self.core.connection.close()

    @property
    def epoch(self) -> str:
        """The name of the data; a new one only when some was lost."""
        return self.core.epoch

    @property
    def partitions(self) -> int:
        """How many partitions the store has."""
        return self.core.partitions

    @property
    def durability(self) -> str:
        """What an answered send truly has: `memory`, `everysec` or `always`."""
        return self.core.durability

    @property
    def secret(self) -> bytes:
        """A secret of this store, for signing cursors."""
        return self.core.secret

    @property
    def identity(self) -> str:
        """A public name of this store, by which `doctor` sees whether parts work on the same one."""
        return self.core.identity

    @property
    def redis(self) -> Redis | RedisCluster:
        """The client for commands; replies are bytes."""
        return self.core.connection.client
