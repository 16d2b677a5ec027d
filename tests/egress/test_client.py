"""Requests to URLs of tenants: the address that is reached, TLS, redirects, and time."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tidings_workers.egress import client as clients
from tidings_workers.egress import resolver
from tidings_workers.egress.addresses import networks_of
from tidings_workers.egress.client import Egress, EgressError, Late, Unreachable

LOOPBACK = networks_of("127.0.0.0/8, ::1")
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@asynccontextmanager
async def server(
    answer: bytes = ANSWER, tls: ssl.SSLContext | None = None, port: int = 0
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that answers each request with these bytes; its port, and the heads that it got."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    running = await asyncio.start_server(serve, "127.0.0.1", port, ssl=tls)
    async with running:
        yield running.sockets[0].getsockname()[1], heads


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    egress = Egress(LOOPBACK)
    yield egress
    egress.close()


async def test_an_answer(egress: Egress) -> None:
    """The answer has status and body, and the connection is used again."""
    async with server() as (port, heads):
        endpoint = egress.endpoint(f"http://127.0.0.1:{port}/a?b=c", 2)
        for _ in range(3):
            answer = await endpoint.post({"x-y": "z"}, b"")
            assert (answer.status, answer.body) == (200, b"{}")
        assert heads[0].startswith(b"POST /a?b=c HTTP/1.1\r\n")
        assert b"x-y: z\r\n" in heads[0]
        assert f"Host: 127.0.0.1:{port}\r\n".encode() in heads[0]
        await endpoint.close()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::ffff:7f00:1]", "0", "[::]", "[::1]"],
)
async def test_the_own_network(host: str) -> None:
    """No form of a loopback address is reached, and the error has no address."""
    egress = Egress(())
    async with server() as (port, heads):
        endpoint = egress.endpoint(f"http://{host}:{port}/", 2)
        with pytest.raises(EgressError) as raised:
            await endpoint.post({}, b"")
        assert "127" not in str(raised.value)
        assert heads == []
        await endpoint.close()
    egress.close()


async def test_a_name_that_changes_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is made to the address that was checked: a name is looked up once."""
    asked: list[str] = []

    def look_up(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    monkeypatch.setattr(resolver, "_look_up", look_up)
    egress = Egress(LOOPBACK)
    async with server() as (port, heads):
        endpoint = egress.endpoint(f"http://shop.example:{port}/", 2)
        await endpoint.post({}, b"")
        assert asked == ["shop.example"]
        assert b"Host: shop.example" in heads[0]
        await endpoint.close()
        again = egress.endpoint(f"http://shop.example:{port}/", 2)
        with pytest.raises(EgressError, match="not allowed"):
            await again.post({}, b"")
        await again.close()
    egress.close()


async def test_the_next_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that refuses, or does not answer, delays the next one of the host by little."""
    # Nothing listens on the first, and the backlog of the second is full.
    deaf = socket.socket()
    deaf.bind(("127.0.0.3", 0))
    deaf.listen(0)
    port = deaf.getsockname()[1]
    fillers = [socket.socket() for _ in range(8)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(("127.0.0.3", port))
    monkeypatch.setattr(resolver, "_look_up", lambda *_: ["127.0.0.2", "127.0.0.3", "127.0.0.1"])
    monkeypatch.setattr(clients, "ADDRESS_SECONDS", 0.2)
    egress = Egress(LOOPBACK)
    async with server(port=port) as (_, heads):
        endpoint = egress.endpoint(f"http://shop.example:{port}/", 2)
        assert (await endpoint.post({}, b"", 5)).status == 200
        assert len(heads) == 1
        await endpoint.close()
    egress.close()
    for each in (deaf, *fillers):
        each.close()


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
# Each of them is less than 256 KB, and would cost the HTTP parser a tenth of a second or more.
COSTLY = {
    "a head of short lines": OK + b"a:\r\n" * 15_000 + b"content-length: 2\r\n\r\n{}",
    "a head of one long line": OK + b"a:" + b"b" * 60_000 + b"\r\ncontent-length: 2\r\n\r\n{}",
    "interim answers": b"HTTP/1.1 100 C\r\n\r\n" * 3_000 + ANSWER,
    "trailers": CHUNKED + b"2\r\n{}\r\n0\r\n" + b"a:b\r\n" * 15_000 + b"\r\n",
    "a long size of a chunk": CHUNKED + b"2;" + b"x" * 60_000 + b"\r\n{}\r\n0\r\n\r\n",
    "tiny chunks": CHUNKED + b"1\r\n \r\n" * 10_000 + b"2\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", COSTLY)
async def test_answers_that_cost_time(egress: Egress, name: str) -> None:
    """An answer that is small, but costly to parse, is refused before it is parsed; the next one is read."""
    answers = [COSTLY[name], ANSWER]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answers.pop(0))
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as running:
        endpoint = egress.endpoint(f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}/", 2)
        with pytest.raises(EgressError, match="larger than 16 KB"):
            await endpoint.post({}, b"")
        assert (await endpoint.post({}, b"")).body == b"{}"
        await endpoint.close()


async def test_an_answer_byte_by_byte(egress: Egress) -> None:
    """A server that sends single bytes, as fast as it can, is refused after a limited number of reads."""
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
            while not writer.is_closing():
                writer.write(b"a")
                sent += 1
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as running:
        endpoint = egress.endpoint(f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}/", 2)
        with pytest.raises(EgressError, match="too few bytes"):
            await endpoint.post({}, b"")
        await endpoint.close()
    assert sent < 2 * clients.HEAD_BYTES


async def test_redirects_are_answers(egress: Egress) -> None:
    """A redirect is an answer like any other: it is not followed."""
    async with server(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n") as (
        port,
        heads,
    ):
        endpoint = egress.endpoint(f"http://127.0.0.1:{port}/", 2)
        assert (await endpoint.post({}, b"")).status == 302
        assert len(heads) == 1
        await endpoint.close()


async def test_the_proxy_of_the_environment(egress: Egress, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment is not used."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with server() as (port, _):
        endpoint = egress.endpoint(f"http://127.0.0.1:{port}/", 2)
        assert (await endpoint.post({}, b"")).status == 200
        await endpoint.close()


async def test_a_slow_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up that hangs is late for its own host alone, and many requests share it."""
    asked: list[str] = []

    def look_up(host: str, port: int) -> list[str]:
        asked.append(host)
        if host == "slow.example":
            time.sleep(1)
        return ["127.0.0.1"]

    monkeypatch.setattr(resolver, "_look_up", look_up)
    egress = Egress(LOOPBACK)
    async with server() as (port, _):
        slow = [egress.endpoint(f"http://slow.example:{port}/", 2) for _ in range(50)]
        fast = egress.endpoint(f"http://fast.example:{port}/", 2)
        began = time.monotonic()
        late = [asyncio.create_task(each.post({}, b"", 0.3)) for each in slow]
        await asyncio.sleep(0)
        assert (await fast.post({}, b"")).status == 200
        for each in late:
            with pytest.raises(Late):
                await each
        assert time.monotonic() - began < 0.9
        assert asked.count("slow.example") == 1
        for endpoint in (*slow, fast):
            await endpoint.close()
    egress.close()


async def test_nothing_listens(egress: Egress) -> None:
    """A refused connection, and a host without an address, are unreachable."""
    async with server() as (port, _):
        pass
    for url in (f"http://127.0.0.1:{port}/", "http://nowhere.invalid/", f"http://{'x' * 64}.example/"):
        endpoint = egress.endpoint(url, 2)
        with pytest.raises(Unreachable):
            await endpoint.post({}, b"")
        await endpoint.close()


async def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate has to be of the host's name, and of a known authority."""
    authority = Authority(tmp_path)
    monkeypatch.setattr(resolver, "_look_up", lambda *_: ["127.0.0.1"])
    async with server(tls=authority.server_context()) as (port, heads):

        async def status(host: str) -> int:
            egress = Egress(LOOPBACK)
            endpoint = egress.endpoint(f"https://{host}:{port}/", 2)
            try:
                return (await endpoint.post({}, b"")).status
            finally:
                await endpoint.close()
                egress.close()

        with pytest.raises(EgressError, match="certificate"):
            await status("localhost")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
        assert await status("localhost") == 200
        with pytest.raises(EgressError, match="certificate"):
            await status("shop.example")
        assert len(heads) == 1


async def test_the_default_time_limit(egress: Egress, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a limit of the caller everything together takes ten seconds at most."""
    assert clients.SECONDS == 10
    async with server(b"HTTP/1.1 200 OK\r\n") as (port, _):
        endpoint = egress.endpoint(f"http://127.0.0.1:{port}/", 2)
        began = time.monotonic()
        with pytest.raises(Late):
            await endpoint.post({}, b"", 0.2)
        assert time.monotonic() - began < 5
        await endpoint.close()
