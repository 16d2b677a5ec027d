"""The limits of connections to the API: idle, within a head, and with unread answers."""

import asyncio
import contextlib
import errno
import os
import resource
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.api.conftest import Bearer, serving
from tests.support.no_tls import NO_TLS
from tidings_api import connections, server
from tidings_api.connections import HEAD_SECONDS, UNREAD_SECONDS, Counters, Watched
from tidings_workers.config import Settings
from tidings_workers.registry import Registry

LIVE = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n"
# Here a check comes every 0.2 s instead of every second, so the 5 checks for a head take one second.
PERIOD = 0.2


@pytest.fixture
async def port(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """The port of an API that checks its connections five times as often."""
    monkeypatch.setattr(server, "CHECK_SECONDS", PERIOD)
    async with serving(settings):
        yield settings.port


async def answered(reader: asyncio.StreamReader) -> bool:
    """Read one answer of /health/live; False when the connection was closed."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return False
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    await reader.readexactly(int(length.split(b":")[1]))
    return head.startswith(b"HTTP/1.1 200")


async def seconds_until_closed(reader: asyncio.StreamReader) -> float:
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 20) == b""
    return time.monotonic() - began


async def test_a_kept_connection_stays_open_while_it_is_idle(port: int) -> None:
    """A connection that was idle for longer than the limit of a head serves the next request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(LIVE)
        assert await answered(reader)
        await asyncio.sleep(2 * HEAD_SECONDS * PERIOD)
    writer.close()


async def test_idle_connections_outlast_those_of_load_balancers(settings: Settings) -> None:
    """A connection serves a request after 6 idle seconds, and its limit exceeds the 60 s of balancers."""
    assert connections.IDLE_SECONDS > 60
    async with serving(settings):
        reader, writer = await asyncio.open_connection("127.0.0.1", settings.port)
        writer.write(LIVE)
        assert await answered(reader)
        await asyncio.sleep(6)
        writer.write(LIVE)
        assert await answered(reader)
        writer.close()


@pytest.mark.parametrize("served_before", [False, True])
async def test_a_head_that_does_not_end_closes_its_connection(port: int, served_before: bool) -> None:
    """A head that arrives byte by byte has five seconds, on a new connection and on an idle one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    if served_before:
        writer.write(LIVE)
        assert await answered(reader)
        await asyncio.sleep(2 * HEAD_SECONDS * PERIOD)

    async def drip() -> None:
        with contextlib.suppress(ConnectionError):
            for byte in LIVE[:-4] + b"x" * 500:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(PERIOD / 4)

    dripping = asyncio.create_task(drip())
    assert await seconds_until_closed(reader) < 10 * HEAD_SECONDS * PERIOD
    dripping.cancel()
    writer.close()


async def test_a_connection_without_a_request_is_closed(port: int) -> None:
    """A connection that sends nothing is closed after the time for a head."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await seconds_until_closed(reader) < 10 * HEAD_SECONDS * PERIOD
    writer.close()


@contextlib.contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Within this block the process cannot open another file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.dup(0)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 50, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in taken:
            os.close(descriptor)


async def test_silent_connections_are_closed_when_no_descriptor_is_left(port: int) -> None:
    """Silent connections are closed in time also when they use all descriptors of the process."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    # Both ends are in this process, and the server cannot accept its end later. It accepts connections in
    # order, so it has this one when it answers on a later one.
    async with httpx.AsyncClient(verify=NO_TLS) as client:
        assert (await client.get(f"http://127.0.0.1:{port}/health/live")).is_success
    with no_descriptor_left():
        assert await seconds_until_closed(reader) < 10 * HEAD_SECONDS * PERIOD
    writer.close()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_clients_with_one_port_number_are_distinct_on_an_ipv6_socket() -> None:
    """Two IPv4 clients with the same port number are checked separately, also on a socket of IPv6."""
    listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    port = listener.getsockname()[1]
    first = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
    own_port = first[1].get_extra_info("sockname")[1]
    second = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.3", own_port))
    served = [listener.accept()[0] for _ in range(2)]
    watching = connections.Connections(port, Counter())
    for _ in range(HEAD_SECONDS):
        await watching.check()
    assert not any(reader.at_eof() for reader in (first[0], second[0]))
    watching.close()
    for _, writer in (first, second):
        writer.close()
    for connection in (*served, listener):
        connection.close()


async def test_a_slow_body_has_its_own_limit(port: int, bearer: Bearer, registry: Registry) -> None:
    """The limit of heads does not apply to a request whose body is still arriving."""
    assert await registry.list_tenants()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b'{"to":{"users":["ana"]},"title":"x"}'
    writer.write(
        b"POST /v1/notifications HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"authorization: %b\r\ncontent-length: %d\r\n\r\n"
        % (bearer("send")["authorization"].encode(), len(body))
    )
    for byte in body:
        writer.write(bytes([byte]))
        await asyncio.sleep(3 * HEAD_SECONDS * PERIOD / len(body))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 202")
    writer.close()


async def test_answers_that_are_not_read_close_their_connection(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that reads no byte of its answers is disconnected, which frees their memory."""
    monkeypatch.setattr(connections, "UNREAD_SECONDS", 5)
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * 100)
        async with asyncio.timeout(20):
            while (error := client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)) == 0:  # noqa: ASYNC110
                await asyncio.sleep(PERIOD)
        assert error == errno.ECONNRESET


def test_a_slow_reader_keeps_its_connection() -> None:
    """A client that reads a little every 20 seconds is not disconnected."""
    watched = Watched()
    for check in range(10 * UNREAD_SECONDS):
        assert watched.overdue(Counters(10, 9_000, 1_000 + check // 20, 5_000), active=True) is None


def test_checks_count_and_not_time() -> None:
    """After a stall of minutes no connection is overdue, because checks are counted and not time."""
    watched = Watched()
    assert watched.overdue(Counters(600_000, 300_000, 500, 0), active=False) is None
    assert watched.overdue(Counters(900_000, 600_000, 500, 0), active=False) is None
