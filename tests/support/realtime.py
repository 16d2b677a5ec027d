"""A gateway as a process runs it, and two clients: one for WebSockets, one for bytes."""

import asyncio
import base64
import json
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tidings_workers import dispatcher, gateway
from tidings_workers.config import Settings

PATIENCE_SECONDS = 20.0
Frame = dict[str, Any]


@asynccontextmanager
async def running(
    run: Callable[[Settings, asyncio.Event, Callable[[], None]], Coroutine[Any, Any, None]],
    settings: Settings,
) -> AsyncIterator[asyncio.Event]:
    """A part of the server, ready. The yielded event stops it; so does the end of the context."""
    stop, ready = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run(settings, stop, ready.set))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await ready.wait()
        try:
            yield stop
        finally:
            stop.set()


def running_gateway(settings: Settings) -> Any:
    """A gateway at `settings.realtime_port`."""
    return running(gateway.run, settings)


def running_dispatcher(settings: Settings) -> Any:
    """A dispatcher with every partition that no other dispatcher has leased."""
    return running(dispatcher.run, settings)


class Client:
    """One WebSocket connection; `frames` has every received frame, in order."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[Frame] = []

    async def send(self, type: str, **fields: Any) -> None:
        """Send a frame."""
        await self.socket.send(json.dumps({"type": type, **fields}))

    async def next(self) -> Frame:
        """The next frame of any type."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            frame: Frame = json.loads(await self.socket.recv())
        self.frames.append(frame)
        return frame

    async def expect(self, type: str) -> Frame:
        """The next frame, which must be of that type."""
        frame = await self.next()
        assert frame["type"] == type, frame
        return frame

    async def until(self, type: str) -> list[Frame]:
        """Frames up to and with the first of that type."""
        found = [await self.next()]
        while found[-1]["type"] != type:
            found.append(await self.next())
        return found

    async def settle(self) -> list[Frame]:
        """All frames up to the answer to a ping, without that answer."""
        ref = os.urandom(4).hex()
        await self.send("ping", ref=ref)
        found = []
        while (frame := await self.next()) != {"type": "pong", "ref": ref}:
            found.append(frame)
        return found

    async def titles(self, count: int) -> list[str]:
        """The titles of the next `count` frames, which must all be notifications."""
        return [(await self.expect("notification"))["notification"]["title"] for _ in range(count)]

    async def closed(self, seconds: float = PATIENCE_SECONDS) -> int | None:
        """Read up to the close; the close code of the server, None without a close frame."""
        async with asyncio.timeout(seconds):
            try:
                while True:
                    self.frames.append(json.loads(await self.socket.recv()))
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd is not None else None

    def drop(self) -> None:
        """Drop the connection without a close frame, like a broken network."""
        self.socket.transport.abort()


class Realtime:
    """Connects clients to a gateway; `token` makes a token for a user."""

    def __init__(self, port: int, token: Callable[..., str]) -> None:
        self.port = port
        self.token = token

    def url(self, query: str = "") -> str:
        """The address of the endpoint."""
        return f"ws://127.0.0.1:{self.port}/v1/realtime{query}"

    @asynccontextmanager
    async def socket(
        self, *, url: str | None = None, headers: Iterable[tuple[str, str]] = (), **options: Any
    ) -> AsyncIterator[Client]:
        """A connection after its handshake."""
        options = {"compression": None, "ping_interval": None, "max_size": None, "close_timeout": 2} | options
        async with connect(
            url or self.url(), additional_headers=list(headers), proxy=None, **options
        ) as socket:
            yield Client(socket)

    @asynccontextmanager
    async def user(
        self, user: str, *, tenant: str = "demo", claims: dict[str, Any] | None = None, **fields: Any
    ) -> AsyncIterator[Client]:
        """A welcomed connection; the welcome is the first of its frames."""
        async with self.socket(headers=[self.bearer(user, tenant=tenant, **(claims or {}))]) as client:
            await client.send("connect", **fields)
            await client.expect("welcome")
            yield client

    @asynccontextmanager
    async def lazy(
        self, user: str, *, claims: dict[str, Any] | None = None, **fields: Any
    ) -> "AsyncIterator[Wire]":
        """A welcomed connection with a small receive buffer; bytes are read only on request."""
        async with Wire.slow(self.port) as wire:
            wire.write(handshake(": ".join(self.bearer(user, **(claims or {})))))
            status, _ = await wire.response()
            assert status == 101
            wire.write(masked(json.dumps({"type": "connect", **fields})))
            assert (await wire.message())["type"] == "welcome"
            yield wire

    def bearer(self, user: str, **claims: Any) -> tuple[str, str]:
        """The header with a token."""
        return "Authorization", f"Bearer {self.token(user, **claims)}"


class Wire:
    """A TCP connection to a gateway, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int) -> AsyncIterator[Self]:
        """A connection without a handshake."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield cls(reader, writer)
        finally:
            writer.transport.abort()

    @classmethod
    @asynccontextmanager
    async def slow(cls, port: int) -> AsyncIterator[Self]:
        """A connection with a small receive buffer, without a handshake; bytes are read only on request."""
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=raw, limit=4096)
        try:
            yield cls(reader, writer)
        finally:
            writer.transport.abort()

    @classmethod
    @asynccontextmanager
    async def opened(cls, port: int, *headers: str) -> AsyncIterator[Self]:
        """A connection after its handshake."""
        async with cls.to(port) as wire:
            wire.write(handshake(*headers))
            status, _ = await wire.response()
            assert status == 101
            yield wire

    def write(self, data: bytes) -> None:
        """Send bytes unchanged."""
        self.writer.write(data)

    async def response(self) -> tuple[int, dict[str, str]]:
        """The status and the headers, by lower-case name, of an HTTP answer."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        return int(first.split()[1]), {
            name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)
        }

    async def frame(self) -> tuple[int, bytes]:
        """The first byte and the payload of the next WebSocket frame."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            first, length = await self.reader.readexactly(2)
            if length == 126:
                (length,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return first, await self.reader.readexactly(length)

    async def message(self) -> Frame:
        """The next frame of the protocol."""
        first, payload = await self.frame()
        assert first == 0x81, (first, payload)
        frame: Frame = json.loads(payload)
        return frame

    async def close_code(self) -> int:
        """Read up to the close frame; its code."""
        while True:
            first, payload = await self.frame()
            if first == 0x88:
                code: int = struct.unpack("!H", payload[:2])[0]
                return code

    async def end(self) -> bytes:
        """All bytes up to the close of the connection."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""


def handshake(*headers: str, path: str = "/v1/realtime") -> bytes:
    """The bytes of an opening handshake with further headers."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def masked(payload: bytes | str, first: int = 0x81) -> bytes:
    """A client's frame (RFC 6455, section 5.2); `first` is FIN, the reserved bits and the opcode."""
    data = payload.encode() if isinstance(payload, str) else payload
    length = len(data)
    if length < 126:
        head = bytes((first, 0x80 | length))
    elif length < 65_536:
        head = struct.pack("!BBH", first, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, length)
    # A mask of zeroes is a mask, and leaves the payload readable.
    return head + b"\0\0\0\0" + data


def delivered(frames: Iterable[Frame]) -> list[tuple[str, int]]:
    """Log and position of every notification among frames, in order."""
    return [(frame["log"], frame["position"]) for frame in frames if frame["type"] == "notification"]
