"""Sessions of SockJS over HTTP: their ends, and the messages that a device has."""

import asyncio
import socket

import pytest

from tests.gateway.conftest import TokenMaker
from tests.support.realtime import Realtime, Wire, running_gateway
from tests.support.sending import eventually, notification
from tests.support.sockjs import SUBSCRIBE, connect_frame, http, parsed
from tests.support.stomp import client_frame
from tidings_workers.config import Settings
from tidings_workers.gateway.sockjs.receivers import Streaming
from tidings_workers.store import Store


async def test_a_client_that_stays_away(realtime: Realtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session without a receiver ends."""
    monkeypatch.setattr("tidings_workers.gateway.sockjs.session.RECEIVER_SECONDS", 0.1)
    async with http(realtime) as ana:
        assert await ana.poll() == "o"
        # A heartbeat changes nothing; it tells whether the session is open.
        await eventually(lambda: ana.send(b"\n"), expected=404)


@pytest.mark.parametrize("transport", ["xhr", "xhr_streaming"])
async def test_a_page_that_leaves(
    store: Store, realtime: Realtime, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page whose receiver disconnects is offline at once, and its session is interrupted."""
    monkeypatch.setattr("tidings_workers.gateway.sockjs.session.RECEIVER_SECONDS", 60)
    async with http(realtime) as ana:
        await ana.poll()
        await ana.send(connect_frame(realtime))
        await ana.poll()

        async def connections() -> int:
            return len((await store.connections.presence("demo", "ana")).connections)

        await eventually(connections, expected=1)
        async with Wire.to(realtime.port) as wire:
            wire.write(
                f"POST {ana.base}/{transport} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()
            )
        await eventually(lambda: ana.send(b"\n"), expected=404)
        assert await ana.poll() == 'c[1002,"Connection interrupted"]'
        await eventually(connections, expected=0)


async def test_a_stream_whose_client_disappears() -> None:
    """The kernel closes a stream whose client has acknowledged nothing for a minute."""
    made: list[asyncio.BaseTransport] = []

    class Recorded(Streaming):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.append(transport)
            super().connection_made(transport)

    def accept() -> Recorded:
        return Recorded(is_events=False, headers=(), lost=made.clear, resumed=made.clear)

    server = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0)
    async with server, Wire.to(server.sockets[0].getsockname()[1]) as wire:
        assert (await wire.response())[0] == 200
        kernel = made[0].get_extra_info("socket")
        assert kernel.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000


async def test_a_device_by_polling(store: Store, realtime: Realtime) -> None:
    """A device that polls continues after what its last poll confirmed."""
    for number in range(2):
        async with http(realtime, f"d{number}") as ana:
            await ana.poll()
            await ana.send(connect_frame(realtime, device="tv"))
            await ana.poll()
            await ana.send(SUBSCRIBE)
            await ana.poll()
            await store.sends.send("demo", [notification(f"{number}", users=["ana"])])
            assert parsed(await ana.poll())[0].headers["title"] == str(number)
            # The next request confirms the message.
            await ana.send(client_frame("DISCONNECT", receipt="bye"))
            assert parsed(await ana.poll())[0].command == "RECEIPT"


async def test_a_device_gets_replayed_messages_once(store: Store, realtime: Realtime) -> None:
    """Messages that a device missed and got by polling are confirmed, as those that came while it polled."""
    seen: list[list[str]] = []
    for number in range(3):
        if number:
            await store.sends.send("demo", [notification(f"{number}", users=["ana"])])
        async with http(realtime, f"d{number}") as ana:
            await ana.poll()
            await ana.send(connect_frame(realtime, device="tv"))
            await ana.poll()
            await ana.send(SUBSCRIBE)
            frames = parsed(await ana.poll())
            while number and not any(each.command == "MESSAGE" for each in frames):
                frames += parsed(await ana.poll())
            await ana.send(client_frame("DISCONNECT", receipt="bye"))
            frames += parsed(await ana.poll())
            seen.append([each.headers["title"] for each in frames if each.command == "MESSAGE"])
    assert seen == [[], ["1"], ["2"]]


async def test_a_gateway_that_stops(settings: Settings, token: TokenMaker) -> None:
    """A client that polls gets the close of a gateway that stops, as a client on a stream does."""
    async with running_gateway(settings) as stop:
        realtime = Realtime(settings.realtime_port, token)
        async with http(realtime, "polls") as ana, http(realtime, "streams") as bob:
            for each in (ana, bob):
                await each.poll()
                await each.send(connect_frame(realtime))
                await each.poll()
            polling = asyncio.create_task(ana.poll())
            async with bob.client.stream("POST", f"{bob.base}/xhr_streaming") as stream:
                lines = stream.aiter_lines()
                assert await anext(lines) == "h" * 2048
                # The poll waits, too.
                await eventually(ana.poll, 'c[2010,"Another connection still open"]')
                stop.set()
                assert await anext(lines) == 'c[1012,"restart"]'
            assert await polling == 'c[1012,"restart"]'
