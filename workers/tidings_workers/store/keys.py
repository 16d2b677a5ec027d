"""Redis keys and partitions. Keys are built only here and in the Lua scripts; docs/redis.md lists them all.

A key begins with the hash tag of its partition, ``{p<k>}``: all keys of one partition are in one slot of a
cluster, so one script call may touch them all. Keys without a partition (tenants, heartbeats, facts of the
store) begin with ``{tidings}``. The parts of a key are separated by ``/``, which no tenant, user, group or
id contains, so two different things never share a key.

A *base* is a key without its hash tag. Scripts get the tag as ``KEYS[1]`` and the base as an argument.
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Final, Literal, NamedTuple, cast
from zlib import crc32

from tidings.protocol.names import log_of_group

LAYOUT: Final = "2"
"""The version of all keys and their values, in `META`. A process refuses a store with another one.

Raise it only if this version cannot use the data of the previous one, or the previous one would damage the
new data. A new key that may be absent needs no other layout.
"""

PARTITIONS_MAXIMUM: Final = 4096

META: Final = "{tidings}/meta"
GATEWAYS: Final = "{tidings}/gateways"
DISPATCHERS: Final = "{tidings}/dispatchers"
TENANTS: Final = "{tidings}/tenants"
KEY_COUNTERS: Final = "{tidings}/key-counters"
REGISTRY_VERSION: Final = "{tidings}/registry-version"

# The first part of a base: the log of a user, of a group or of all; the sends of a tenant (in `due` only).
Kind = Literal["u", "g", "a", "s"]

# The parts of keys, those that only scripts build included. The letters begin a claim (i) and a record (n).
PartitionPart = Literal[
    "applied",
    "closing",
    "connections",
    "due",
    "feed",
    "groups",
    "i",
    "ingress",
    "lease",
    "n",
    "partition",
    "poisoned",
    "probe",
    "sent",
    "unfinished",
]

# The parts behind the key of a log.
LogPart = Literal[
    "categories",
    "connections",
    "copies",
    "deleted",
    "delivered",
    "devices",
    "ended",
    "erased",
    "erased-ids",
    "excludes",
    "expiring",
    "gateways",
    "gone",
    "groups",
    "hidden",
    "holes",
    "in",
    "left",
    "log",
    "marks",
    "members",
    "parted",
    "receipts",
    "retired",
    "state",
    "stays",
    "swept",
    "times",
]

# The parts behind the key of a record, and behind that of a tenant's sends.
RecordPart = Literal["part", "plan", "progress", "receipts"]
SentPart = Literal["swept"]

PROBE: Final[PartitionPart] = "probe"


def tag(partition: int) -> str:
    """The hash tag of a partition; every key of the partition begins with it."""
    return f"{{p{partition}}}"


def key_of(partition: int, base: str) -> str:
    """The key of a base."""
    return f"{{p{partition}}}/{base}"


@lru_cache(maxsize=65_536)
def partition_of(tenant: str, name: str, partitions: int) -> int:
    """The partition of a user or group by its id, or of a tenant's all-log (`name` empty)."""
    return crc32(f"{tenant}/{name}".encode()) % partitions


class Log(NamedTuple):
    """One log.

    `name` is its name in frames: ``user``, ``all``, or ``group:<id>``. `group` is the id of the group, and
    None for other logs.
    """

    base: str
    partition: int
    name: str
    tenant: str
    group: str | None = None

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


class Base(NamedTuple):
    """The parts of a base. `id` is the user or the group, and empty where the base has none."""

    kind: Kind
    tenant: str
    id: str


def parse_base(base: str) -> Base:
    """The parts of the base of a log, or of ``s/<tenant>``."""
    kind, _, rest = base.partition("/")
    tenant, _, name = rest.partition("/")
    return Base(cast("Kind", kind), tenant, name)


class Keys:
    """Makes the logs and claims of a store with this number of partitions, and finds logs by their bases."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions

    def user(self, tenant: str, user: str) -> Log:
        """The log of one user."""
        return Log(f"u/{tenant}/{user}", partition_of(tenant, user, self.partitions), "user", tenant)

    def group(self, tenant: str, group: str) -> Log:
        """The log of one group."""
        partition = partition_of(tenant, group, self.partitions)
        return Log(f"g/{tenant}/{group}", partition, log_of_group(group), tenant, group)

    def all(self, tenant: str) -> Log:
        """The log of the sends to all of a tenant."""
        return Log(f"a/{tenant}", partition_of(tenant, "", self.partitions), "all", tenant)

    def of(self, base: str) -> Log:
        """The log of a base."""
        kind, tenant, name = parse_base(base)
        if kind == "u":
            return self.user(tenant, name)
        return self.group(tenant, name) if kind == "g" else self.all(tenant)

    def claim(self, tenant: str, key: str) -> tuple[int, str]:
        """Partition and base of the claim of an idempotency key."""
        # The key may contain any printable character, `/` included, so only its digest is used.
        digest = blake2b(key.encode(), digest_size=16).hexdigest()
        return partition_of(tenant, digest, self.partitions), f"i/{tenant}/{digest}"


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


def unfinished(partition: int) -> str:
    """The sends to several users whose copies may not all exist."""
    return _key(partition, "unfinished")


def ingress_number(partition: int) -> str:
    """The hash with the last ingress number that the partition gave."""
    return _key(partition, "partition")


def poisoned(partition: int) -> str:
    """The ingress entries that could not be carried out."""
    return _key(partition, "poisoned")


def probe(partition: int) -> str:
    """The token of the last probe that reached the partition."""
    return _key(partition, PROBE)


def lease(partition: int) -> str:
    """The dispatcher that works on the partition."""
    return _key(partition, "lease")


def feed(partition: int, gateway: str) -> str:
    """The stream through which a partition's appends reach one gateway."""
    return _key(partition, "feed", gateway)


def index(partition: int, gateway: str) -> str:
    """The connections of a gateway whose users are in the partition: id -> user's base."""
    return _key(partition, "connections", gateway)


def closings(partition: int, gateway: str) -> str:
    """The connections that a gateway has to close: id -> close code."""
    return _key(partition, "closing", gateway)


def tenant_groups(partition: int, tenant: str) -> str:
    """The ids of a tenant's groups in the partition."""
    return _key(partition, "groups", tenant)


def tenant_sends(partition: int, tenant: str) -> str:
    """The stream of a tenant's sends whose records are in the partition."""
    return _key(partition, "sent", tenant)


def tenant_keys(tenant: str) -> str:
    """The API keys of a tenant."""
    return f"{{tidings}}/keys/{tenant}"


def _key(partition: int, part: PartitionPart, name: str = "") -> str:
    return f"{{p{partition}}}/{part}" + (f"/{name}" if name else "")
