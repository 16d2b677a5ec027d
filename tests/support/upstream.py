"""An upstream: a real HTTP server whose answers a test chooses, also those that no framework would give."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from standardwebhooks import Webhook

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
LOOPBACK = "127.0.0.0/8"


class Called:
    """One request that the upstream got, with its verified body."""

    def __init__(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        self.path = path
        self.headers = headers
        # Raises WebhookVerificationError for a wrong signature: the test then sees no call.
        Webhook(SECRET).verify(body, dict(headers))
        self.body: dict[str, Any] = json.loads(body)

    @property
    def data(self) -> dict[str, Any]:
        """The message."""
        found: dict[str, Any] = self.body["data"]
        return found

    @property
    def id(self) -> str:
        """The id of the message."""
        return self.headers["webhook-id"]


Handler = Callable[[Called, asyncio.StreamWriter], Awaitable[None]]


def answer(status: str = "200 OK", body: bytes | None = None, **headers: str) -> bytes:
    """The bytes of an answer."""
    fields = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        fields.append(f"content-length: {len(body)}")
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode() + (body or b"")


def json_answer(**parts: Any) -> bytes:
    """An answer with the status 200 and these parts."""
    return answer(body=json.dumps(parts).encode(), content_type="application/json")


NOTHING = answer("204 No Content")


class Upstream:
    """A running upstream. Without a handler it answers 204."""

    def __init__(self) -> None:
        self.calls: list[Called] = []
        self.handler: Handler | None = None
        self.connections = 0
        self.port = 0
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}/upstream?v=1"

    async def count(self) -> int:
        """The number of calls."""
        return len(self.calls)

    def answers(self, *data: bytes) -> None:
        """Answer the calls with these bytes, the last one for all further calls."""
        rest = list(data)

        async def handler(_: Called, writer: asyncio.StreamWriter) -> None:
            writer.write(rest.pop(0) if len(rest) > 1 else rest[0])

        self.handler = handler

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        try:
            # `close` cancels it.
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while not writer.is_closing():
                    await self._answer(reader, writer)
        finally:
            del self._open[task]
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = head[0].split()
        fields = (each.partition(":") for each in head[1:-2])
        headers = {name.lower(): value.strip() for name, _, value in fields}
        assert method == "POST"
        called = Called(path, headers, await reader.readexactly(int(headers["content-length"])))
        self.calls.append(called)
        if self.handler is None:
            writer.write(NOTHING)
        else:
            await self.handler(called, writer)
        if not writer.is_closing():
            await writer.drain()

    async def close(self) -> None:
        """Drop all connections."""
        tasks = list(self._open)
        for writer in self._open.values():
            writer.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def running_upstream() -> AsyncIterator[Upstream]:
    """An upstream on a free port of the loopback address."""
    upstream = Upstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        await upstream.close()
