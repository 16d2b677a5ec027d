"""What a command says when it fails: one line that names the cause and, where it can, the cure."""

import errno

from redis.exceptions import AuthenticationError, RedisError

from tidings_workers.config import ConfigurationError
from tidings_workers.data_directory import DataDirectoryInUse, DataDirectoryUnusable
from tidings_workers.embedded import EmbeddedStartFailed
from tidings_workers.logs import one_line
from tidings_workers.store import StoreError
from tidings_workers.supervisor import PartFailed
from tidings_workers.tenants import RegistryError


class CommandFailed(Exception):
    """A command can't do what it was asked; the text is for the operator."""


# Errors whose text was written for the operator.
_WRITTEN = (
    CommandFailed,
    ConfigurationError,
    DataDirectoryInUse,
    DataDirectoryUnusable,
    EmbeddedStartFailed,
    PartFailed,
    RegistryError,
    StoreError,
)


def line_for(error: BaseException) -> str:
    """Give the one line for an error."""
    if isinstance(error, _WRITTEN):
        return " ".join(str(error).split())
    if isinstance(error, AuthenticationError):
        return f"the store refuses us ({error}): put user and password into REDIS_URL"
    if isinstance(error, RedisError):
        return f"the store does not do what it is asked ({one_line(error)}): see `tidings-server doctor`"
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"a port is in use already ({error.strerror or error}): choose another"
    return f"{one_line(error)} (TIDINGS_LOG_LEVEL=debug shows where)"
