"""HTTP on the realtime port, beside WebSockets, within limits of size and time."""

import asyncio
import gc
import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest

from tests.support.costly import MOST_PER_BYTE, cost_per_byte
from tests.support.no_tls import NO_TLS
from tests.support.realtime import Realtime, Wire
from tests.support.sending import eventually
from tidings_workers.gateway.head import HttpRefusal
from tidings_workers.gateway.http import HttpConnection
from tidings_workers.gateway.requests import BODY_BYTES, HEAD_BYTES, HttpRequest, RequestReader


def request(first: str = "GET /ws/info", *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join((f"{first} HTTP/1.1", "Host: x", *headers, "", "")).encode() + body


async def test_several_requests_on_one_connection(realtime: Realtime) -> None:
    """A client sends requests one after the other, and some at once; each gets its response, in order."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{realtime.port}", verify=NO_TLS) as client:
        for _ in range(3):
            assert (await client.get("/ws")).text == "Welcome to SockJS!\n"
            assert (await client.get("/ws/info")).json()["websocket"] is True
    async with Wire.to(realtime.port) as wire:
        wire.write(
            request("GET /ws") + request("GET /ws/info?t=1") + request("HEAD /ws") + request("GET /ws/")
        )
        for _ in range(4):
            status, headers = await wire.response()
            assert (status, headers["connection"]) == (200, "keep-alive")
            length = int(headers["content-length"])
            if length != 19:
                assert json.loads(await wire.reader.readexactly(length))["cookie_needed"] is False
            elif _ != 2:
                assert await wire.reader.readexactly(length) == b"Welcome to SockJS!\n"


async def test_pages_of_other_origins(realtime: Realtime) -> None:
    """A browser lets a page of another origin read the information, after its preflight."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{realtime.port}", verify=NO_TLS) as client:
        asked = {"Origin": "https://shop.example", "Access-Control-Request-Headers": "x-csrf"}
        answer = await client.options("/ws/info", headers=asked)
        assert (answer.status_code, answer.headers["access-control-allow-headers"]) == (204, "x-csrf")
        kept = parsedate_to_datetime(answer.headers["expires"]) - datetime.now(UTC)
        assert timedelta(days=360) < kept < timedelta(days=370)
        answer = await client.get("/ws/info", headers={"Origin": "https://shop.example"})
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["vary"] == "Origin"
    assert "no-store" in answer.headers["cache-control"]


CHUNKED = "Transfer-Encoding: chunked"
TOO_LARGE = BODY_BYTES + 1

BROKEN: dict[str, tuple[bytes, int]] = {
    "no Host": (b"GET /ws/info HTTP/1.1\r\n\r\n", 400),
    "an empty Host": (b"GET /ws/info HTTP/1.1\r\nHost:\r\n\r\n", 400),
    "two Hosts": (request("GET /ws", "Host: y"), 400),
    "two Origins": (request("GET /ws", "Origin: https://a.example", "Origin: https://b.example"), 400),
    "a bare LF": (b"GET /ws/info HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400),
    "a folded header": (request("GET /ws", "A: b\r\n c"), 400),
    "a blank before a colon": (request("GET /ws", "A : b"), 400),
    "a NUL": (request("GET /ws", "A: b\0c"), 400),
    "both lengths": (
        request("POST /ws", "Content-Length: 3", CHUNKED, body=b"3\r\nabc\r\n0\r\n\r\n"),
        400,
    ),
    "two lengths": (request("POST /ws", "Content-Length: 3", "Content-Length: 3", body=b"abc"), 400),
    "a signed length": (request("POST /ws", "Content-Length: +3", body=b"abc"), 400),
    "another encoding": (request("POST /ws", "Transfer-Encoding: gzip", body=b"abc"), 400),
    "a broken chunk": (request("POST /ws", CHUNKED, body=b"x\r\nabc\r\n"), 400),
    "a chunk with LF": (request("POST /ws", CHUNKED, body=b"3\nabc\n0\n\n"), 400),
    "another method": (request("DELETE /ws"), 405),
    "large headers": (request("GET /ws", "Cookie: " + "x" * HEAD_BYTES), 431),
    "many headers": (request("GET /ws", *(f"A{number}: b" for number in range(130))), 431),
    "a large body": (request("POST /ws", f"Content-Length: {TOO_LARGE}", body=b"x" * TOO_LARGE), 413),
    "a large chunk": (request("POST /ws", CHUNKED, body=b"fffff\r\n" + b"x" * 2**20), 413),
    "many small chunks": (request("POST /ws", CHUNKED, body=b"1\r\nx\r\n" * 200_000), 413),
    "long extensions of chunks": (
        request("POST /ws", CHUNKED, body=(b"1;a=" + b"b" * 9_000 + b"\r\nx\r\n") * 100),
        413,
    ),
    "another path of a second request": (request("GET /other"), 404),
    "no upgrade": (request("GET /ws/websocket"), 426),
    "no upgrade for a session": (request("GET /ws/a/b/websocket"), 426),
    "an upgrade by POST": (request("POST /ws/a/b/websocket"), 405),
}  # fmt: skip


async def test_requests_that_are_refused(realtime: Realtime) -> None:
    """A request that breaks a rule or a limit gets an error, and nothing behind it is handled."""
    for name, (data, expected) in BROKEN.items():
        for before in ([], [200]):
            async with Wire.to(realtime.port) as wire:
                wire.write(request("GET /ws") * len(before) + data + request("GET /ws"))
                answer = await wire.end()
            statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", answer)]
            assert statuses == [*before, expected], name
            document = json.loads(answer.rpartition(b"\r\n\r\n")[2])
            assert document["status"] == expected
            assert document["detail"].endswith("."), name


async def test_a_client_that_sends_no_more(realtime: Realtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unfinished request and an idle connection are closed, and leave nothing behind."""
    monkeypatch.setattr("tidings_workers.gateway.http.REQUEST_SECONDS", 0.1)
    monkeypatch.setattr("tidings_workers.gateway.http.IDLE_SECONDS", 0.1)
    # The gateways of earlier tests are garbage with cycles.
    gc.collect()
    for sent in (request("POST /ws", "Content-Length: 5", body=b"x"), request("GET /ws")):
        async with Wire.to(realtime.port) as wire:
            wire.write(sent)
            await wire.end()

    async def remain() -> bool:
        return any(type(each) is HttpConnection for each in gc.get_objects())

    await eventually(remain, expected=False)


async def test_a_client_that_reads_nothing(realtime: Realtime) -> None:
    """Many requests of a client that reads no response wait in the kernel and not in the gateway."""
    async with Wire.to(realtime.port) as wire:
        # The reader of this client pauses its transport after a few responses.
        wire.write(request() * 1_000_000)
        await asyncio.sleep(0.5)
        # Requests that the gateway does not read remain here.
        assert wire.writer.transport.get_write_buffer_size() > 10_000_000


def test_slices_change_nothing() -> None:
    """The same bytes give the same requests, wherever they are cut."""
    data = (
        request("POST /ws/a/b/xhr_send?x=1", "Content-Length: 3", "A: 1", "A: 2", body=b"abc")
        + request("POST /ws", CHUNKED, body=b"2\r\nab\r\n1\r\nc\r\n0\r\nHost: t\r\n\r\n")
        + request("DELETE /ws")
    )
    results: list[list[HttpRequest | HttpRefusal]] = []
    for size in (len(data), 50, 7, 1):
        reader = RequestReader()
        for start in range(0, len(data), size):
            reader.feed(data[start : start + size])
        results.append(list(reader.ready))
    assert all(result == results[0] for result in results)
    first, second, third = results[0]
    assert isinstance(first, HttpRequest)
    assert isinstance(second, HttpRequest)
    assert isinstance(third, HttpRefusal)
    assert (first.path, first.query, first.headers["a"], first.body) == (
        "/ws/a/b/xhr_send",
        "x=1",
        "1, 2",
        b"abc",
    )
    assert (second.body, second.headers["host"]) == (b"abc", "x")


@pytest.mark.parametrize("slice_bytes", [1 << 20, 512])
@pytest.mark.parametrize(
    "name", ["large headers", "many headers", "many small chunks", "long extensions of chunks"]
)
def test_the_cost_is_linear(name: str, slice_bytes: int) -> None:
    """The CPU time for a request is bounded by the number of its bytes, also when it arrives in pieces."""
    data = BROKEN[name][0]

    def read() -> None:
        reader = RequestReader()
        for start in range(0, len(data), slice_bytes):
            reader.feed(data[start : start + slice_bytes])
        reader.close()

    assert cost_per_byte(read, len(data)) < MOST_PER_BYTE
