"""Redis keys and partitions. Keys are built only here and in the Lua scripts; docs/redis.md lists them all.

A key begins with the hash tag of its partition, ``{p<k>}``: all keys of one partition are in one slot of a
cluster, so one script call may touch them all. Keys without a partition (tenants, heartbeats, facts of the
store) begin with ``{tidings}``. The parts of a key are separated by ``/``, which no tenant, user, group or
id contains, so two different things never share a key. A topic contains it; keys have ``%2F`` instead.

A *base* is a key without its hash tag. Scripts get the tag as ``KEYS[1]`` and the base as an argument.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple
from zlib import crc32

from tidings.protocol.names import log_of_group, log_of_topic
from tidings_workers.store.bases import SLASH, parse_base
from tidings_workers.store.key_parts import LogPart, PartitionPart, RecordPart

LAYOUT: Final = "3"
"""The version of all keys and their values, in `META`. A process refuses a store with another one.

CONTRIBUTING.md says when to raise it. `migration.py` takes over the previous layout.
"""

PARTITIONS_MAXIMUM: Final = 4096

META: Final = "{tidings}/meta"
GATEWAYS: Final = "{tidings}/gateways"
DISPATCHERS: Final = "{tidings}/dispatchers"
ARCHIVERS: Final = "{tidings}/archivers"
BRIDGES: Final = "{tidings}/bridges"
TENANTS: Final = "{tidings}/tenants"
KEY_COUNTERS: Final = "{tidings}/key-counters"
REGISTRY_VERSION: Final = "{tidings}/registry-version"


def tag(partition: int) -> str:
    """The hash tag of a partition; every key of the partition begins with it."""
    return f"{{p{partition}}}"


def key_of(partition: int, base: str) -> str:
    """The key of a base."""
    return f"{{p{partition}}}/{base}"


@lru_cache(maxsize=65_536)
def partition_of(tenant: str, name: str, partitions: int) -> int:
    """The partition of a user or group by its id, of a topic, or of a tenant's all-log (`name` empty)."""
    return _partition_of_once(tenant, name, partitions)


def _partition_of_once(tenant: str, name: str, partitions: int) -> int:
    """The same for a name that is used once, which would take the place of another one in the cache."""
    return crc32(f"{tenant}/{name}".encode()) % partitions


class Log(NamedTuple):
    """One log.

    `name` is its name in frames: ``user``, ``all``, ``group:<id>`` or ``topic:<name>``. `group` is the id of
    the group, `topic` the name of the topic; None for other logs.
    """

    base: str
    partition: int
    name: str
    tenant: str
    group: str | None = None
    topic: str | None = None

    @property
    def is_own(self) -> bool:
        """Whether it is the log of one user."""
        return self.name == "user"

    @property
    def root(self) -> str:
        """The key of the hash with the numbers of the log, such as its head."""
        return f"{{p{self.partition}}}/{self.base}"

    def key(self, part: LogPart, name: str = "") -> str:
        """The key of a part, such as ``holes``. Some parts have a key per name, such as ``in/<category>``."""
        return f"{{p{self.partition}}}/{self.base}/{part}" + (f"/{name}" if name else "")


# A member of a thousand groups needs the logs of all of them at each look at the inbox.
@lru_cache(maxsize=65_536)
def _log_of_group(tenant: str, group: str, partitions: int) -> Log:
    partition = partition_of(tenant, group, partitions)
    return Log(f"g/{tenant}/{group}", partition, log_of_group(group), tenant, group)


class Keys:
    """Makes the logs and claims of a store with this number of partitions, and finds logs by their bases."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions

    def user(self, tenant: str, user: str) -> Log:
        """The log of one user."""
        return Log(f"u/{tenant}/{user}", partition_of(tenant, user, self.partitions), "user", tenant)

    def group(self, tenant: str, group: str) -> Log:
        """The log of one group."""
        return _log_of_group(tenant, group, self.partitions)

    def groups(self, tenant: str, groups: Iterable[str]) -> list[Log]:
        """The logs of groups, in order."""
        partitions = self.partitions
        return [_log_of_group(tenant, group, partitions) for group in groups]

    def topic(self, tenant: str, topic: str) -> Log:
        """The log of one topic."""
        partition = partition_of(tenant, topic, self.partitions)
        base = f"t/{tenant}/{topic.replace('/', SLASH)}"
        return Log(base, partition, log_of_topic(topic), tenant, topic=topic)

    def all(self, tenant: str) -> Log:
        """The log of the sends to all of a tenant."""
        return Log(f"a/{tenant}", partition_of(tenant, "", self.partitions), "all", tenant)

    def of(self, base: str) -> Log:
        """The log of a base."""
        kind, tenant, name = parse_base(base)
        if kind in ("u", "t"):
            return (self.user if kind == "u" else self.topic)(tenant, name)
        return self.group(tenant, name) if kind == "g" else self.all(tenant)

    def planned(self, tenant: str, name: str) -> Log:
        """The log of a name in a plan: a user, or a topic with a slash before it."""
        return self.topic(tenant, name[1:]) if name.startswith("/") else self.user(tenant, name)

    def claim(self, tenant: str, key: str) -> tuple[int, str]:
        """Partition and base of the claim of an idempotency key: by its digest, as a key may contain `/`."""
        digest = blake2b(key.encode(), digest_size=16).hexdigest()
        return _partition_of_once(tenant, digest, self.partitions), f"i/{tenant}/{digest}"


class Record(NamedTuple):
    """The place of a notification's record."""

    partition: int
    tenant: str
    id: str

    @property
    def base(self) -> str:
        """The base of the record."""
        return f"n/{self.tenant}/{self.id}"

    @property
    def root(self) -> str:
        """The key of the record itself."""
        return key_of(self.partition, self.base)

    def key(self, part: RecordPart) -> str:
        """The key of a part, such as ``plan``."""
        return f"{self.root}/{part}"

    def base_of_part(self, token: str) -> str:
        """The base of a list in which one attempt collects a long plan."""
        return f"{self.base}/part/{token}"


def ingress(partition: int) -> str:
    """The stream of the work for dispatchers."""
    return _key(partition, "ingress")


def due(partition: int) -> str:
    """The logs and lists of sends by the time of their next retention sweep."""
    return _key(partition, "due")


def archivable(partition: int) -> str:
    """The logs with entries for the archive, by about how many bytes these take."""
    return _key(partition, "archivable")


def archiving(partition: int) -> str:
    """The batch of entries that an archiver moves now."""
    return _key(partition, "archiving")


def archived(partition: int, tenant: str) -> str:
    """Up to which times the archive has notifications of a tenant."""
    return _key(partition, "archived", tenant)


def accepted(partition: int, tenant: str, notification_id: str) -> str:
    """The hash of the ids of a tenant that were accepted in the hours of this one."""
    return _key(partition, "accepted", f"{tenant}/{notification_id[:6]}")


def shared_content(partition: int, tenant: str, notification_id: str) -> str:
    """The content that several copies of a notification have in common, and how many they are."""
    return _key(partition, "contents", f"{tenant}/{notification_id}")


def unfinished(partition: int) -> str:
    """The sends to several users whose copies may not all exist."""
    return _key(partition, "unfinished")


def ingress_number(partition: int) -> str:
    """The hash with the last ingress number that the partition gave."""
    return _key(partition, "partition")


def poisoned(partition: int) -> str:
    """The ingress entries that could not be carried out."""
    return _key(partition, "poisoned")


def returning(partition: int) -> str:
    """The users with snoozed notifications, by the time of the first return."""
    return _key(partition, "returning")


def probe(partition: int) -> str:
    """The token of the last probe that reached the partition."""
    return _key(partition, "probe")


def lease(partition: int) -> str:
    """The dispatcher that works on the partition."""
    return _key(partition, "lease")


def feed(partition: int, gateway: str) -> str:
    """The stream through which a partition's appends reach one gateway."""
    return _key(partition, "feed", gateway)


def interest(partition: int) -> str:
    """The gateways with an interest in each log of the partition: base -> names with spaces between them."""
    return _key(partition, "interest")


def index(partition: int, gateway: str) -> str:
    """The connections of a gateway whose users are in the partition: id -> user's base."""
    return _key(partition, "connections", gateway)


def closings(partition: int, gateway: str) -> str:
    """The connections that a gateway has to close: id -> close code."""
    return _key(partition, "closing", gateway)


def tenant_groups(partition: int, tenant: str) -> str:
    """The ids of a tenant's groups in the partition."""
    return _key(partition, "groups", tenant)


def tenant_topics(partition: int, tenant: str) -> str:
    """The names of a tenant's topics in the partition."""
    return _key(partition, "topics", tenant)


def counted(partition: int, gateway: str) -> str:
    """The number of a gateway's last acknowledgements of topics that the partition counted."""
    return _key(partition, "counted", gateway)


def tenant_sends(partition: int, tenant: str) -> str:
    """The stream of a tenant's sends whose records are in the partition."""
    return _key(partition, "sent", tenant)


def webhook_pending(partition: int, owner: str) -> str:
    """The deliveries of a webhook endpoint that are tried again, by time; `owner` is ``<tenant>/<id>``."""
    return _key(partition, "webhook-pending", owner)


def webhook_succeeded(partition: int, owner: str) -> str:
    """The last deliveries of a webhook endpoint that succeeded."""
    return _key(partition, "webhook-succeeded", owner)


def webhook_failed(partition: int, owner: str) -> str:
    """The last deliveries of a webhook endpoint that failed."""
    return _key(partition, "webhook-failed", owner)


def webhook_deliveries(partition: int, owner: str) -> str:
    """The deliveries of a webhook endpoint with their attempts: id -> packed."""
    return _key(partition, "webhook-deliveries", owner)


def tenant_keys(tenant: str) -> str:
    """The API keys of a tenant."""
    return f"{{tidings}}/keys/{tenant}"


def _key(partition: int, part: PartitionPart, name: str = "") -> str:
    return f"{{p{partition}}}/{part}" + (f"/{name}" if name else "")
