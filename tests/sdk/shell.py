"""The command `tidings` in its own process, and an API on a socket for it."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.sdk.gateway import KEY


async def tidings(
    *arguments: str, url: str = "http://127.0.0.1:9", key: str = KEY, stdin: bytes | None = None, **more: str
) -> Process:
    """The started command, with `more` variables in its environment, and `stdin` in a pipe."""
    environment = {"TIDINGS_URL": url, "TIDINGS_KEY": key, "PATH": "/usr/bin", "TZ": "UTC", "COLUMNS": "200"}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        "-c",
        "from tidings.cli import main; main()",
        *arguments,
        stdin=DEVNULL if stdin is None else PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env=environment | more,
    )


async def finished(*arguments: str, **options: Any) -> tuple[int | None, str, str]:
    """Exit code, stdout and stderr."""
    process = await tidings(*arguments, **options)
    out, err = await process.communicate(options.get("stdin"))
    return process.returncode, out.decode(), err.decode()


class Api:
    """An API on a real socket: one canned answer per method and path."""

    def __init__(self, answers: dict[str, tuple[int, Any]]) -> None:
        self.answers = answers
        self.bodies: list[Any] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split(" ", 2)
        length = next(
            (int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0
        )
        self.bodies.append(json.loads(await reader.readexactly(length)) if length else target)
        status, answer = self.answers[f"{method} {target.partition('?')[0]}"]
        body = b"" if answer is None else json.dumps(answer).encode()
        writer.write(
            f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        )
        writer.write(body)
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def playing(answers: dict[str, tuple[int, Any]]) -> AsyncIterator[Api]:
    api = Api(answers)
    server = await asyncio.start_server(api.serve, "127.0.0.1", 0)
    async with server:
        api.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield api
