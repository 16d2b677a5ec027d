"""Answers of receivers that are slow, or that no client should read to their end."""

import asyncio
from typing import Final

from tests.support.receivers import NOTHING, Received, status

FAILURE: Final = status("500 Internal Server Error")
SLOW_SECONDS: Final = 2.0
_MEGABYTE: Final = 1024 * 1024


async def never(request: Received, writer: asyncio.StreamWriter) -> bytes | None:
    """Answer nothing."""
    await asyncio.sleep(3600)
    return None


async def slow(request: Received, writer: asyncio.StreamWriter) -> bytes | None:
    """Take the event after two seconds."""
    await asyncio.sleep(SLOW_SECONDS)
    return NOTHING


async def trickle(request: Received, writer: asyncio.StreamWriter) -> bytes | None:
    """Answer a head and then one byte after the other, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def redirect(request: Received, writer: asyncio.StreamWriter) -> bytes | None:
    """Name another address."""
    return status("302 Found", location="http://127.0.0.1:1/")


async def garbage(request: Received, writer: asyncio.StreamWriter) -> bytes | None:
    """Answer with bytes that are not HTTP."""
    return b"\x00\xff" * 100 + b"\r\n\r\n"


class Gigabyte:
    """Answers with a gigabyte, as far as the client reads it. `most` is the most that one client took."""

    def __init__(self) -> None:
        self.most = 0

    async def __call__(self, _request: Received, writer: asyncio.StreamWriter) -> bytes | None:
        """Write until the client closes the connection."""
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n")
        for number in range(1024):
            writer.write(bytes(_MEGABYTE))
            await writer.drain()
            self.most = max(self.most, (number + 1) * _MEGABYTE)
        return None
