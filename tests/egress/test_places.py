"""Connections to URLs of tenants: requests that end early keep none of them."""

import asyncio
from contextlib import suppress

import pytest

from tests.support.sending import eventually
from tidings_workers.egress.addresses import networks_of
from tidings_workers.egress.client import Egress, Late
from tidings_workers.egress.urls import read_url

LOOPBACK = networks_of("127.0.0.0/8, ::1")
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Server:
    """Answers each request after `wait` seconds, or reads and answers nothing. `open`: its connections."""

    def __init__(self, *, answers: bool = True) -> None:
        self.open = self.connections = 0
        self.wait = 0.0
        self._answers = answers

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.open += 1
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while self._answers:
                await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(self.wait)
                writer.write(ANSWER)
            await reader.read()
        self.open -= 1
        writer.close()


async def test_requests_that_end_early() -> None:
    """Requests that are late or cancelled at any moment keep no place: the next ones are answered."""
    server, egress = Server(), Egress(LOOPBACK)
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as running:
        endpoint = egress.endpoint(f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}/", 2)
        for _ in range(5):
            with pytest.raises(Late):
                await endpoint.post({}, b"", 0)
        server.wait = 0.001
        for ticks in range(40):
            tasks = [asyncio.create_task(endpoint.post({}, b"")) for _ in range(3)]
            for _ in range(ticks):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        server.wait = 0
        before = server.connections
        answers = await asyncio.gather(*(endpoint.post({}, b"") for _ in range(20)))
        assert [each.status for each in answers] == [200] * 20
        assert server.connections <= before + 2
        await endpoint.close()
        await eventually(lambda: still_open(server), expected=0)
    egress.close()


async def still_open(server: Server) -> int:
    return server.open


async def test_a_handshake_of_tls_without_an_answer() -> None:
    """A server that never answers the handshake of TLS gets the connection closed with each late request."""
    server, egress = Server(answers=False), Egress(LOOPBACK)
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as running:
        endpoint = egress.endpoint(f"https://localhost:{running.sockets[0].getsockname()[1]}/", 4)
        for _ in range(4):
            with pytest.raises(Late):
                await endpoint.post({}, b"", 0.1)
        await eventually(lambda: still_open(server), expected=0)
        assert server.connections
        await endpoint.close()
    egress.close()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://shop.example/", "shop.example"),
        ("https://shop.example:443/", "shop.example"),
        ("http://shop.example:443/", "shop.example:443"),
        ("https://[2606:4700::1]/", "[2606:4700::1]"),
        ("http://[::1]:9000/", "[::1]:9000"),
    ],
)
def test_the_host_header(url: str, expected: str) -> None:
    """The header has the port if it is not the usual one, and an IPv6 address in brackets."""
    assert read_url(url).authority == expected
