"""A proxy between the store and Valkey that causes the faults of a network.

It copies bytes between two TCP or unix connections. Faults are set on the proxy while it runs, and apply from
the next chunk on.
"""

import asyncio
import contextlib
import gc
import random
import socket
import ssl
import struct
import warnings
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Final, Self, cast
from urllib.parse import urlsplit

CHUNK_BYTES: Final = 65_536


class FaultProxy:
    """Listens on a loopback port, `url`, and forwards to the server at `upstream`.

    With `tls` it accepts TLS, and `url` starts with rediss://.

    The faults, none of them at first:

    - `latency`: seconds by which every chunk is delayed, in both directions;
    - `slice_bytes`: chunks are forwarded in pieces of this size; 0 leaves them whole;
    - `black_hole`: connections are accepted, and no bytes are forwarded in either direction;
    - `lose_replies`: the probability that the connection is reset instead of forwarding a reply, although
      the request was forwarded;
    - `refuse`: new connections are reset at once.

    `reset` and `half_close` act on every open connection at once. `lost` counts the lost replies.
    """

    def __init__(self, upstream: str, seed: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.latency = 0.0
        self.slice_bytes = 0
        self.black_hole = False
        self.lose_replies = 0.0
        self.refuse = False
        self.lost = 0
        self._upstream = urlsplit(upstream)
        self._tls = tls
        self._random = random.Random(seed)
        self._clients: set[asyncio.StreamWriter] = set()
        self._copying: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The URL to use instead of `upstream`."""
        assert self._server is not None
        scheme = "rediss" if self._tls else "redis"
        return f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._copying:
            task.cancel()
        if self._copying:
            await asyncio.wait(self._copying)
        await self._server.wait_closed()

    def lead_to(self, upstream: str) -> None:
        """Forward new connections to another server; open connections stay as they are."""
        self._upstream = urlsplit(upstream)

    def reset(self) -> None:
        """Reset every connection."""
        for client in self._clients:
            _reset(client)

    def half_close(self) -> None:
        """Close the server's direction of every connection, and continue to read from the client."""
        for client in self._clients:
            with contextlib.suppress(OSError):
                client.write_eof()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuse:
            _reset(writer)
            return
        task = asyncio.current_task()
        assert task is not None
        self._copying.add(task)
        self._clients.add(writer)
        try:
            async with self._connected() as (server_reader, server_writer):
                tasks = (
                    asyncio.create_task(self._copy(reader, server_writer)),
                    asyncio.create_task(self._copy(server_reader, writer, replies=True)),
                )
                try:
                    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for copying in tasks:
                        copying.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            # The server is unavailable, or the test is over: the client sees the connection close.
            pass
        finally:
            self._clients.discard(writer)
            self._copying.discard(task)
            writer.close()

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        if self._upstream.scheme == "unix":
            reader, writer = await asyncio.open_unix_connection(self._upstream.path)
        else:
            reader, writer = await asyncio.open_connection(self._upstream.hostname, self._upstream.port)
        try:
            yield reader, writer
        finally:
            writer.close()

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, replies: bool = False
    ) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if self.latency:
                await asyncio.sleep(self.latency)
            if self.black_hole:
                continue
            if replies and self._random.random() < self.lose_replies:
                self.lost += 1
                _reset(writer)
                return
            size = self.slice_bytes or len(chunk)
            for start in range(0, len(chunk), size):
                writer.write(chunk[start : start + size])
                await writer.drain()


@contextlib.contextmanager
def dropped_connections() -> Iterator[None]:
    """Ignore the ResourceWarnings of cluster connections that redis-py drops.

    redis-py leaves connections to failed nodes, and those of cancelled calls, to the garbage collector, which
    closes them with a warning.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a RST: a linger time of 0 discards unsent bytes."""
    connection = cast("socket.socket | None", writer.get_extra_info("socket"))
    # uvloop keeps the socket of a closed transport, without a descriptor.
    if connection is not None and not writer.transport.is_closing():
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
