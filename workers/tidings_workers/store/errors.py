"""The errors of the store.

StoreError
├── StorageUnavailable     Redis did not answer, was slow, or answered with an error; try again
├── IdempotencyMismatch    the key was used for another body
├── IdempotencyInProgress  the first request with this key is still running here
├── NoUserReceipts         the store has only counts for this notification
├── ConnectionLimitReached the user has as many connections as the tenant allows
├── TooManyConsumers       the tenant has as many consumers of events as it may have
├── DataLost               the store lost data
└── StoreMismatch          the store was made with other settings, or by a newer version
"""

from typing import Final, Literal

from redis.exceptions import RedisClusterException, RedisError

# The errors of a command when the server cannot be reached. uvloop raises RuntimeError for a write to a
# connection that was just reset, and redis-py has a separate base class for errors of a cluster.
UNREACHABLE: Final = (RedisError, RedisClusterException, OSError, TimeoutError, RuntimeError)

Reason = Literal[
    "refused",
    "unknown-host",
    "timeout",
    "closed",
    "tls",
    "auth",
    "no-permission",
    "not-a-cluster",
    "is-a-cluster",
    "not-redis",
    "sentinel",
    "cluster-down",
    "readonly",
    "loading",
    "disk",
    "out-of-memory",
    "too-many-clients",
    "no-replicas",
    "no-dispatcher",
    "older-parts",
    "other",
]

_CURES: Final[dict[Reason, str]] = {
    "refused": "Start it, or correct host, port or path in REDIS_URL.",
    "unknown-host": "Correct the host in REDIS_URL, or the name service of this machine.",
    "timeout": "Check that it runs, that no firewall drops the packets, and that the scheme of REDIS_URL "
    "fits its port (rediss:// for TLS, redis:// without).",
    "closed": "See its log. If its port speaks TLS, write rediss:// in REDIS_URL.",
    "tls": "If a private CA signed its certificate, add ?ssl_ca_certs=/path/to/ca.pem to REDIS_URL or set "
    "SSL_CERT_FILE. If its port does not speak TLS, write redis://.",
    "auth": "Put user and password into REDIS_URL: redis://user:password@host:6379/0.",
    "no-permission": "Allow the user the commands and keys that docs/operations.md lists.",
    "not-a-cluster": "Write redis:// or rediss:// in REDIS_URL.",
    "is-a-cluster": "Write redis+cluster:// or rediss+cluster:// in REDIS_URL.",
    "not-redis": "Correct host and port in REDIS_URL. If the port speaks TLS, write rediss:// in it.",
    "sentinel": "Name the primary in REDIS_URL, or an address that follows it.",
    "cluster-down": "Wait for its failover, or see CLUSTER INFO: each slot needs a primary that runs.",
    "readonly": "Wait for the failover, or let REDIS_URL lead to the primary.",
    "loading": "Wait until it has read its data.",
    "disk": "Free space on its disk; its log says what failed.",
    "out-of-memory": "Raise its maxmemory, or shorten the retention.",
    "too-many-clients": "Raise its maxclients, or run fewer parts.",
    "no-replicas": "Start its replicas, or lower min-replicas-to-write.",
    "no-dispatcher": "Start `tidings-server dispatcher`.",
    "older-parts": "Stop every part of the earlier version; then this one takes over the data.",
    "other": "See its log.",
}


class StoreError(Exception):
    """The base class of the errors of the store."""


class StorageUnavailable(StoreError):
    """Redis did not carry out a command, or did not answer in time.

    A write may have been applied: every write can be repeated with the same ids. The text is one sentence
    that says what is wrong, `reason` is its kind, `cure` is a sentence that says what to do.
    """

    def __init__(self, message: str, reason: Reason = "other") -> None:
        super().__init__(message)
        self.reason: Final[Reason] = reason

    def __reduce__(self) -> tuple[type["StorageUnavailable"], tuple[str, Reason]]:
        """Pickle with the reason."""
        return type(self), (str(self), self.reason)

    @property
    def cure(self) -> str:
        """A sentence that says what an operator can do."""
        return _CURES[self.reason]


class IdempotencyMismatch(StoreError):
    """The idempotency key was used for another body."""


class IdempotencyInProgress(StoreError):
    """The first request with this idempotency key has not been answered yet."""


class NotInInbox(StoreError):
    """The notification is not in this inbox, or no longer."""


class UnknownAction(StoreError):
    """The notification has no action of this id. `known` are the ids of those that it has."""

    def __init__(self, known: tuple[str, ...]) -> None:
        super().__init__("the notification has no such action")
        self.known: Final = known

    def __reduce__(self) -> tuple[type["UnknownAction"], tuple[tuple[str, ...]]]:
        """Pickle with the known actions."""
        return type(self), (self.known,)


class ActionUsed(StoreError):
    """The user has used another action of the notification: `action`, at a time in Unix ms."""

    def __init__(self, action: str, at: int) -> None:
        super().__init__("another action was used before")
        self.action: Final = action
        self.at: Final = at

    def __reduce__(self) -> tuple[type["ActionUsed"], tuple[str, int]]:
        """Pickle with the action that was used."""
        return type(self), (self.action, self.at)


class NoUserReceipts(StoreError):
    """The store has only counts for a notification to one group or to all."""


class ConnectionLimitReached(StoreError):
    """The user has as many connections as the tenant allows."""


class TooManyConsumers(StoreError):
    """The tenant has as many consumers of events as it may have."""


class StoreMismatch(StoreError):
    """The settings do not fit the existing store."""


class DataLost(StoreError):
    """A log ends before a position that it once had: Redis lost data. Clients need a notice."""
