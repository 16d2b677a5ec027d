"""Where everything lives in Redis: the one place that builds keys and picks partitions.

Every key begins with the hash tag of its partition, ``{p<k>}``, so that all keys of one partition
share a slot of a cluster and one script call may touch them all. Parts are kept apart by ``/``,
which is outside the alphabets of tenants and ids, so two different things never share a key.
Keys without a partition (tenants, keys, heartbeats, the store's own facts) carry ``{tidings}``.

A log is named three ways: its *base* below (``u/demo/ana``, the key without its tag), its
partition, and the name a receiver sees (``user``, ``all``, ``group:<id>``).
"""

import os
import re
import time
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple
from zlib import crc32

from tidings.protocol.names import log_of_group

LAYOUT: Final = "2"
"""The version of all keys and their values, in `META`. Another version of Tidings refuses to use it."""

PARTITIONS_MAXIMUM: Final = 4096

META: Final = "{tidings}/meta"
GATEWAYS: Final = "{tidings}/gateways"
DISPATCHERS: Final = "{tidings}/dispatchers"


def tag(partition: int) -> str:
    """The hash tag of a partition; every key of the partition begins with it."""
    return f"{{p{partition}}}"


@lru_cache(maxsize=65_536)
def partition_of(tenant: str, name: str, partitions: int) -> int:
    """The partition of a user or group by its id, or of a tenant's all-log (`name` empty)."""
    return crc32(f"{tenant}/{name}".encode()) % partitions


class Log(NamedTuple):
    """One log: its base (key without the tag), its partition, and its name for receivers."""

    base: str
    partition: int
    name: str

    @property
    def tenant(self) -> str:
        """The tenant that the log belongs to."""
        return self.base.split("/")[1]


class Keys:
    """Names logs for a store with a given number of partitions."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions

    def user(self, tenant: str, user: str) -> Log:
        """The log of what was sent to one user."""
        return Log(f"u/{tenant}/{user}", partition_of(tenant, user, self.partitions), "user")

    def group(self, tenant: str, group: str) -> Log:
        """The log of what was sent to one group."""
        return Log(f"g/{tenant}/{group}", partition_of(tenant, group, self.partitions), log_of_group(group))

    def all(self, tenant: str) -> Log:
        """The log of what was sent to everybody of a tenant."""
        return Log(f"a/{tenant}", partition_of(tenant, "", self.partitions), "all")

    def of(self, base: str) -> Log:
        """The log of a base."""
        kind, tenant, *name = base.split("/")
        if kind == "u":
            return self.user(tenant, name[0])
        return self.group(tenant, name[0]) if kind == "g" else self.all(tenant)

    def claim(self, tenant: str, key: str) -> tuple[int, str]:
        """Partition and key (without the tag) of an idempotency key's claim."""
        # The key may hold any printable character, `/` included, so only its digest is used.
        digest = blake2b(key.encode(), digest_size=16).hexdigest()
        return partition_of(tenant, digest, self.partitions), f"i/{tenant}/{digest}"


def ingress(partition: int) -> str:
    """The stream of what the dispatcher still has to do."""
    return f"{tag(partition)}/ingress"


def unfinished(partition: int) -> str:
    """The sends to several users whose copies are being made by the process that accepted them."""
    return f"{tag(partition)}/unfinished"


def feed(partition: int, gateway: str) -> str:
    """The stream through which a partition's appends reach one gateway."""
    return f"{tag(partition)}/feed/{gateway}"


def index(partition: int, gateway: str) -> str:
    """The connections that a gateway holds of a partition's users: id -> user's base."""
    return f"{tag(partition)}/connections/{gateway}"


def closings(partition: int, gateway: str) -> str:
    """The connections that a gateway was told to close, until it has: id -> close code."""
    return f"{tag(partition)}/closing/{gateway}"


def lease(partition: int) -> str:
    """Which dispatcher owns the partition."""
    return f"{tag(partition)}/lease"


_ID: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{9}([0-9a-f]{3})"
).fullmatch

# Ids are UUIDv7 (RFC 9562) whose last twelve bits are the partition of the notification's record:
# an id alone is enough to find it, and 62 random bits remain.


def _format(milliseconds: int, random: bytes, partition: int) -> str:
    text = random.hex()
    return (
        f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}-7{text[:3]}-"
        f"{'89ab'[random[8] & 3]}{text[3:6]}-{text[6:15]}{partition:03x}"
    )


def _random_blocks() -> Iterator[bytes]:
    while True:
        pool = os.urandom(9 * 512)
        for start in range(0, len(pool), 9):
            yield pool[start : start + 9]


_next_block: Final = _random_blocks().__next__


def new_id(milliseconds: int, partition: int) -> str:
    """A fresh notification id for a record in `partition`."""
    return _format(milliseconds, _next_block(), partition)


def derived_id(seed: bytes, index: int, milliseconds: int, partition: int) -> str:
    """The id of the `index`-th notification of a claimed request: the same at every retry."""
    random = blake2b(seed + index.to_bytes(4, "big"), digest_size=9).digest()
    return _format(milliseconds, random, partition)


def partition_of_id(notification: str) -> int | None:
    """The partition of the record of an id, or None when the text is no id of ours."""
    found = _ID(notification)
    return int(found[1], 16) if found else None


def milliseconds_of_id(notification: str) -> int:
    """When the notification was accepted, by its id, in milliseconds since the epoch."""
    return int(notification[:8] + notification[9:13], 16)


def milliseconds() -> int:
    """Now, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
