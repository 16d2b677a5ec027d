"""Connections to PostgreSQL, a limit of time for each call, and errors with a cure."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import asyncpg

from tidings_workers.archive.errors import (
    ArchiveError,
    ArchiveMisconfigured,
    ArchiveUnavailable,
    NoArchiveYet,
)
from tidings_workers.archive.urls import PostgresqlUrl

T = TypeVar("T")
Work = Callable[[Any], Awaitable[T]]

# An archive is a small part of the load of a database.
_CONNECTIONS: Final = 4
# The server ends a statement after this part of the limit. So it does not go on without a client, and the
# connection can be used again.
_SERVER_SHARE: Final = 0.9
# All statements read in the order of an index. The planner expects one row of each search, because a bound
# that is an argument counts as rare to it, and would read whole logs to sort them: a page of 22 logs took 17
# ms then, and 8 with these. One plan for all arguments, because planning fifteen months takes 2 ms.
_PLANNER: Final = {
    "enable_bitmapscan": "off",
    "enable_seqscan": "off",
    "enable_sort": "off",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
}
_IDLE_SECONDS: Final = 60

# The connection is lost, as after a restart of the server: another one may work.
_LOST: Final = (
    ConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # an idle connection got the news of a shutdown, and is not closed yet
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
_LATER: Final = (
    OSError,
    TimeoutError,
    *_LOST,
    asyncpg.InsufficientResourcesError,  # also a full disk, and too many connections
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # also a lock that was not available
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.PostgresSystemError,
)
_FAULTS: Final = (*_LATER, asyncpg.PostgresError, ValueError)
_POOLER: Final = (asyncpg.DuplicatePreparedStatementError, asyncpg.InvalidSQLStatementNameError)
# The answer of a pooler to the settings of a session.
_REFUSED_SETTING: Final = "unsupported startup parameter"

# The library logs failures of its own clean-up; the errors of the archive have the fault.
logging.getLogger("asyncpg").setLevel(logging.CRITICAL)


class PostgresqlPool:
    """A few connections that open when they are needed, and again after a fault."""

    def __init__(self, url: PostgresqlUrl, limit: float) -> None:
        self.limit = limit
        self.place = url.shown
        self._url = url
        # A pooler may refuse settings of a session, or give the session to others.
        self._is_pooled = url.statement_cache_size == 0
        self._settings = _PLANNER | {"statement_timeout": f"{int(limit * _SERVER_SHARE * 1000)}"}
        self._pool: Any = None
        self._calls: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    async def run(self, work: Work[T], *, limit: float | None = None) -> T:
        """The result of some work with a connection. It is done again after a lost connection or a deadlock.

        Raises ArchiveUnavailable or ArchiveMisconfigured.
        """
        seconds = self.limit if limit is None else limit
        if self._is_closed:
            raise ArchiveUnavailable(f"the archive {self.place} is closed: open it again")
        # In a task of its own: the clean-up of the library may wait for a server that does not answer.
        task = asyncio.create_task(self._twice(work))
        self._calls.add(task)
        task.add_done_callback(self._forget)
        try:
            await asyncio.wait([task], timeout=seconds)
        finally:
            if not task.done():
                task.cancel()
        if not task.done():
            raise ArchiveUnavailable(f"{self.place} does not answer within {seconds:g} s: repeat the call")
        if task.cancelled():
            raise ArchiveUnavailable(f"the archive {self.place} is being closed: repeat the call")
        try:
            return task.result()
        except ArchiveError:
            raise
        except _FAULTS as error:
            # Without the cause: an error of the library may have the URL.
            raise self._translated(error) from None

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._calls.discard(task)
        if not task.cancelled():
            task.exception()

    async def _twice(self, work: Work[T]) -> T:
        try:
            return await self._once(work)
        except asyncpg.TransactionRollbackError:
            return await self._once(work)
        except _LOST:
            # The others were opened before the fault, too.
            if self._pool is not None:
                await self._pool.expire_connections()
            return await self._once(work)

    async def _once(self, work: Work[T]) -> T:
        pool = self._pool
        if pool is None:
            pool = self._pool = await self._new_pool()
        connection = await pool.acquire()
        try:
            if not self._is_pooled:
                return await work(connection)
            async with connection.transaction():
                await connection.execute(
                    ";".join(f"set local {name} = {value}" for name, value in self._settings.items())
                )
                return await work(connection)
        except (asyncio.CancelledError, *_LOST):
            # A polite end would wait for the server.
            connection.terminate()
            raise
        finally:
            await pool.release(connection)

    async def _new_pool(self) -> Any:
        cache = self._url.statement_cache_size
        settings = {} if self._is_pooled else self._settings
        return await asyncpg.create_pool(
            self._url.dsn,
            min_size=0,
            max_size=_CONNECTIONS,
            timeout=self.limit,
            max_inactive_connection_lifetime=_IDLE_SECONDS,
            server_settings={"application_name": "tidings-archive", **settings},
            **({} if cache is None else {"statement_cache_size": cache}),
        )

    async def close(self) -> None:
        """Close all connections. Running calls fail."""
        self._is_closed = True
        for task in list(self._calls):
            task.cancel()
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    def _translated(self, error: Exception) -> ArchiveError:
        place, user = self.place, self._url.user
        if found := _wrong(error, place, user):
            return ArchiveMisconfigured(found)
        match error:
            case asyncpg.UndefinedTableError():
                return NoArchiveYet(f"{place} has no archive yet: `tidings-server archiver` makes it")
            case asyncpg.DiskFullError():
                return ArchiveUnavailable(f"{place} can't grow: make space on the disk of the server")
            case _ if isinstance(error, _LATER):
                return ArchiveUnavailable(f"{place} does not answer ({_first_line(error)}): repeat the call")
        state = getattr(error, "sqlstate", None) or "no code"
        said = _first_line(error)
        return ArchiveMisconfigured(f"{place} can't be used ({state}: {said}): look at the log of the server")


def _wrong(error: Exception, place: str, user: str) -> str:
    """The text for a fault of the configuration with its cure; '' for others."""
    match error:
        case asyncpg.InsufficientPrivilegeError():
            said = _first_line(error)
            return f"{place} refuses the user {user!r} ({said}): {_grant(said, user)}"
        case asyncpg.InvalidAuthorizationSpecificationError():
            return f"{place} refuses the user {user!r} or its password: correct them in the archive's URL"
        case asyncpg.InvalidCatalogNameError():
            return f"{place} does not exist on its server: create this database"
        case ssl.SSLCertVerificationError():
            return (
                f"the certificate of {place} is not valid: install its authority, "
                "or name it with sslrootcert in the URL"
            )
        case _ if isinstance(error, _POOLER) or _REFUSED_SETTING in str(error):
            return f"{place} is behind a pooler: add ?statement_cache_size=0 to the URL of the archive"
    return ""


def _first_line(error: Exception) -> str:
    if not isinstance(error, asyncpg.PostgresError) or not str(error):
        # Texts of the library may have parts of the URL; numbers and names of errors have not.
        return str(error.strerror) if isinstance(error, OSError) and error.strerror else type(error).__name__
    return str(error).splitlines()[0]


def _grant(said: str, user: str) -> str:
    """The statement that gives a missing right."""
    if "schema" in said:
        return f"grant usage, create on the schema to {user}"
    if "temporary" in said:
        return f"grant temporary on the database to {user}"
    if "owner" in said:
        return "connect as the owner of the tables"
    return f"grant select, insert, update, delete on the tables tidings_* to {user}"
