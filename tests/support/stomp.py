"""A STOMP client over a WebSocket that shows every frame."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.realtime import PATIENCE_SECONDS
from tidings_workers.gateway.stomp.frames import Frame, Version
from tidings_workers.gateway.stomp.parser import Parser


def client_frame(command: str, body: str = "", **headers: Any) -> bytes:
    """The bytes of a client's frame. In names of headers, `_` is `-`; nothing is escaped."""
    lines = [f"{name.replace('_', '-')}:{value}" for name, value in headers.items()]
    return "\n".join([command, *lines, "", body]).encode() + b"\0"


class StompClient:
    """One connection. Heartbeats are counted and skipped."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heartbeats = 0
        self._parser = Parser()

    async def send(self, command: str, body: str = "", **headers: Any) -> None:
        """Send a frame."""
        await self.write(client_frame(command, body, **headers))

    async def write(self, data: bytes) -> None:
        """Send bytes as one text message."""
        await self.socket.send(data.decode())

    async def next(self) -> Frame:
        """The next frame."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (frame := self._parser.next_frame()) is None:
                message = await self.socket.recv(decode=False)
                if message == b"\n":
                    self.heartbeats += 1
                self._parser.feed(message)
        return frame

    async def expect(self, command: str) -> Frame:
        """The next frame, which must have this command."""
        frame = await self.next()
        assert frame.command == command, frame
        return frame

    async def connected(self, version: Version = "1.2", **headers: Any) -> Frame:
        """Send CONNECT; the CONNECTED frame."""
        await self.send("CONNECT", accept_version=version, host="x", **headers)
        frame = await self.expect("CONNECTED")
        self._parser.version = version
        return frame

    async def subscribe(self, destination: str, identifier: str = "sub-0", **headers: Any) -> None:
        """Subscribe, and wait for the receipt."""
        receipt = f"receipt-{identifier}"
        await self.send("SUBSCRIBE", id=identifier, destination=destination, receipt=receipt, **headers)
        assert (await self.expect("RECEIPT")).headers["receipt-id"] == receipt

    async def closed(self) -> int | None:
        """Read up to the close; the close code of the server."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                while True:
                    await self.socket.recv()
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd is not None else None

    async def refused(self) -> tuple[str, int | None]:
        """The code in the next frame, which must be ERROR, and the close code behind it."""
        frame = await self.expect("ERROR")
        return frame.headers["message"], await self.closed()


@asynccontextmanager
async def stomp_socket(port: int, path: str = "/ws", **options: Any) -> AsyncIterator[StompClient]:
    """A client after the handshake of its WebSocket."""
    options = {"compression": None, "ping_interval": None, "close_timeout": 2} | options
    async with connect(f"ws://127.0.0.1:{port}{path}", proxy=None, **options) as socket:
        yield StompClient(socket)
