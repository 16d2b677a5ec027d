"""Runs the session of one live inbox over one connection after another.

It stops when the inbox is closed, or when a close code says to stay away.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable

import msgspec

from tidings._errors import TidingsError
from tidings._listen.access import AccessSource
from tidings._listen.backoff import Backoff, Ending, Reconnect, ReconnectPolicy
from tidings._listen.errors import ConnectionClosedError
from tidings._listen.events import Connected, Disconnected
from tidings._listen.link import Link
from tidings._listen.outputs import Output
from tidings._listen.session import Session
from tidings._listen.socket import open_socket
from tidings._wire import Wire

_logger = logging.getLogger("tidings")


class ConnectOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the connections of one live inbox are made.

    The timeout of `wire` limits opening a connection, and the wait for its welcome. `first_tries` limits the
    tries until the first welcome; after that `policy` alone decides.
    """

    access: AccessSource
    wire: Wire
    policy: ReconnectPolicy
    first_tries: int


class SessionRunner:
    """Opens one connection at a time, and reconnects as the policy of `options` says.

    `emit` gets each output of the session, and a `Disconnected` for each end that is not the last. The next
    connection waits for `room`.
    """

    def __init__(
        self,
        session: Session,
        options: ConnectOptions,
        *,
        room: Callable[[], Awaitable[None]],
        emit: Callable[[Output | Disconnected], None],
    ) -> None:
        self._session = session
        self._access = options.access
        self._wire = options.wire
        self._backoff = Backoff(options.policy, random.random)
        self._first_tries = options.first_tries
        self._room = room
        self._emit_outside = emit
        self._link: Link | None = None
        self._leaving = False
        self.has_connected = False

    @property
    def link(self) -> Link | None:
        """The open connection, after its welcome, when frames may be sent; else None."""
        return self._link if self._link is not None and self._link.welcomed else None

    async def run(self) -> None:
        """Connect and reconnect until `leave`. Raises an error if reconnecting cannot help."""
        renew = False
        while True:
            ending = await self._connect(renew=renew)
            if self._leaving:
                return
            plan = self._plan(ending)
            await asyncio.sleep(plan.wait)
            await self._room()
            renew = plan.renew

    async def leave(self) -> None:
        """Acknowledge the handled positions, close, and do not reconnect."""
        self._leaving = True
        if self._link is not None:
            await self._link.leave()

    def _plan(self, ending: Ending) -> Reconnect:
        """When to reconnect. Raises if that cannot help, or if the first tries are used up."""
        plan = self._backoff.after(ending, renewable=self._access.renewable)
        reason = str(ending.error) if ending.error else ending.reason
        if self.has_connected or self._backoff.failures < self._first_tries:
            _logger.info(
                "%s%s; the inbox reconnects in %.1f s",
                reason or "The connection ended",
                "" if ending.code is None else f" [{ending.code}]",
                plan.wait,
            )
        if self.has_connected:
            self._emit_outside(Disconnected(ending.code, reason, plan.wait))
        elif self._backoff.failures >= self._first_tries:
            raise ending.error or ConnectionClosedError(ending.code, ending.reason)
        return plan

    async def _connect(self, *, renew: bool) -> Ending:
        """Open one connection and serve it. Returns how it ended."""
        try:
            access = await self._access.get(renew=renew)
        except TidingsError as error:
            # The client has retried the request already. Only an inbox that was connected before goes on.
            if not self.has_connected:
                raise
            return Ending(error=error)
        fresh = access.fresh or renew
        try:
            socket = await open_socket(access, self._wire, now=time.time())
        except TidingsError as error:
            return Ending(error=error, fresh=fresh)
        self._link = Link(
            socket,
            self._session,
            self._access,
            emit=self._emit,
            room=self._room,
            timeout=self._wire.timeout,
        )
        try:
            return msgspec.structs.replace(await self._link.run(), fresh=fresh)
        finally:
            self._link = None

    def _emit(self, output: Output) -> None:
        if isinstance(output, Connected):
            self.has_connected = True
        self._emit_outside(output)
