"""Connections of redis-py whose timeouts count only the time in which this process ran."""

import math
from typing import Any, Final

from redis import exceptions as redis
from redis.asyncio import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection

from tidings_workers.store.patience import Patience

COMMAND_SECONDS: Final = 2.0


class PatientConnection(AbstractConnection):
    """Connects within COMMAND_SECONDS, and reads a reply within `socket_timeout`; see `Patience`.

    Raises the errors of redis-py.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # None as an option would mean `socket_timeout`.
        self.socket_connect_timeout = None

    async def _connect(self) -> None:
        connecting: Any = super()
        async with Patience(COMMAND_SECONDS):
            await connecting._connect()  # noqa: SLF001  redis-py calls it, too

    async def read_response(  # the parameters are redis-py's
        self,
        disable_decoding: bool = False,  # noqa: FBT001, FBT002
        timeout: float | None = None,  # noqa: ASYNC109
        **options: Any,
    ) -> Any:
        """A reply. After a timeout the connection is closed."""
        if timeout is not None or self.socket_timeout is None:
            return await super().read_response(disable_decoding, timeout, **options)
        try:
            async with Patience(self.socket_timeout):
                return await super().read_response(disable_decoding, math.inf, **options)
        except TimeoutError:
            await self.disconnect(nowait=True)
            raise redis.TimeoutError(f"Timeout reading from {self._host_error()}") from None


class _Tcp(PatientConnection, Connection):
    pass


class _Tls(PatientConnection, SSLConnection):
    pass


class _Unix(PatientConnection, UnixDomainSocketConnection):
    pass


PATIENT: Final[dict[type[AbstractConnection], type[PatientConnection]]] = {
    Connection: _Tcp,
    SSLConnection: _Tls,
    UnixDomainSocketConnection: _Unix,
}
