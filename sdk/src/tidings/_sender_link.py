"""One connection of a sender, from its connect frame to its end."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tidings._errors import RequestInfo, TimedOutError
from tidings._listen.backoff import Ending
from tidings._listen.link import broken_off
from tidings._listen.session import refresh
from tidings._outbox import Outbox, ServerFrame
from tidings._reasons import timed_out
from tidings._wire import user_agent

_logger = logging.getLogger("tidings")
_decode: Final = msgspec.json.Decoder(ServerFrame).decode


class SenderLink:
    """Writes the frames of the outbox to one socket, and gives it the answers.

    `due` is set when the outbox has frames. `welcomed` is called when the connection is open. `renew` returns
    another token; None if there is no other. The welcome must arrive within `timeout` seconds.
    """

    def __init__(
        self,
        socket: ClientConnection,
        outbox: Outbox,
        due: asyncio.Event,
        *,
        welcomed: Callable[[], None],
        renew: Callable[[], Awaitable[str]] | None,
        url: str,
        timeout: float,
    ) -> None:
        self._socket = socket
        self._outbox = outbox
        self._due = due
        self._welcomed = welcomed
        self._renew = renew
        self._url = url
        self._timeout = timeout
        self._began: float | None = None
        self._helpers: list[asyncio.Task[None]] = []

    async def run(self) -> Ending:
        """Serve the connection until it ends. Returns how it ended."""
        try:
            await self._read()
        except ConnectionClosed as closed:
            if closed.rcvd is None:
                return Ending(reason=broken_off(closed), open_seconds=self._open_seconds())
            code, reason = closed.rcvd.code, closed.rcvd.reason
            return Ending(code=code, reason=reason, open_seconds=self._open_seconds())
        except TimeoutError:
            request = RequestInfo("GET", self._url)
            return Ending(error=TimedOutError(timed_out("read", self._timeout), request=request))
        except msgspec.MsgspecError as error:
            reason = f"The server sent a frame that is not valid: {error}"
            return Ending(reason=reason, open_seconds=self._open_seconds())
        finally:
            for helper in self._helpers:
                helper.cancel()
            await asyncio.gather(*self._helpers, return_exceptions=True)
            await self._socket.close()
        raise AssertionError("reading ends with an error")

    async def _read(self) -> None:
        async with asyncio.timeout(self._timeout) as welcome_due:
            connect = {"type": "connect", "inbox": False, "client": user_agent()}
            await self._socket.send(msgspec.json.encode(connect).decode())
            while True:
                frame = _decode(await self._socket.recv())
                self._receive(frame)
                if frame.type == "welcome":
                    welcome_due.reschedule(None)

    def _receive(self, frame: ServerFrame) -> None:
        match frame.type:
            case "accepted" | "error":
                if self._outbox.receive(frame):
                    self._due.set()
            case "welcome":
                self._began = time.monotonic()
                self._outbox.reconnected()
                self._due.set()
                self._helpers.append(asyncio.create_task(self._write()))
                self._welcomed()
            case "expiring" if self._renew is not None:
                self._helpers.append(asyncio.create_task(self._refresh(self._renew)))

    async def _write(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                await self._due.wait()
                self._due.clear()
                await asyncio.sleep(self._outbox.wait())
                while frame := self._outbox.take():
                    await self._socket.send(frame)

    async def _refresh(self, renew: Callable[[], Awaitable[str]]) -> None:
        try:
            token = await renew()
        except Exception as error:  # noqa: BLE001 - the application's callable; the old token is still valid
            _logger.warning("the token could not be renewed; the next try follows its expiry: %s", error)
            return
        with suppress(ConnectionClosed):
            await self._socket.send(refresh(token))

    def _open_seconds(self) -> float:
        return 0.0 if self._began is None else time.monotonic() - self._began
