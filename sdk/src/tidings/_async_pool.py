"""The async client's connections: one pool for each event loop."""

import asyncio
import os
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tidings._calls.call import Answer, Call
from tidings._errors import ClientClosedError
from tidings._exchange import Exchange, Failure
from tidings._wire import KEPT_SECONDS, Wire, answer_of, failure_of


class AsyncPool:
    """The connections of one event loop, and the semaphore that limits calls; as `Pool`."""

    def __init__(self, wire: Wire, transport: httpx.AsyncBaseTransport | None) -> None:
        self.process = os.getpid()
        self.gate = asyncio.Semaphore(wire.max_connections)
        self.closer: AsyncGenerator[None, None] | None = None
        self._wire = wire
        self._shared = (
            None if transport is None else httpx.AsyncClient(transport=transport, **wire.httpx_options())
        )
        # Each with the time of its last use. The last used one is taken first.
        self._free: deque[tuple[httpx.AsyncClient, float]] = deque()
        self._closed = False

    async def request(
        self, call: Call[Any], exchange: Exchange[Any], token: str, limits: httpx.Timeout
    ) -> Answer | Failure:
        """Make one try, on a free connection."""
        if self._closed:
            raise ClientClosedError
        if self._free:
            http, _ = self._free.pop()
        else:
            http = self._shared or httpx.AsyncClient(**self._wire.httpx_options())
        kept = False
        try:
            response = await http.request(
                call.method,
                exchange.url,
                params=call.query or None,
                content=call.body,
                headers=exchange.headers(token),
                timeout=limits,
            )
            kept = True
        except httpx.RequestError as error:
            return failure_of(error, limits)
        finally:
            await self._release(http, kept=kept)
        return answer_of(response)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[httpx.AsyncClient]:
        """As `Pool.alone`."""
        if self._closed:
            raise ClientClosedError
        if self._shared is not None:
            yield self._shared
        else:
            async with httpx.AsyncClient(**self._wire.httpx_options()) as http:
                yield http

    async def close(self) -> None:
        """Close the free connections now, and the others when their calls are finished."""
        self._closed = True
        while self._free:
            await self._free.pop()[0].aclose()
        if self._shared is not None:
            await self._shared.aclose()

    async def _release(self, http: httpx.AsyncClient, *, kept: bool) -> None:
        now = time.monotonic()
        if kept:
            self._free.append((http, now))
        elif self._shared is None:
            await http.aclose()
        if self._closed:
            await self.close()
        elif self._free and self._free[0][1] < now - KEPT_SECONDS:
            oldest, _ = self._free.popleft()
            if self._shared is None:
                await oldest.aclose()


class AsyncPools:
    """One pool for each event loop, for any number of loops in any number of threads.

    A connection belongs to the loop that opened it. When a loop ends, as `asyncio.run` ends it, its pool is
    closed. After `fork` the loops of the child process get their own pools.
    """

    def __init__(self, wire: Wire, transport: httpx.AsyncBaseTransport | None) -> None:
        self._wire = wire
        self._transport = transport
        self._pools: dict[asyncio.AbstractEventLoop, AsyncPool | None] = {}
        # Referenced so that they are not closed: that would end the connections of the parent process.
        self._inherited: list[AsyncPool] = []

    async def current(self) -> AsyncPool:
        """The pool of the running loop. Raises ClientClosedError after `close`."""
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None or pool.process != os.getpid():
            return await self._open(loop)
        return pool

    def open(self) -> None:
        """Allow calls of the running loop again after `close`."""
        loop = asyncio.get_running_loop()
        if self._pools.get(loop) is None:
            self._pools.pop(loop, None)

    async def close(self) -> None:
        """Close the connections of the running loop."""
        loop = asyncio.get_running_loop()
        self._forget()
        pool, self._pools[loop] = self._pools.get(loop), None
        if pool is not None and pool.closer is not None:
            await pool.closer.aclose()

    async def _open(self, loop: asyncio.AbstractEventLoop) -> AsyncPool:
        self._forget()
        if loop in self._pools:
            raise ClientClosedError
        pool = self._pools[loop] = AsyncPool(self._wire, self._transport)
        # asyncio closes the async generators of a loop when the loop ends. This one closes the pool.
        pool.closer = self._close_with_loop(loop, pool)
        await anext(pool.closer)
        return pool

    async def _close_with_loop(
        self, loop: asyncio.AbstractEventLoop, pool: AsyncPool
    ) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            if self._pools.get(loop) is pool:
                del self._pools[loop]
            await pool.close()

    def _forget(self) -> None:
        """Drop the pools of loops that have ended, and those of a parent process."""
        for loop, pool in tuple(self._pools.items()):
            if pool is not None and pool.process != os.getpid():
                self._inherited.append(pool)
                self._pools.pop(loop, None)
            elif loop.is_closed():
                self._pools.pop(loop, None)
