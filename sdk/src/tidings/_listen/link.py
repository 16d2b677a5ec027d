"""One connection of a live inbox, from its connect frame to its end."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from tidings._errors import RequestInfo, TimedOutError
from tidings._listen.access import AccessSource
from tidings._listen.backoff import Ending
from tidings._listen.errors import MalformedFrameError
from tidings._listen.events import Connected
from tidings._listen.outputs import Output, RefreshWanted
from tidings._listen.pace import Pace
from tidings._listen.session import Session, refresh
from tidings._reasons import timed_out

ACK_SECONDS: Final = 0.25
PROTOCOL_ERROR: Final = 1002

_logger = logging.getLogger("tidings")


class Link:
    """Passes the messages of one socket to the session, and sends the session's frames.

    `emit` gets each output in order. After each message the link waits for `room` before it reads the next
    one. `timeout` is the number of seconds in which the welcome must arrive.
    """

    def __init__(
        self,
        socket: ClientConnection,
        session: Session,
        access: AccessSource,
        *,
        emit: Callable[[Output], None],
        room: Callable[[], Awaitable[None]],
        timeout: float,
    ) -> None:
        self._socket = socket
        self._session = session
        self._access = access
        self._emit = emit
        self._room = room
        self._timeout = timeout
        self._pace = Pace()
        self._ack_due = asyncio.Event()
        self._helpers: list[asyncio.Task[None]] = []
        self._welcomed_at: float | None = None

    @property
    def welcomed(self) -> bool:
        """Whether frames other than `connect` may be sent."""
        return self._welcomed_at is not None

    async def run(self) -> Ending:
        """Serve the connection until it ends. Returns how it ended."""
        try:
            async with asyncio.TaskGroup() as tasks:
                ending = await self._read(tasks)
                for helper in self._helpers:
                    helper.cancel()
        finally:
            await self._socket.close()
        return ending

    async def send(self, frame: str) -> None:
        """Send a frame, not faster than the server allows. Does nothing if the connection has ended."""
        wait = self._pace.wait(time.monotonic())
        if wait:
            await asyncio.sleep(wait)
        with suppress(ConnectionClosed):
            await self._socket.send(frame)

    def ack_soon(self) -> None:
        """Acknowledge the handled positions within 0.25 s, in one frame with those handled until then."""
        self._ack_due.set()

    async def ack_now(self) -> None:
        """Acknowledge the handled positions, before the next frame."""
        await self._send_acks()

    async def leave(self) -> None:
        """Acknowledge the handled positions, and close."""
        if self.welcomed:
            await self._send_acks()
        await self._socket.close()

    async def _read(self, tasks: asyncio.TaskGroup) -> Ending:
        try:
            async with asyncio.timeout(self._timeout) as welcome_due:
                await self._socket.send(self._session.connect())
                while True:
                    message = await self._socket.recv()
                    for output in self._session.receive(message):
                        await self._handle(output, tasks)
                    if self.welcomed:
                        welcome_due.reschedule(None)
                    await self._room()
        except ConnectionClosed as closed:
            if closed.rcvd is None:
                return Ending(reason=broken_off(closed), open_seconds=self._open_seconds())
            return Ending(code=closed.rcvd.code, reason=closed.rcvd.reason, open_seconds=self._open_seconds())
        except MalformedFrameError as error:
            _logger.warning("%s; the inbox reconnects", error)
            await self._socket.close(PROTOCOL_ERROR)
            return Ending(reason=str(error), open_seconds=self._open_seconds())
        except TimeoutError:
            request = RequestInfo("GET", str(self._socket.request.path if self._socket.request else ""))
            return Ending(error=TimedOutError(timed_out("read", self._timeout), request=request))

    async def _handle(self, output: Output, tasks: asyncio.TaskGroup) -> None:
        match output:
            case RefreshWanted():
                if self._access.renewable:
                    self._helpers.append(tasks.create_task(self._refresh()))
                return
            case Connected():
                self._welcomed_at = time.monotonic()
                for frame in self._session.unanswered():
                    await self.send(frame)
                self._ack_due.set()
                self._helpers.append(tasks.create_task(self._acknowledge()))
            case _:
                pass
        self._emit(output)

    async def _acknowledge(self) -> None:
        """Send acknowledgements at most every 0.25 s, however fast the application is."""
        while True:
            await self._ack_due.wait()
            self._ack_due.clear()
            await self._send_acks()
            await asyncio.sleep(ACK_SECONDS)

    async def _send_acks(self) -> None:
        for frame in self._session.acks():
            await self.send(frame)

    async def _refresh(self) -> None:
        try:
            access = await self._access.get(renew=True)
        except Exception as error:  # noqa: BLE001 - the application's callable; the old token is still valid
            _logger.warning("the token could not be renewed; the next try follows its expiry: %s", error)
            return
        await self.send(refresh(access.token))

    def _open_seconds(self) -> float:
        return 0.0 if self._welcomed_at is None else time.monotonic() - self._welcomed_at


def broken_off(closed: ConnectionClosed) -> str:
    """The reason for the end of a connection without a close frame of the server."""
    if closed.sent is not None and closed.sent.code == CloseCode.INTERNAL_ERROR:  # our pings got no answer
        return "The server did not answer in time"
    return "The connection broke off"
