"""The operator's port: metrics and health, and no harm from invalid requests."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.no_tls import NO_TLS
from tests.support.ports import free_port
from tidings_workers import operator
from tidings_workers.metrics import ACCEPTED, close_label, flush
from tidings_workers.operator import CONNECTIONS, HEAD_BYTES, Health, operator_port
from tidings_workers.store import StoreError


async def broken() -> None:
    raise ConnectionError("the storage is unavailable")


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
async def port(health: Health) -> AsyncIterator[int]:
    number = free_port()
    async with operator_port("127.0.0.1", number, health):
        yield number


async def ask(port: int, path: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client:
        return await client.get(f"http://127.0.0.1:{port}{path}")


async def raw(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        writer.write_eof()
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_metrics_are_served(port: int) -> None:
    """A counter that was raised is in the answer of /metrics."""
    ACCEPTED.inc()
    await flush()
    response = await ask(port, "/metrics")
    assert response.status_code == 200
    lines = dict(line.rsplit(" ", 1) for line in response.text.splitlines() if not line.startswith("#"))
    assert float(lines["tidings_accepted_total"]) >= 1


async def test_readiness_follows_the_process(port: int, health: Health) -> None:
    """It is not ready before the process serves, and ready while it does."""
    assert (await ask(port, "/health/ready")).status_code == 503
    health.serving = True
    assert (await ask(port, "/health/ready")).json() == {"status": "ok", "checks": {"serving": "ok"}}


async def test_a_failing_check_is_named() -> None:
    """Readiness names the failed check and its fault, and liveness does not depend on checks."""
    health, number = Health({"storage": broken}), free_port()
    health.serving = True
    async with operator_port("127.0.0.1", number, health):
        response = await ask(number, "/health/ready")
        assert response.status_code == 503
        assert response.json()["checks"]["storage"] == "ConnectionError: the storage is unavailable"
        assert (await ask(number, "/health/live")).status_code == 200


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /nothing HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", b"400"),
        (b"GET / SPDY/3\r\n\r\n", b"400"),
        (b"GET /" + b"a" * HEAD_BYTES + b" HTTP/1.1\r\n\r\n", b"431"),
        (b"GET /health/live", b""),
    ],
)
async def test_an_invalid_request_is_refused(port: int, request_: bytes, status: bytes) -> None:
    """An invalid request gets a 4xx or a closed connection, and the port still serves."""
    answer = await raw(port, request_)
    assert answer[9:12] == status or not answer
    assert (await ask(port, "/health/live")).status_code == 200


async def test_a_flood_takes_few_connections(port: int) -> None:
    """Idle connections above the limit are closed at once, and the port serves after others close."""
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS + 40)]
    try:
        late = [reader for reader, _ in idle[CONNECTIONS:]]
        for reader in late:
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 2) == b""
        for _, writer in idle[:CONNECTIONS]:
            writer.close()
            await writer.wait_closed()
        deadline = asyncio.get_running_loop().time() + 5
        while await raw(port, b"GET /health/live HTTP/1.1\r\n\r\n") == b"":
            assert asyncio.get_running_loop().time() < deadline
    finally:
        for _, writer in idle:
            writer.close()


async def long_winded() -> None:
    raise StoreError("x" * 20_000_000)


async def test_an_unread_answer_closes_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that does not read its answer is disconnected."""
    monkeypatch.setattr(operator, "REQUEST_SECONDS", 0.5)
    loop, number = asyncio.get_running_loop(), free_port()
    async with operator_port("127.0.0.1", number, Health({"storage": long_winded})):
        with socket.create_connection(("127.0.0.1", number)) as client:
            client.setblocking(False)
            await loop.sock_sendall(client, b"GET /health/ready HTTP/1.1\r\n\r\n")
            with pytest.raises(ConnectionError):
                await asyncio.wait_for(_knock(client), 5)


async def _knock(client: socket.socket) -> None:
    """Send repeatedly until the other side has closed the connection."""
    while True:
        await asyncio.get_running_loop().sock_sendall(client, b"more")
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8002", 200),
        ("[::1]:8002", 200),
        ("localhost", 200),
        ("LOCALHOST:8002", 200),
        ("gateway:8002", 200),
        ("my_gateway", 200),
        ("gateway.shop.svc.cluster.local:8002", 200),
        ("metrics.shop.example", 200),
        ("evil.example", 421),
        ("evil.example:8002", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("shop.example", 421),
        ("", 421),
        ("a b", 421),
    ],
)
@pytest.mark.parametrize("path", ["/metrics", "/health/live"])
async def test_a_page_of_another_site_reads_nothing(
    health: Health, host: str, status: int, path: str
) -> None:
    """A page that uses DNS rebinding has a public host name, which gets a 421 with the cure."""
    number = free_port()
    async with operator_port("127.0.0.1", number, health, ["metrics.shop.example"]):
        answer = await raw(number, f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert (b"TIDINGS_OPERATOR_NAMES" in answer) == (status == 421)


def test_an_unknown_close_code_adds_no_series() -> None:
    """Labels of close codes are from a fixed set, for every code that a client sends."""
    assert [close_label(code) for code in (4100, 1012, 3999, 4999, None)] == [
        "4100",
        "1012",
        "other",
        "other",
        "none",
    ]
