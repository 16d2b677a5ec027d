"""The blocking client's connections: one pool for each process."""

import os
import threading
import time
from collections import deque
from contextlib import suppress
from socket import socket
from typing import Any

import httpx

from tidings._calls.call import Answer, Call
from tidings._errors import ClientClosedError
from tidings._exchange import Exchange, Failure
from tidings._wire import KEPT_SECONDS, Wire, answer_of, failure_of


class Lane:
    """One connection, for one call at a time, with when it was used last."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        self.used = time.monotonic()
        self._stream: Any = None

    def ask(
        self, call: Call[Any], exchange: Exchange[Any], token: str, limits: httpx.Timeout
    ) -> Answer | Failure:
        """One try."""
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
    def connection(self) -> socket | None:
        """The socket, once there was an answer over it."""
        found = None if self._stream is None else self._stream.get_extra_info("socket")
        return found if isinstance(found, socket) else None

    def abandon(self) -> None:
        """Close this process' copy of the socket without a word to the server: the parent goes on with it."""
        if (connection := self.connection) is not None:
            with suppress(OSError):
                connection.close()


class Pool:
    """The connections of one process, and the gate before them.

    A call holds `gate` while it is under way. Each connection is a client of httpx by itself: in one for
    all of them every call costs time with each connection, and its timeout runs while it waits for one.
    """

    def __init__(self, wire: Wire, transport: httpx.BaseTransport | None) -> None:
        self.gate = threading.Semaphore(wire.max_connections)
        self._wire = wire
        self._shared = (
            None if transport is None else httpx.Client(transport=transport, **wire.httpx_options())
        )
        # The one used last is taken first, so that a quiet client keeps few.
        self._free: deque[Lane] = deque()
        self._closed = False

    def ask(
        self, call: Call[Any], exchange: Exchange[Any], token: str, limits: httpx.Timeout
    ) -> Answer | Failure:
        """One try, on a connection that is free."""
        lane = self._take()
        kept = False
        try:
            outcome = lane.ask(call, exchange, token, limits)
            kept = isinstance(outcome, Answer)
        finally:
            self._give_back(lane, kept=kept)
        return outcome

    def close(self) -> None:
        """Close the connections that are free now, and the others as soon as their calls are done."""
        self._closed = True
        with suppress(IndexError):
            while True:
                self._free.pop().http.close()
        if self._shared is not None:
            self._shared.close()

    def abandon(self) -> None:
        """Let go of the connections in a child process."""
        for lane in self._free:
            lane.abandon()

    def _take(self) -> Lane:
        if self._closed:
            raise ClientClosedError
        try:
            return self._free.pop()
        except IndexError:
            return Lane(self._shared or httpx.Client(**self._wire.httpx_options()))

    def _give_back(self, lane: Lane, *, kept: bool) -> None:
        lane.used = time.monotonic()
        if kept:
            self._free.append(lane)
        elif self._shared is None:
            lane.http.close()
        if self._closed:
            self.close()
        else:
            self._drop_old(lane.used)

    def _drop_old(self, now: float) -> None:
        """Close the connection that was free longest, once it was for too long."""
        with suppress(IndexError):
            if self._free[0].used < now - KEPT_SECONDS:
                oldest = self._free.popleft()
                if self._shared is None:
                    oldest.http.close()


class Pools:
    """The pool of this process. A child process after `fork` gets one of its own.

    Two processes that use one connection get each other's answers.
    """

    def __init__(self, wire: Wire, transport: httpx.BaseTransport | None) -> None:
        self._wire = wire
        self._transport = transport
        self._pools: dict[int, Pool] = {}
        self._closed = False

    def current(self) -> Pool:
        """The pool of this process. Raises ClientClosedError."""
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
        # Of several threads one wins; the pools of the others have no connection yet.
        return self._pools.setdefault(process, Pool(self._wire, self._transport))

    def _abandon_inherited(self, process: int) -> None:
        for other in tuple(self._pools):
            if other != process and (pool := self._pools.pop(other, None)) is not None:
                pool.abandon()
