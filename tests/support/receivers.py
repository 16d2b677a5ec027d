"""A receiver of webhooks: a real HTTP server whose answers a test chooses."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NamedTuple

NOTHING: Final = b"HTTP/1.1 204 No Content\r\n\r\n"


class Received(NamedTuple):
    """One request."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The id of the event."""
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        """The event."""
        found: dict[str, Any] = json.loads(self.body)
        return found


Answer = Callable[[Received, asyncio.StreamWriter], Awaitable[bytes | None]]


def status(line: str, **headers: str) -> bytes:
    """An answer without a body."""
    fields = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {line}", *fields, "content-length: 0", "", ""]).encode()


class Receiver:
    """A running receiver. `answer` is the bytes of each answer, or makes them; None writes nothing more."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: bytes | Answer = NOTHING
        self.url = ""
        self._arrived = asyncio.Condition()

    @property
    def ids(self) -> list[str]:
        """The ids of the events that arrived, in order, repetitions included."""
        return [each.id for each in self.received]

    async def until(self, condition: Callable[["Receiver"], bool], seconds: float = 30) -> None:
        """Wait until the condition holds."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: condition(self))

    async def count(self, number: int, seconds: float = 30) -> None:
        """Wait until this many requests have arrived."""
        await self.until(lambda own: len(own.received) >= number, seconds)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                pairs = (line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                headers = {name.lower(): value for name, value in pairs}
                body = await reader.readexactly(int(headers["content-length"]))
                request = Received(headers, body)
                async with self._arrived:
                    self.received.append(request)
                    self._arrived.notify_all()
                answer = self.answer
                text = answer if isinstance(answer, bytes) else await answer(request, writer)
                if text is not None:
                    writer.write(text)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on loopback."""
    receiver = Receiver()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        # The end of the test cancels answers that never end.
        with suppress(asyncio.CancelledError):
            await receiver.serve(reader, writer)
        tasks.discard(task)
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks"
    try:
        yield receiver
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
