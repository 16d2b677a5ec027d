"""The site of a customer, on another origin than the API."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

# The content type and the body for a path; None for 404.
Answers = Callable[[str], tuple[str, str] | None]


@asynccontextmanager
async def site(answers: Answers, *, policy: str = "") -> AsyncIterator[str]:
    """The origin of a server with these answers, each with the Content-Security-Policy if one is given."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            # The browser opened this connection in advance and did not use it.
            writer.close()
            return
        found = answers(request.split(" ")[1])
        kind, text = found or ("text/plain", "")
        body = text.encode()
        head = [
            "HTTP/1.1 200 OK" if found else "HTTP/1.1 404 Not Found",
            f"Content-Type: {kind}; charset=utf-8",
            f"Content-Length: {len(body)}",
            "Connection: close",
            *([f"Content-Security-Policy: {policy}"] if policy else []),
        ]
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://localhost:{server.sockets[0].getsockname()[1]}"
