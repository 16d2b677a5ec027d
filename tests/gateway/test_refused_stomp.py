"""STOMP clients whose refusal waits: they may send what they like, and the gateway may stop."""

import asyncio
import gc

import httpx
import msgspec
import pytest

from tests.gateway.conftest import TokenMaker
from tests.support.no_tls import NO_TLS
from tests.support.realtime import Realtime, Wire, handshake, masked, running_gateway
from tests.support.sending import eventually
from tests.support.stomp import client_frame, stomp_socket
from tidings_workers.config import Settings
from tidings_workers.gateway.stomp.frames import FRAME_BYTES
from tidings_workers.gateway.stomp.parser import Parser
from tidings_workers.gateway.stomp.slow import FREE
from tidings_workers.gateway.stomp.socket import StompSocket

REFUSED = client_frame("CONNECT", accept_version="1.2", passcode="wrong")
PIECE = b"x" * 60_000
# The bytes that a client sends while it waits.
FLOOD = 32 * 1024 * 1024


async def use_free_refusals(realtime: Realtime) -> None:
    """The next refusal of this address waits a second."""
    for _ in range(FREE):
        async with stomp_socket(realtime.port) as client:
            await client.write(REFUSED)
            assert await client.refused() == ("invalid_token", 4001)


def kept() -> int:
    """The bytes that parsers of STOMP keep."""
    return sum(len(each._buffer) for each in gc.get_objects() if type(each) is Parser)


async def test_a_flood_of_a_refused_client_is_not_kept(realtime: Realtime) -> None:
    """A client that sends on while its refusal waits costs no memory, and is refused all the same."""
    await use_free_refusals(realtime)
    async with Wire.to(realtime.port) as wire:
        wire.write(handshake(path="/ws"))
        assert (await wire.response())[0] == 101
        wire.write(masked(REFUSED))
        most = 0
        sent = asyncio.create_task(flood(wire))
        code = asyncio.create_task(wire.close_code())
        while not code.done():
            most = max(most, kept())
            await asyncio.sleep(0.02)
        sent.cancel()
        assert await code == 4001
    assert most < 2 * FRAME_BYTES


async def flood(wire: Wire) -> None:
    for _ in range(FLOOD // len(PIECE)):
        wire.write(masked(PIECE))
        await wire.writer.drain()


async def test_a_flood_over_http_is_not_kept(realtime: Realtime) -> None:
    """The same by SockJS: requests beyond a few are refused until the answer."""
    await use_free_refusals(realtime)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{realtime.port}", verify=NO_TLS) as http:
        path = "/ws/000/refused"
        assert (await http.post(f"{path}/xhr")).text == "o\n"
        assert (await http.post(f"{path}/xhr_send", json=[REFUSED.decode()])).status_code == 204
        body = msgspec.json.encode([PIECE.decode()])
        answers = await asyncio.gather(*(http.post(f"{path}/xhr_send", content=body) for _ in range(20)))
        assert kept() < 2 * FRAME_BYTES
        assert {each.status_code for each in answers} <= {204, 404, 503}
        assert [each.status_code for each in answers].count(503) > 10
        assert "invalid_token" in (await http.post(f"{path}/xhr")).text


async def test_a_transaction_has_few_bytes(realtime: Realtime) -> None:
    """Frames that wait for COMMIT are at most 1 MB, also in several transactions; ABORT makes room."""
    waiting = {"destination": "/topic/x", "body": PIECE.decode()}
    async with stomp_socket(realtime.port) as client:
        await client.connected(passcode=realtime.token("ana"))
        for name in ("a", "b", "c"):
            await client.send("BEGIN", transaction=name)
        for _ in range(16):
            await client.send("SEND", transaction="a", **waiting)
        await client.send("ABORT", transaction="a", receipt="room")
        await client.expect("RECEIPT")
        for number in range(18):
            await client.send("SEND", transaction="bc"[number % 2], receipt="late", **waiting)
        assert await client.refused() == ("too_large", 1009)


async def test_a_refusal_ends_the_session(realtime: Realtime) -> None:
    """A client that is refused before CONNECTED gets ERROR and nothing else, although its token is valid."""
    await use_free_refusals(realtime)
    async with stomp_socket(realtime.port) as client:
        connect = client_frame("CONNECT", accept_version="1.2", passcode=realtime.token("ana"))
        await client.write(connect + client_frame("SUBSCRIBE", id="1", destination="/user/queue/x"))
        assert await client.refused() == ("invalid_request", 4000)


async def test_a_stopping_gateway_does_not_wait_for_refusals(
    settings: Settings, token: TokenMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that stops closes a client whose refusal waits with 1012, as all others."""
    monkeypatch.setattr("tidings_workers.gateway.stomp.slow.FREE", -5)
    realtime = Realtime(settings.realtime_port, token)
    async with running_gateway(settings) as stop, stomp_socket(realtime.port) as client:
        await client.write(REFUSED)
        await eventually(is_refused, expected=True)
        stop.set()
        assert await client.closed() == 1012


async def is_refused() -> bool:
    return any(type(each) is StompSocket and each._is_refused for each in gc.get_objects())
