"""What can go wrong in the store.

StoreError
├── StorageUnavailable     Redis is away, slow, or answered with an error; try again
├── IdempotencyMismatch    the key was used for another body
├── IdempotencyInProgress  the first request with this key is still running here
├── NoUserReceipts         who got it is counted, but not kept user by user
├── SessionRefused         the tenant allows the user no further connection
├── DataLost               the store no longer has what it once had
└── StoreMismatch          the store was made with other settings, or by a newer version
"""

from typing import Final

from redis.exceptions import RedisError

# What a command fails with when the server can't be reached. uvloop raises RuntimeError for a write
# to a connection that has just been reset.
UNREACHABLE: Final = (RedisError, OSError, TimeoutError, RuntimeError)


class StoreError(Exception):
    """Base of everything the store raises."""


class StorageUnavailable(StoreError):
    """Redis did not do what was asked, or did not say so in time.

    A write may have happened all the same: every write can be repeated with the same ids.
    """


class IdempotencyMismatch(StoreError):
    """The idempotency key was used for another body."""


class IdempotencyInProgress(StoreError):
    """The first request with this idempotency key has not been answered yet."""


class NoUserReceipts(StoreError):
    """Of a notification to one group or to all only counts are kept."""


class SessionRefused(StoreError):
    """The user has as many connections as the tenant allows."""


class StoreMismatch(StoreError):
    """The settings do not fit the store that is there."""


class DataLost(StoreError):
    """A log ends before a position that it once had: Redis lost data, and clients have to be told."""
