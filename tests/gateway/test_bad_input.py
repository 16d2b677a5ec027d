"""Invalid input harms only its own connection, and each fault has its own answer."""

import asyncio
import json
import random
from typing import Any

import pytest

from tests.support.realtime import Realtime, Wire, handshake, masked
from tidings.protocol import limits
from tidings.protocol.frames import SUBPROTOCOL

CONNECT = masked('{"type":"connect"}')


@pytest.fixture
def authorization(realtime: Realtime) -> str:
    return "Authorization: " + realtime.bearer("ana")[1]


async def test_no_connect_in_time(realtime: Realtime) -> None:
    """A client that sends no `connect` within 5 s is closed with 4006; a slow request is dropped."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with (
        Wire.opened(realtime.port) as silent,
        Wire.opened(realtime.port) as chatty,
        Wire.to(realtime.port) as slow,
        Wire.to(realtime.port) as mute,
    ):

        async def dribble() -> None:
            for byte in handshake():
                slow.write(bytes((byte,)))
                chatty.write(masked("", 0x89))
                await asyncio.sleep(0.2)

        dribbling = asyncio.create_task(dribble())
        closed = silent.close_code(), chatty.close_code(), slow.end(), mute.end()
        assert list(await asyncio.gather(*closed)) == [4006, 4006, b"", b""]
        assert limits.CONNECT_SECONDS <= loop.time() - started < limits.CONNECT_SECONDS + 2
        dribbling.cancel()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (masked("hello"), 4000),
        (masked("[]"), 4000),
        (masked('"connect"'), 4000),
        (masked("{}"), 4000),
        (masked(""), 4000),
        (masked('{"type":"connect"'), 4000),
        (masked('{"type":1}'), 4000),
        (masked('{"type":"connect","device":"a b"}'), 4000),
        (masked('{"type":"connect","rewind":201}'), 4000),
        (masked('{"type":"connect","rewind":1,"resume":{"epoch":"e"}}'), 4000),
        (masked('{"type":"connect","resume":{"epoch":"e","positions":{"user":-1}}}'), 4000),
        (masked('{"type":"connect","resume":{"epoch":"e","positions":{"user":1e400}}}'), 4000),
        (masked('{"type":"connect","resume":{"epoch":"e","positions":{"user":1.5}}}'), 4000),
        (masked('{"type":"connect","device":"\\ud800"}'), 4000),
        (masked("[" * 20_000), 4000),
        (masked('{"type":"connect","x":' + "[" * 20_000), 4000),
        (masked('{"type":"ack","positions":{}}'), 4000),
        (CONNECT + CONNECT, 4000),
        (masked(b'{"type":"\xff"}'), 1007),
        (masked(b"\xc3", 0x01) + masked(b"\x28", 0x80), 1007),
        (masked(b"\0\1", 0x82), 1003),
        (masked(b"\0\1", 0x02), 1003),
        (masked(" " * (limits.FRAME_BYTES + 1)), 1009),
        (masked(" " * limits.FRAME_BYTES, 0x01) + masked(" ", 0x80), 1009),
        (b"\x81\x02{}", 1002),
        (masked("{}", 0xC1), 1002),
        (masked("{}", 0x83), 1002),
        (masked("", 0x80), 1002),
        (masked("x" * 126, 0x89), 1002),
        (masked("", 0x01) + CONNECT, 1002),
        (masked('{"type":"ping"}'), 4000),
        (masked('{"type":"nonsense"}'), 4000),
        (CONNECT + masked('{"type":"nonsense"}') * (limits.FRAMES_BURST + 50), 4101),
        (masked("x" * 125, 0x89) * (limits.FRAMES_BURST + 50), 4101),
        (masked("", 0x01) + masked("", 0x00) * (limits.FRAMES_BURST + 50), 4101),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, int) else repr(value[:50]),
)
async def test_closed(realtime: Realtime, authorization: str, data: bytes, code: int) -> None:
    """Input that breaks the protocol closes the connection with the code of the fault."""
    async with Wire.opened(realtime.port, authorization) as wire:
        wire.write(data)
        assert await wire.close_code() == code


async def test_stays_open(realtime: Realtime, authorization: str) -> None:
    """A frame with a known type and invalid content gets an error, and the connection stays open."""
    async with Wire.opened(realtime.port, authorization) as wire:
        wire.write(CONNECT)
        assert (await wire.message())["type"] == "welcome"
        for unknown, ref in (('"r"', "r"), ("7", 7), ("[1]", None), ("1e308", None)):
            wire.write(masked(f'{{"type":"dance","ref":{unknown}}}'))
            answer = await wire.message()
            assert (answer["type"], answer["code"], answer.get("ref")) == ("error", "unknown_type", ref)
        for wrong in (
            '{"type":"ack"}',
            '{"type":"ack","positions":{"user":-1}}',
            '{"type":"ack","positions":{"user":9007199254740993}}',
            '{"type":"ack","positions":{"user":1e300}}',
            '{"type":"refresh"}',
            '{"type":"mark","state":"bogus"}',
        ):
            wire.write(masked(wrong))
            answer = await wire.message()
            assert (answer["type"], answer["code"]) == ("error", "invalid_request")
        wire.write(masked('{"type":"ack","positions":{"nowhere":7,"user":9007199254740991}}'))
        wire.write(masked('{"type":"ping","ref":"\\u0000x","more":[[]]}'))
        assert await wire.message() == {"type": "pong", "ref": "\x00x"}


async def test_frames_right_behind_connect(realtime: Realtime, authorization: str) -> None:
    """Frames sent together with `connect` are answered after the welcome, in order."""
    async with Wire.opened(realtime.port, authorization) as wire:
        wire.write(
            CONNECT
            + masked('{"type":"ping","ref":1}')
            + masked('{"type":"ack","positions":{"user":0}}')
            + masked('{"type":"mark","state":"read","all":true,"ref":2}')
            + masked('{"type":"dance","ref":3}')
        )
        answers = [await wire.message() for _ in range(4)]
    assert [answer["type"] for answer in answers[:2]] == ["welcome", "pong"]
    assert sorted((answer["type"], answer["ref"]) for answer in answers[1:]) == [
        ("error", 3),
        ("pong", 1),
        ("state", 2),
    ]


async def test_largest_frame(realtime: Realtime, authorization: str) -> None:
    """A message of exactly 64 KB is accepted, whole or in fragments with a ping between them."""
    ping = b'{"type":"ping","ref":1}'
    padded = ping + b" " * (limits.FRAME_BYTES - len(ping))
    async with Wire.opened(realtime.port, authorization) as wire:
        wire.write(CONNECT)
        assert (await wire.message())["type"] == "welcome"
        wire.write(masked(padded))
        assert await wire.message() == {"type": "pong", "ref": 1}
        wire.write(masked(padded[:10], 0x01) + masked("beat", 0x89) + masked(padded[10:40_000], 0x00))
        assert await wire.frame() == (0x8A, b"beat")
        wire.write(masked(padded[40_000:], 0x80))
        assert await wire.message() == {"type": "pong", "ref": 1}


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/", [], 404, "not_found"),
        ("/v1/realtime/", [], 404, "not_found"),
        ("//[", [], 404, "not_found"),
        ("/v1/realtime?token=x", [], 401, "invalid_token"),
        ("/v1/realtime?Access_Token=x", [], 401, "invalid_token"),
        ("/v1/realtime", ["Authorization: {good}", "Authorization: {good}"], 401, "invalid_token"),
        ("/v1/realtime", ["Authorization: Basic eDp5"], 401, "invalid_token"),
        ("/v1/realtime", ["Authorization: Bearer"], 401, "invalid_token"),
        ("/v1/realtime", ["Authorization: Bearer a.b.c"], 401, "invalid_token"),
        ("/v1/realtime", ["Authorization: {expired}"], 401, "expired_token"),
        ("/v1/realtime", ["Authorization: {good}", "Origin: https://evil.example"], 403, "origin_refused"),
    ],
)
async def test_refused(realtime: Realtime, path: str, headers: list[str], status: int, code: str) -> None:
    """A refused handshake gets its HTTP status with a problem document."""
    good = realtime.bearer("ana", tenant="listed")[1]
    expired = realtime.bearer("ana", seconds=60, age=120)[1]
    async with Wire.to(realtime.port) as wire:
        wire.write(handshake(*(line.format(good=good, expired=expired) for line in headers), path=path))
        seen, answer = await wire.response()
        body = json.loads(await wire.end())
    assert (seen, body["code"], body["status"]) == (status, code, status)
    assert answer["content-type"] == "application/problem+json"
    assert ("www-authenticate" in answer) == (status == 401)


async def test_garbage(realtime: Realtime, authorization: str) -> None:
    """Bytes that are no handshake or no WebSocket close their own connection and no other."""
    chance = random.Random(7)
    async with realtime.user("ana") as bystander:
        for garbage in (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(500),
            b"GET /v1/realtime HTTP/1.1\r\nHost",
            b"POST /v1/realtime HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /v1/realtime HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /v1/realtime HTTP/1.1\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
            b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
            handshake("Content-Length: 5"),
            chance.randbytes(10_000),
        ):
            async with Wire.to(realtime.port) as wire:
                wire.write(garbage)
                wire.writer.write_eof()
                assert b" 101 " not in await wire.end()
        for _ in range(30):
            async with Wire.opened(realtime.port, authorization) as wire:
                wire.write(CONNECT + chance.randbytes(200))
                wire.writer.write_eof()
                await wire.end()
        assert await bystander.settle() == []


async def test_subprotocol(realtime: Realtime) -> None:
    """The server chooses `tidings.v1` where the client offers it, and never an extension."""
    async with Wire.to(realtime.port) as wire:
        wire.write(
            handshake(
                f"Sec-WebSocket-Protocol: other, {SUBPROTOCOL}",
                "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
            )
        )
        status, headers = await wire.response()
        assert (status, headers["sec-websocket-protocol"]) == (101, SUBPROTOCOL)
        assert "sec-websocket-extensions" not in headers
    for offered in ([], ["Sec-WebSocket-Protocol: other"]):
        async with Wire.to(realtime.port) as wire:
            wire.write(handshake(*offered))
            status, headers = await wire.response()
            assert (status, headers.get("sec-websocket-protocol")) == (101, None)


async def test_origins(realtime: Realtime) -> None:
    """A page of an origin on the tenant's list may connect, and so may a client that is not a page."""
    bearer = realtime.bearer("ana", tenant="listed")
    for origin in ([], [("Origin", "https://app.example")]):
        async with realtime.socket(headers=[bearer, *origin]) as client:
            await client.send("connect")
            await client.expect("welcome")


@pytest.mark.parametrize(
    ("claims", "headers", "code"),
    [
        ({"seconds": 60, "age": 120}, [], 4200),
        ({"scope": "send read"}, [], 4007),
        ({"tenant": "listed"}, [("Origin", "https://evil.example")], 4004),
        (None, [], 4001),
    ],
)
async def test_token_by_frame(
    realtime: Realtime, claims: dict[str, Any] | None, headers: list[tuple[str, str]], code: int
) -> None:
    """An expired, insufficient or missing token in the connect frame closes with its own code."""
    async with realtime.socket(headers=headers) as client:
        fields = {} if claims is None else {"token": realtime.token("ana", **claims)}
        await client.send("connect", **fields)
        assert await client.closed() == code


async def test_broken_token_by_frame(realtime: Realtime) -> None:
    """Text that is no token closes with 4001, whatever its length and characters."""
    for token in ("", "x", "a.b.c", "é" * 100, "a" * 20_000):
        async with realtime.socket() as client:
            await client.send("connect", token=token)
            assert await client.closed() == 4001
