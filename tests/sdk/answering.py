"""A server in its own process that accepts every send and answers with its title as the id.

`X-Request-Id` is the number of the connection. Started as `python -m tests.sdk.answering [CERTIFICATE]`,
it prints its port.
"""

import asyncio
import itertools
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SENT = {"status": "accepted", "durability": "everysec", "accepted_at": "2026-11-22T07:00:00.123Z"}
_numbers = itertools.count(1)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection in turn."""
    number = next(_numbers)
    try:
        while head := (await reader.readuntil(b"\r\n\r\n")).decode().lower():
            length = int(head.partition("content-length:")[2].partition("\r\n")[0])
            asked = json.loads(await reader.readexactly(length))
            body = json.dumps(SENT | {"id": asked["title"], "connection": number}).encode()
            writer.write(
                b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\n"
                b"x-request-id: %d\r\ncontent-length: %d\r\n\r\n%b" % (number, len(body), body)
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
        writer.close()


async def serve(certificate: str | None) -> None:
    """Serve until the process is stopped."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


@contextmanager
def answering(certificate: Path | None = None) -> Iterator[str]:
    """The URL of such a server."""
    command = [sys.executable, "-m", "tests.sdk.answering", *([str(certificate)] if certificate else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            yield f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1] if len(sys.argv) > 1 else None))
