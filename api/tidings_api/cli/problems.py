"""The error line of a command: it names the cause and, if known, the cure."""

import errno
import os

from redis.exceptions import RedisClusterException, RedisError

from tidings_api.cli import EXIT_USAGE
from tidings_api.cli.errors import CommandFailed, WrongUsage
from tidings_workers.archive import ArchiveError, ArchiveMisconfigured
from tidings_workers.config import EXIT_CONFIGURATION
from tidings_workers.config_checks import ConfigurationError
from tidings_workers.data_directory import DataDirectoryInUse
from tidings_workers.data_state import DataDirectoryUnusable
from tidings_workers.embedded import EmbeddedStartFailed
from tidings_workers.logs import one_line
from tidings_workers.store import StorageUnavailable, StoreError
from tidings_workers.store.reasons import unavailable
from tidings_workers.supervisor import PartFailed
from tidings_workers.tenants import InvalidValue, RegistryError

# Errors whose text was written for the operator.
_WRITTEN = (
    ArchiveError,
    CommandFailed,
    ConfigurationError,
    DataDirectoryInUse,
    DataDirectoryUnusable,
    EmbeddedStartFailed,
    PartFailed,
    RegistryError,
    StoreError,
    WrongUsage,
)


def code_for(error: BaseException) -> int:
    """The exit code of an error; see `tidings_api.cli`."""
    if isinstance(error, ConfigurationError | ArchiveMisconfigured):
        return EXIT_CONFIGURATION
    return EXIT_USAGE if isinstance(error, WrongUsage | InvalidValue) else 1


def line_for(error: BaseException) -> str:
    """The error line of an error."""
    if isinstance(error, (RedisError, RedisClusterException)):
        error = unavailable(error, os.environ.get("REDIS_URL", ""))
    if isinstance(error, StorageUnavailable):
        return f"{error} {error.cure}"
    if isinstance(error, _WRITTEN):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"{error.filename or 'stdout'} can't be written: no space left on its device"
    if isinstance(error, PermissionError):
        file = error.filename or "a file"
        return f"{file} can't be used ({error.strerror}): run this as the user that owns it"
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"a port is already in use ({error.strerror or error}): choose another"
    return f"{one_line(error)} (TIDINGS_LOG_LEVEL=debug shows where)"
