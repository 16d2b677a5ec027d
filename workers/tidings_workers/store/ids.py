"""Ids of notifications, and the time in milliseconds.

Ids are UUIDv7 (RFC 9562) whose last twelve bits are the partition of the notification's record: an id alone
is enough to find the record, and 62 random bits remain.
"""

import os
import re
import time
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Final

_ID: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{9}([0-9a-f]{3})"
).fullmatch


# The texts of the last twelve bits.
_PARTITIONS: Final = tuple(f"{partition:03x}" for partition in range(1 << 12))


@lru_cache(maxsize=64)
def _time(milliseconds: int) -> str:
    """The first part of the ids of one millisecond: they are many under load."""
    return f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}-7"


def _format(milliseconds: int, random: bytes, partition: int) -> str:
    text = random.hex()
    variant = "89ab"[random[8] & 3]
    return f"{_time(milliseconds)}{text[:3]}-{variant}{text[3:6]}-{text[6:15]}{_PARTITIONS[partition]}"


def _random_blocks() -> Iterator[bytes]:
    while True:
        pool = os.urandom(9 * 512)
        for start in range(0, len(pool), 9):
            yield pool[start : start + 9]


_next_block: Final = _random_blocks().__next__


def new_id(milliseconds: int, partition: int) -> str:
    """A new notification id for a record in `partition`."""
    return _format(milliseconds, _next_block(), partition)


def derived_id(seed: bytes, index: int, milliseconds: int, partition: int) -> str:
    """The id of the `index`-th notification of a claimed request: the same at every retry."""
    random = blake2b(seed + index.to_bytes(4, "big"), digest_size=9).digest()
    return _format(milliseconds, random, partition)


def partition_of_id(notification: str) -> int | None:
    """The partition of the record of an id; None when the text is not an id."""
    found = _ID(notification)
    return int(found[1], 16) if found else None


def milliseconds_of_id(notification: str) -> int:
    """The time in an id, when the notification was accepted, in Unix milliseconds."""
    return int(notification[:8] + notification[9:13], 16)


def milliseconds() -> int:
    """Now, in Unix milliseconds."""
    return time.time_ns() // 1_000_000
