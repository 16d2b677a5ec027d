"""The blocking client's connections: one pool for each process."""

import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import socket
from typing import Any

import httpx

from tidings._calls.call import Answer, Call
from tidings._errors import ClientClosedError
from tidings._exchange import Exchange, Failure
from tidings._wire import KEPT_SECONDS, Wire, answer_of, failure_of


class PooledConnection:
    """One connection, for one call at a time, with the time of its last use."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        self.used = time.monotonic()
        self._stream: Any = None

    def request(
        self, call: Call[Any], exchange: Exchange[Any], token: str, limits: httpx.Timeout
    ) -> Answer | Failure:
        """Make one try."""
        try:
            response = self.http.request(
                call.method,
                exchange.url,
                params=call.query or None,
                content=call.body,
                headers=exchange.headers(token),
                timeout=limits,
            )
        except httpx.RequestError as error:
            return failure_of(error, limits)
        self._stream = response.extensions.get("network_stream")
        return answer_of(response)

    @property
    def raw_socket(self) -> socket | None:
        """The socket; None before the first answer."""
        found = None if self._stream is None else self._stream.get_extra_info("socket")
        return found if isinstance(found, socket) else None

    def abandon(self) -> None:
        """Close this process' copy of the socket, but not the connection: the parent still uses it."""
        if (raw := self.raw_socket) is not None:
            with suppress(OSError):
                raw.close()


class Pool:
    """The connections of one process, and the semaphore that limits calls.

    A call acquires `gate` while it runs. Each connection has its own `httpx.Client`: with one client for all
    connections, each call would take time in proportion to their number, and its timeout would include the
    wait for a free connection.
    """

    def __init__(self, wire: Wire, transport: httpx.BaseTransport | None) -> None:
        self.gate = threading.Semaphore(wire.max_connections)
        self._wire = wire
        self._shared = (
            None if transport is None else httpx.Client(transport=transport, **wire.httpx_options())
        )
        # The last used one is taken first, so that a client with few calls keeps few connections.
        self._free: deque[PooledConnection] = deque()
        self._closed = False

    def request(
        self, call: Call[Any], exchange: Exchange[Any], token: str, limits: httpx.Timeout
    ) -> Answer | Failure:
        """Make one try, on a free connection."""
        connection = self._acquire()
        kept = False
        try:
            outcome = connection.request(call, exchange, token, limits)
            kept = isinstance(outcome, Answer)
        finally:
            self._release(connection, kept=kept)
        return outcome

    @contextmanager
    def alone(self) -> Iterator[httpx.Client]:
        """A connection of its own for a long answer, which neither takes part in the limit nor is kept."""
        if self._closed:
            raise ClientClosedError
        if self._shared is not None:
            yield self._shared
        else:
            with httpx.Client(**self._wire.httpx_options()) as http:
                yield http

    def close(self) -> None:
        """Close the free connections now, and the others when their calls are finished."""
        self._closed = True
        with suppress(IndexError):
            while True:
                self._free.pop().http.close()
        if self._shared is not None:
            self._shared.close()

    def abandon(self) -> None:
        """Drop the connections in a child process."""
        for connection in self._free:
            connection.abandon()

    def _acquire(self) -> PooledConnection:
        if self._closed:
            raise ClientClosedError
        try:
            return self._free.pop()
        except IndexError:
            return PooledConnection(self._shared or httpx.Client(**self._wire.httpx_options()))

    def _release(self, connection: PooledConnection, *, kept: bool) -> None:
        connection.used = time.monotonic()
        if kept:
            self._free.append(connection)
        elif self._shared is None:
            connection.http.close()
        if self._closed:
            self.close()
        else:
            self._drop_old(connection.used)

    def _drop_old(self, now: float) -> None:
        """Close the connection that was free longest, if that was for 30 s (`KEPT_SECONDS`)."""
        with suppress(IndexError):
            if self._free[0].used < now - KEPT_SECONDS:
                oldest = self._free.popleft()
                if self._shared is None:
                    oldest.http.close()


class Pools:
    """The pool of this process. A child process after `fork` gets its own.

    Two processes that share a connection would receive each other's answers.
    """

    def __init__(self, wire: Wire, transport: httpx.BaseTransport | None) -> None:
        self._wire = wire
        self._transport = transport
        self._pools: dict[int, Pool] = {}
        self._closed = False

    def current(self) -> Pool:
        """The pool of this process. Raises ClientClosedError after `close`."""
        process = os.getpid()
        return self._pools.get(process) or self._open(process)

    def open(self) -> None:
        """Allow calls again after `close`."""
        self._closed = False

    def close(self) -> None:
        """Close the connections of this process."""
        self._closed = True
        self._abandon_inherited(os.getpid())
        if (pool := self._pools.pop(os.getpid(), None)) is not None:
            pool.close()

    def _open(self, process: int) -> Pool:
        if self._closed:
            raise ClientClosedError
        self._abandon_inherited(process)
        # If several threads open a pool, all use the first one; the others have no connection yet.
        return self._pools.setdefault(process, Pool(self._wire, self._transport))

    def _abandon_inherited(self, process: int) -> None:
        for other in tuple(self._pools):
            if other != process and (pool := self._pools.pop(other, None)) is not None:
                pool.abandon()
