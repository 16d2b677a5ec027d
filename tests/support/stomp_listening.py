"""STOMP clients that record every message, with a device that acknowledges each."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterable

from websockets.asyncio.client import ClientConnection

from tests.support.listening import Arrival, Listener, running
from tests.support.stack import Installation
from tests.support.stomp import client_frame
from tidings_workers.gateway.stomp.frames import Frame
from tidings_workers.gateway.stomp.parser import Parser

INBOX = "/user/queue/notifications"
_SUBSCRIBE = client_frame("SUBSCRIBE", id="0", destination=INBOX, ack="client-individual", receipt="r")
# The server has no storage for the moment, or the address has too many refusals.
_TEMPORARY = {"overloaded", "storage_unavailable", "rate_limited"}


class StompListener(Listener):
    """A client of one user; it reconnects, and its device continues after what it acknowledged.

    `arrivals` has what the client shows: it drops a message whose position it has. `repeated` counts those.
    """

    def __init__(self, at: Installation, user: str) -> None:
        super().__init__(at, user, at.realtime.replace("/v1/realtime", "/ws"))
        self.repeated = 0

    async def _listen(self, socket: ClientConnection) -> None:
        parser = Parser()
        parser.version = "1.2"
        await socket.send(client_frame("CONNECT", accept_version="1.2", host="x", device="till"), text=True)
        async for message in socket:
            parser.feed(message if isinstance(message, bytes) else message.encode())
            while (frame := parser.next_frame()) is not None:
                await self._handle(socket, frame)

    async def _handle(self, socket: ClientConnection, frame: Frame) -> None:
        match frame.command:
            case "CONNECTED":
                await socket.send(_SUBSCRIBE, text=True)
            case "RECEIPT":
                self.welcomes += 1
                self.welcomed.set()
            case "MESSAGE":
                self._show(frame)
                await socket.send(client_frame("ACK", id=frame.headers["ack"]), text=True)
            case "ERROR" if frame.headers["message"] not in _TEMPORARY:
                self.wrong.append(f"{self.user}: {frame}")

    def _show(self, frame: Frame) -> None:
        log, position = frame.headers["tidings-log"], int(frame.headers["tidings-position"])
        if position <= self.positions.get(log, 0):
            self.repeated += 1
            return
        self.positions[log] = position
        n = json.loads(frame.body)["n"]
        self.arrivals.append(Arrival(log, position, n, frame.headers["tidings-id"]))
        self.counts[n] += 1


@contextlib.asynccontextmanager
async def listening_by_stomp(at: Installation, users: Iterable[str]) -> AsyncIterator[list[StompListener]]:
    """Listeners, one per user, all subscribed."""
    async with running([StompListener(at, user) for user in users]) as listeners:
        yield listeners
