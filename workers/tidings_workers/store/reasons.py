"""The reason of a failure, in words: from the errors of sockets and of redis-py.

redis-py wraps errors in each other, so the most specific error of the chain of causes decides.
"""

import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Final

from redis import exceptions as redis

from tidings_workers.addresses import masked
from tidings_workers.store.errors import Reason, StorageUnavailable

# The server is no primary, or not yet: all other connections lead there too.
WRONG_SERVER: Final = frozenset[Reason]({"readonly", "loading"})

Kinds = tuple[type[BaseException], ...]

# The first row that matches an error of the chain decides. A row matches by class or by the first words.
_ROWS: Final[tuple[tuple[Reason, Kinds, tuple[str, ...]], ...]] = (
    ("no-permission", (redis.NoPermissionError,), ("NOPERM",)),
    (
        "auth",
        (redis.AuthenticationError, redis.AuthorizationError, redis.AuthenticationWrongNumberOfArgsError),
        ("NOAUTH", "WRONGPASS", "DENIED"),
    ),
    ("tls", (ssl.SSLError,), ()),
    ("not-a-cluster", (), ("Cluster mode is not enabled",)),
    ("readonly", (redis.ReadOnlyError, redis.MasterDownError), ("READONLY", "MASTERDOWN", "UNBLOCKED")),
    ("loading", (redis.BusyLoadingError,), ("LOADING",)),
    ("is-a-cluster", (redis.AskError, redis.ClusterCrossSlotError), ("CROSSSLOT",)),
    ("cluster-down", (redis.ClusterDownError, redis.SlotNotCoveredError), ("All slots are not covered",)),
    ("out-of-memory", (redis.OutOfMemoryError,), ("OOM",)),
    ("disk", (), ("MISCONF",)),
    ("no-replicas", (), ("NOREPLICAS",)),
    ("too-many-clients", (), ("max number of clients",)),
    ("unknown-host", (socket.gaierror,), ()),
    ("refused", (ConnectionRefusedError, FileNotFoundError, PermissionError), ()),
    ("not-redis", (redis.InvalidResponse,), ("Protocol error, got",)),
    ("timeout", (redis.TimeoutError, TimeoutError), ()),
    ("closed", (redis.ConnectionError, ConnectionError, RuntimeError), ()),
)

# The errors of a server for a client without a password.
_NO_PASSWORD: Final = ("HELLO must be called", "Authentication required")

_WORDS: Final[dict[Reason, Callable[[str, str], str]]] = {
    "refused": lambda where, _: f"Nothing accepts connections at {where}.",
    "unknown-host": lambda where, _: f"The host of {where} has no address.",
    "timeout": lambda where, _: f"{where} does not answer in time.",
    "closed": lambda where, _: f"{where} closed the connection.",
    "tls": lambda where, said: f"TLS with {where} failed ({said}).",
    "auth": lambda where, said: (
        f"{where} asks for a password."
        if said.startswith(_NO_PASSWORD)
        else f"{where} refuses the user or the password ({said})."
    ),
    "no-permission": lambda where, said: f"{where} forbids the user a command or a key ({said}).",
    "not-a-cluster": lambda where, _: f"{where} is not a cluster, but REDIS_URL says so.",
    "is-a-cluster": lambda where, _: f"{where} is a node of a cluster, but REDIS_URL does not say so.",
    "not-redis": lambda where, _: f"{where} is no Redis: its answer is of another protocol.",
    "sentinel": lambda where, _: f"{where} is a Sentinel, which holds no data.",
    "cluster-down": lambda where, said: f"The cluster at {where} does not serve every slot ({said}).",
    "readonly": lambda where, _: f"{where} is a replica, which takes no writes.",
    "loading": lambda where, _: f"{where} is still reading its data.",
    "disk": lambda where, said: f"{where} can't write to its disk ({said}).",
    "out-of-memory": lambda where, _: f"The memory of {where} is full.",
    "too-many-clients": lambda where, _: f"{where} takes no further connection.",
    "no-replicas": lambda where, _: f"{where} has too few replicas to take a write.",
}


def unavailable(error: BaseException, url: str) -> StorageUnavailable:
    """The failure of the store at `url` in words, without the password of the URL."""
    if isinstance(error, StorageUnavailable):
        return error
    where = f"The store at {masked(url)}" if url else "The store"
    reason, cause = _reason(error)
    said = " ".join(str(cause).split()).removesuffix(".")[:200]
    words = _WORDS.get(reason)
    text = words(where, said) if words else f"{where} does not do what it is asked ({said or reason})."
    failure = StorageUnavailable(text.replace(" The store", " the store"), reason)
    failure.__cause__ = error
    return failure


def misfit(reason: Reason, url: str) -> StorageUnavailable:
    """The failure that the server at `url` is of another kind than the URL says."""
    return StorageUnavailable(_WORDS[reason](f"The store at {masked(url)}", ""), reason)


def is_wrong_server(error: BaseException) -> bool:
    """Whether an error comes from a replica, or from a server that is loading its data."""
    return _reason(error)[0] in WRONG_SERVER


def _reason(error: BaseException) -> tuple[Reason, BaseException]:
    if isinstance(error, StorageUnavailable):
        return error.reason, error
    chain = list(_chain(error))
    for reason, kinds, beginnings in _ROWS:
        for each in chain:
            if isinstance(each, kinds) or (beginnings and str(each).startswith(beginnings)):
                return reason, each
    return "other", error


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
