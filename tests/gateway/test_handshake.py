"""The opening handshake: no frame before its response, large heads, and errors that say what to do."""

import asyncio
import functools
import json
import os
import re
import time
from collections.abc import Callable

import jwt
import pytest

from tests.support.costly import MOST_PER_BYTE, cost_per_byte
from tests.support.realtime import Realtime, Wire, handshake, masked
from tests.support.sending import eventually
from tidings.protocol import limits
from tidings_workers.gateway.handshake import accept, check
from tidings_workers.gateway.head import HEAD_BYTES, Head
from tidings_workers.gateway.plain_handshake import Handshake
from tidings_workers.registry import Registry, RegistryView
from tidings_workers.store import Store
from tidings_workers.tokens import Verifier

CONNECT = masked('{"type":"connect"}')
PING = masked("hello", 0x89)


def unknown_key(user: str) -> str:
    """A token of an unknown key; the gateway refreshes its view of the registry before it answers."""
    now = int(time.time())
    claims = {"iss": "demo", "sub": user, "aud": "tidings", "iat": now, "exp": now + 60, "scope": "inbox"}
    return jwt.encode(claims, "x" * 32, "HS256", headers={"kid": "k99"})


async def everything(wire: Wire) -> bytes:
    """All bytes up to the close of the connection, also when it is reset."""
    received = b""
    async with asyncio.timeout(10):
        try:
            while chunk := await wire.reader.read(65_536):
                received += chunk
        except ConnectionResetError:
            pass
    return received


async def test_no_frame_before_a_refusal(realtime: Realtime, store: Store) -> None:
    """Frames behind a refused request open no session, also when the gateway asks the store first."""
    for header in (f"Authorization: Bearer {unknown_key('ana')}", "Authorization: Bearer a.b.c"):
        for pause in (False, True):
            async with Wire.to(realtime.port) as wire:
                wire.write(handshake(header) + (b"" if pause else PING + CONNECT))
                if pause:
                    await asyncio.sleep(0)
                    wire.write(PING + CONNECT)
                answer = await everything(wire)
            assert answer.startswith(b"HTTP/1.1 401 ")
            head, _, body = answer.partition(b"\r\n\r\n")
            assert b"content-length: %d\r\n" % len(body) in head.lower() + b"\r\n"
            assert json.loads(body)["code"] == "invalid_token"
    presence = await store.connections.presence("demo", "ana")
    assert presence == ([], None)


async def test_frames_behind_the_request_are_answered_after_it(realtime: Realtime) -> None:
    """A client that does not wait for the response gets it first, and then the answers to its frames."""
    authorization = "Authorization: " + realtime.bearer("ana")[1]
    async with Wire.to(realtime.port) as wire:
        wire.write(handshake(authorization) + PING + CONNECT + masked('{"type":"ping","ref":1}'))
        status, _ = await wire.response()
        assert status == 101
        assert await wire.frame() == (0x8A, b"hello")
        assert (await wire.message())["type"] == "welcome"
        assert await wire.message() == {"type": "pong", "ref": 1}


async def test_cookies_of_the_host(realtime: Realtime) -> None:
    """A browser with three cookies of 3,900 bytes connects, also with one line of almost 64 KB."""
    cookies = "Cookie: " + "; ".join(f"session{number}={'x' * 3900}" for number in range(3))
    request = handshake(cookies)
    whole = handshake("Cookie: " + "x" * (HEAD_BYTES - len(handshake("Cookie: "))))
    assert len(whole) == HEAD_BYTES
    for sent in (request, whole):
        async with Wire.to(realtime.port) as wire:
            wire.write(sent)
            assert (await wire.response())[0] == 101


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        (["Cookie: " + "x" * HEAD_BYTES], 431, "cookies"),
        (["Cookie: " + "x" * 10 * HEAD_BYTES], 431, "cookies"),
        ([f"X-{number}: y" for number in range(200)], 431, "128 headers"),
        (["Connection: " + "x," * 1000], 400, "too long"),
        (["Sec-WebSocket-Protocol: " + "x," * 1000], 400, "too long"),
        (["Content-Length: 5"], 400, "handshake"),
        (["Transfer-Encoding: chunked"], 400, "handshake"),
        ([" folded: x"], 400, "handshake"),
        (["Origin: https://a.example", "Origin: https://b.example"], 400, "Origin"),
        (["Authorization: Basic eDp5"], 401, "Bearer <token>"),
        (["Authorization: Bearer demo.k1.secret"], 401, "This is a key"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_head_that_is_refused(
    realtime: Realtime, headers: list[str], status: int, words: str
) -> None:
    """A head that is too large or no handshake gets a status and a reason."""
    async with Wire.to(realtime.port) as wire:
        wire.write(handshake(*headers))
        seen, answer = await wire.response()
        body = json.loads(await wire.end())
    assert (seen, body["status"], answer["content-type"]) == (status, status, "application/problem+json")
    assert words in body["detail"]


@pytest.mark.parametrize(
    ("request_line", "headers", "body", "status"),
    [
        ("GET /", [], b"", 404),
        ("POST /v1/notifications", ["Content-Type: application/json"], b"x" * 1_000_000, 404),
        ("POST /v1/notifications", ["Transfer-Encoding: chunked"], b"5\r\nhello\r\n0\r\n\r\n", 404),
        ("GET /v1/notifications?limit=1", [], b"", 404),
        ("HEAD /v1/users/ana/notifications", [], b"", 404),
        ("GET /v1/realtime", [], b"", 426),
        ("HEAD /v1/realtime?x=1", [], b"", 426),
        ("POST /v1/realtime", [], b"{}", 426),
        ("GET /" + "x" * 10_000, [], b"", 414),
        ("BREW /pot", [], b"", 404),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_requests_that_are_no_websocket(
    realtime: Realtime, request_line: str, headers: list[str], body: bytes, status: int
) -> None:
    """A request meant for the API gets an answer that names the API, whether it has a body or not."""
    length = [] if "Transfer-Encoding: chunked" in headers else [f"Content-Length: {len(body)}"]
    lines = [f"{request_line} HTTP/1.1", "Host: x", *headers, *length]
    async with Wire.to(realtime.port) as wire:
        wire.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        seen, answer = await wire.response()
        content = await wire.end()
    assert (seen, answer["content-type"]) == (status, "application/problem+json")
    if request_line.startswith("HEAD "):
        assert content == b""
        assert int(answer["content-length"]) > 0
        return
    problem = json.loads(content)
    assert problem["status"] == status
    assert {404: "realtime port", 426: "only WebSockets", 414: "address"}[status] in problem["detail"]


async def test_listed_origins(realtime: Realtime, registry: Registry) -> None:
    """A page of a listed subdomain, international host or application may connect, and no other page."""
    listed = [
        "https://app.example",
        "https://*.shop.example",
        "https://münchen.example",
        "capacitor://localhost",
    ]
    await registry.update_tenant("listed", origins=listed)
    pages = {
        "https://a.shop.example": 101,
        "https://xn--mnchen-3ya.example": 101,
        "capacitor://localhost": 101,
        "https://shop.example": 403,
        "null": 403,
    }
    authorization = "Authorization: " + realtime.bearer("ana", tenant="listed")[1]

    async def status(origin: str) -> int:
        async with Wire.to(realtime.port) as wire:
            wire.write(handshake(authorization, f"Origin: {origin}"))
            return (await wire.response())[0]

    # The gateway sees the change within a second.
    await eventually(functools.partial(status, "capacitor://localhost"), expected=101)
    assert {origin: await status(origin) for origin in pages} == pages


async def test_tls_is_refused_at_once(realtime: Realtime) -> None:
    """Bytes that are not HTTP, such as TLS, get an answer at once."""
    async with Wire.to(realtime.port) as wire:
        wire.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500))
        assert (await wire.response())[0] == 400


async def test_a_flood_of_small_frames_ends_early(realtime: Realtime) -> None:
    """The gateway decodes few more frames of a flood than the limit."""
    async with Wire.opened(realtime.port, "Authorization: " + realtime.bearer("ana")[1]) as wire:
        wire.write(masked("", 0x89) * 40_000)
        frames = [await wire.frame()]
        while frames[-1][0] != 0x88:
            frames.append(await wire.frame())
        rest = await wire.end()
    assert frames[-1][1][:2] == (4101).to_bytes(2)
    assert limits.FRAMES_BURST <= len(frames) + len(rest) // 2 < 2_000


LISTS: dict[str, Callable[[int], list[str]]] = {
    "items of Connection": lambda size: ["Connection: " + "a," * (size // 2)],
    "items of Upgrade": lambda size: ["Upgrade: " + "a," * (size // 2)],
    "subprotocols": lambda size: ["Sec-WebSocket-Protocol: " + "a," * (size // 2)],
    "extensions": lambda size: ["Sec-WebSocket-Extensions: " + "a;b=c," * (size // 6)],
    "headers": lambda size: ["a:" for _ in range(size // 4)],
    "repeated lists": lambda size: [f"Connection: {'a,' * (size // 200)}" for _ in range(100)],
    "a long key": lambda size: ["Sec-WebSocket-Key: " + "A" * size],
    "cookies": lambda size: ["Cookie: " + "a=b; " * (size // 5)],
    "blanks": lambda size: ["Cookie:" + " " * size],
    "an origin": lambda size: ["Origin: https://" + "a." * (size // 2)],
    "a token": lambda size: ["Authorization: Bearer " + "a." * (size // 2)],
    "dots and blanks": lambda size: ["Authorization: " + " " * size],
    "broken lines": lambda size: ["\n" * size],
}


@pytest.mark.parametrize("name", LISTS)
def test_a_costly_head_is_judged_cheaply(name: str, verifier: Verifier, view: RegistryView) -> None:
    """The CPU time for a head is bounded by its length."""
    head = handshake(*LISTS[name](60_000))
    assert judged_cost(head, verifier, view) < MOST_PER_BYTE


@pytest.mark.parametrize("query", ["a&", "token", "a=b&", "%74", "&", "=eyJ", "=eyJa.", "=eyJa-"])
def test_a_costly_query_is_judged_cheaply(query: str, verifier: Verifier, view: RegistryView) -> None:
    """The CPU time for a request's address is bounded by its length."""
    head = handshake(path="/v1/realtime?" + query * (8_000 // len(query)))
    assert judged_cost(head, verifier, view) < MOST_PER_BYTE


def judged_cost(head: bytes, verifier: Verifier, view: RegistryView) -> float:
    def judge() -> None:
        found = Head().feed(head)
        if isinstance(found, Handshake):
            check(found, verifier, view)
            accept(found)

    # A head that arrives in pieces is searched once, not from its start each time.
    def dribble() -> None:
        reader = Head()
        for start in range(0, len(head), 512):
            if reader.feed(head[start : start + 512]) is not None:
                return

    return max(cost_per_byte(judge, len(head)), cost_per_byte(dribble, len(head)))


@pytest.fixture
def view(store: Store) -> RegistryView:
    return RegistryView(store.redis)


@pytest.fixture
def verifier(view: RegistryView) -> Verifier:
    return Verifier(view)


async def test_an_id_of_a_connection_names_no_process(realtime: Realtime) -> None:
    """The connection id that a client sees reveals nothing about the gateway's process."""
    async with realtime.user("ana") as ana:
        name = ana.frames[0]["connection"].rpartition("-")[0].rpartition("-")[0]
    assert re.fullmatch("w[0-9a-f]{16}", name)
