"""Round trips to one server: many commands in one write, and their replies in order.

The pipeline of redis-py packs each command on its own, sets a timeout for each reply, and takes a connection
from the pool for each round trip. Here a round trip is one write with one timeout, and its connection stays
with `RoundTrips` for the next one. Opening, authentication, TLS and the parser are redis-py's.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from redis import exceptions as redis
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection

from tidings_workers.cancellation import raise_if_cancelled
from tidings_workers.store.connections import PATIENT, PatientConnection
from tidings_workers.store.patience import Patience

Argument: TypeAlias = "str | bytes | int"

# So many replies may take the timeout together. A whole batch may take longer.
_REPLIES_PER_TIMEOUT: Final = 16


def packed(arguments: Sequence[Argument]) -> bytes:
    """Arguments of a command in the protocol of Redis, without the count that a command begins with."""
    parts = []
    for argument in arguments:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


class _RoundTrips(PatientConnection):
    """A connection of redis-py that can make a round trip for many commands."""

    async def round_trip(self, commands: bytes, count: int) -> list[Any]:
        """Write packed commands and read `count` replies. An error of a command is its reply.

        Raises the errors of redis-py when the server can't be reached. The connection is closed then, and
        after a cancellation: the replies that nothing has read would answer later commands.
        """
        connection: Any = self  # redis-py has no types for some methods
        try:
            if connection.should_reconnect():
                await self.disconnect()
            await connection.connect()
            # redis-py's handshake may swallow a cancellation. Then a blocking read would be repeated forever.
            raise_if_cancelled()
            return await self._exchange(commands, count)
        except TimeoutError:
            await self.disconnect(nowait=True)
            raise redis.TimeoutError(f"Timeout reading from {self._host_error()}") from None
        except OSError as error:
            await self.disconnect(nowait=True)
            raise redis.ConnectionError(f"Error while reading from {self._host_error()}: {error}") from error
        except BaseException:
            await self.disconnect(nowait=True)
            raise

    async def _exchange(self, commands: bytes, count: int) -> list[Any]:
        parser: Any = self._parser
        writer, read, seconds = self._writer, parser.read_response, self.socket_timeout
        assert writer is not None  # noqa: S101  the connection is open
        assert seconds is not None  # noqa: S101  `clients.connect` sets it
        replies: list[Any] = []
        async with Patience(seconds) as patience:
            writer.write(commands)
            await writer.drain()
            while len(replies) < count:
                # It returns without a pause while the parser has replies.
                replies.append(await read())
                if not len(replies) % _REPLIES_PER_TIMEOUT:
                    patience.renew()
        return replies


_CLASSES: Final[dict[type[AbstractConnection], type[_RoundTrips]]] = {
    patient: type(patient.__name__, (_RoundTrips, patient), {}) for patient in PATIENT.values()
}


class RoundTrips:
    """Makes round trips on connections of a pool, and keeps each connection for the next one.

    `pool` must be new, and made by `clients.connect`: from now on its connections have another class. It
    counts the kept connections as in use, so a call that drops all connections marks them, and each connects
    again before its next use.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        pool.connection_class = _CLASSES[pool.connection_class]
        self._pool = pool
        self._free: list[_RoundTrips] = []

    async def run(self, commands: bytes, count: int) -> list[Any]:
        """The replies to packed commands, in order; see `_RoundTrips.round_trip`.

        After a dropped connection the commands are sent once more, as the retry of the connection says.
        """
        connection: _RoundTrips = self._free.pop() if self._free else await self._pool.get_connection()
        try:
            return await connection.retry.call_with_retry(
                lambda: connection.round_trip(commands, count), lambda _: connection.disconnect(nowait=True)
            )
        finally:
            self._free.append(connection)
