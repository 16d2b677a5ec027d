"""SockJS: STOMP by HTTP where WebSockets are blocked."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.support.realtime import PATIENCE_SECONDS, Realtime, Wire, handshake
from tests.support.sending import eventually, notification
from tests.support.stomp import client_frame
from tidings_workers.gateway.sockjs import framing
from tidings_workers.gateway.sockjs.receivers import Streaming
from tidings_workers.gateway.sockjs.session import SockJsSession
from tidings_workers.gateway.stomp.frames import Frame
from tidings_workers.gateway.stomp.parser import Parser
from tidings_workers.store import Store

INBOX = "/user/queue/notifications"


def parsed(sockjs_frame: str) -> list[Frame]:
    """The STOMP frames in a frame of SockJS."""
    assert sockjs_frame.startswith("a"), sockjs_frame
    parser, found = Parser(), []
    parser.version = "1.2"
    for message in json.loads(sockjs_frame[1:]):
        parser.feed(message.encode())
        while (frame := parser.next_frame()) is not None:
            found.append(frame)
    return found


class Http:
    """A client of one session over HTTP."""

    def __init__(self, client: httpx.AsyncClient, session: str) -> None:
        self.client = client
        self.base = f"/ws/000/{session}"

    async def send(self, *messages: bytes) -> int:
        """Send messages; the status."""
        body = json.dumps([message.decode() for message in messages])
        return (await self.client.post(f"{self.base}/xhr_send", content=body)).status_code

    async def poll(self) -> str:
        """One frame, by xhr."""
        answer = await self.client.post(f"{self.base}/xhr")
        assert answer.status_code == 200, answer.text
        return answer.text.removesuffix("\n")


@asynccontextmanager
async def http(realtime: Realtime, session: str = "s1") -> AsyncIterator[Http]:
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{realtime.port}", timeout=PATIENCE_SECONDS
    ) as client:
        yield Http(client, session)


def connect_frame(realtime: Realtime, user: str = "ana", **headers: str) -> bytes:
    return client_frame("CONNECT", accept_version="1.2", passcode=realtime.token(user), **headers)


SUBSCRIBE = client_frame("SUBSCRIBE", id="0", destination=INBOX, receipt="r")


async def test_polling(store: Store, realtime: Realtime) -> None:
    """A session by xhr opens, connects, gets messages that were sent between two polls, and disconnects."""
    async with http(realtime) as ana:
        assert await ana.poll() == "o"
        assert await ana.send(connect_frame(realtime)) == 204
        assert [each.command for each in parsed(await ana.poll())] == ["CONNECTED"]
        await ana.send(SUBSCRIBE)
        assert [each.command for each in parsed(await ana.poll())] == ["RECEIPT"]
        await store.sends.send(
            "demo", [notification(f"{number} \u2028", users=["ana"]) for number in range(3)]
        )
        found: list[Frame] = []
        while len(found) < 3:
            found += parsed(await ana.poll())
        assert [each.headers["title"] for each in found] == [f"{number} \u2028" for number in range(3)]
        await ana.send(client_frame("DISCONNECT", receipt="bye"))
        assert parsed(await ana.poll())[0].headers["receipt-id"] == "bye"
        for _ in range(2):
            assert await ana.poll() == 'c[1000,""]'
        assert await ana.send(SUBSCRIBE) == 404


@pytest.mark.parametrize("transport", ["xhr_streaming", "eventsource"])
async def test_streaming(store: Store, realtime: Realtime, transport: str) -> None:
    """A session on a stream gets messages as they are sent; a second stream is refused."""
    method = "GET" if transport == "eventsource" else "POST"
    prefix = "data: " if transport == "eventsource" else ""
    async with http(realtime) as ana, ana.client.stream(method, f"{ana.base}/{transport}") as stream:
        lines = stream.aiter_lines()
        if transport == "xhr_streaming":
            assert await anext(lines) == "h" * 2048

        async def following() -> str:
            while not (line := await anext(lines)):
                pass
            return line.removeprefix(prefix)

        assert await following() == "o"
        await ana.send(connect_frame(realtime))
        assert parsed(await following())[0].command == "CONNECTED"
        await ana.send(SUBSCRIBE)
        assert parsed(await following())[0].command == "RECEIPT"
        await store.sends.send("demo", [notification("hi", users=["ana"])])
        assert parsed(await following())[0].headers["title"] == "hi"
        assert await ana.poll() == framing.BUSY.decode()
        # A second stream begins as the first one, and ends.
        async with ana.client.stream(method, f"{ana.base}/{transport}") as second:
            assert second.headers["content-type"] == stream.headers["content-type"]
            refused = [line async for line in second.aiter_lines() if line]
        prelude = ["h" * 2048] if transport == "xhr_streaming" else []
        assert refused == [*prelude, prefix + framing.BUSY.decode()]
        await store.sends.send("demo", [notification("still", users=["ana"])])
        assert parsed(await following())[0].headers["title"] == "still"


async def test_a_stream_ends_after_many_bytes(store: Store, realtime: Realtime) -> None:
    """A stream ends after 128 KB, and the next one continues without a loss."""
    titles: list[str] = []
    async with http(realtime) as ana:
        await ana.poll()
        await ana.send(connect_frame(realtime))
        await ana.poll()
        await ana.send(SUBSCRIBE)
        await ana.poll()

        async def load() -> None:
            for number in range(10):
                await store.sends.send("demo", [notification(f"{number}", users=["ana"], body="x" * 30_000)])

        loading, streams = asyncio.create_task(load()), 0
        while len(titles) < 10:
            streams += 1
            async with ana.client.stream("POST", f"{ana.base}/xhr_streaming") as stream:
                async for line in stream.aiter_lines():
                    if line.startswith("a"):
                        titles += [each.headers["title"] for each in parsed(line)]
                    if len(titles) == 10:
                        break
    await loading
    assert titles == [str(number) for number in range(10)]
    assert streams >= 2


async def test_a_websocket(store: Store, realtime: Realtime) -> None:
    """A session on a WebSocket has the frames of SockJS, and its close code in the last one."""
    url = f"ws://127.0.0.1:{realtime.port}/ws/1/s/websocket"
    async with connect(url, compression=None, proxy=None) as web_socket:
        assert await web_socket.recv() == "o"
        await web_socket.send("")
        await web_socket.send("[]")
        await web_socket.send(json.dumps([connect_frame(realtime).decode()]))
        assert parsed(str(await web_socket.recv()))[0].command == "CONNECTED"
        await web_socket.send(json.dumps(SUBSCRIBE.decode()))
        assert parsed(str(await web_socket.recv()))[0].command == "RECEIPT"
        await store.sends.send("demo", [notification("hi", users=["ana"])])
        assert parsed(str(await web_socket.recv()))[0].headers["title"] == "hi"
        await web_socket.send(json.dumps([client_frame("HELLO").decode()]))
        assert parsed(str(await web_socket.recv()))[0].headers["message"] == "malformed_request"
        assert str(await web_socket.recv()).startswith("c[1002,")
    async with connect(url, compression=None, proxy=None) as web_socket:
        assert await web_socket.recv() == "o"
        await web_socket.send("[broken")
        assert str(await web_socket.recv()) == 'c[1002,"broken JSON"]'


async def test_what_a_broken_client_gets(realtime: Realtime) -> None:
    """Messages without a session, without a body or with broken JSON get the errors of SockJS."""
    async with http(realtime) as ana:
        assert await ana.send(SUBSCRIBE) == 404
        assert await ana.poll() == "o"
        for body, text in (
            ("", "Payload expected."),
            ("[", "Broken JSON encoding."),
            ("{}", "Broken JSON encoding."),
            ('["\\ud800"]', "Broken JSON encoding."),
            ("[" * 5_000, "Broken JSON encoding."),
        ):
            answer = await ana.client.post(f"{ana.base}/xhr_send", content=body)
            assert (answer.status_code, answer.text) == (500, text)
        for path in ("/ws/a/b.c/xhr", "/ws/a/b/jsonp", "/ws/a/xhr", "/ws/a/b/xhr/c", "/ws/iframe.html"):
            assert (await ana.client.post(path)).status_code == 404


async def test_a_token_in_a_url(realtime: Realtime) -> None:
    """A URL with a token is refused under any name and at the first request, and a page may read why."""
    token = realtime.token("ana")
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{realtime.port}", headers={"Origin": "https://shop.example"}
    ) as client:
        for query in (
            *(f"token={token}", "access_token=x", f"passcode={token}", f"x=1&any={token}"),
            *(f"a=Bearer%20{token}", f"a=bearer+{token}"),
        ):
            for answer in (
                await client.get(f"/ws/info?{query}"),
                await client.post(f"/ws/a/x/xhr?{query}"),
                await client.get("/v1/realtime/events?" + query),
            ):
                assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token"), query
                assert answer.headers["access-control-allow-origin"] == "https://shop.example"
            for path in ("/ws", "/ws/websocket", "/v1/realtime"):
                async with Wire.to(realtime.port) as wire:
                    wire.write(handshake(path=f"{path}?{query}"))
                    assert (await wire.response())[0] == 401, query
        assert (await client.get("/ws/info?t=1732000000")).status_code == 200


async def test_a_client_that_stays_away(realtime: Realtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session without a receiver, and one whose receiver broke, end and are no longer online."""
    monkeypatch.setattr("tidings_workers.gateway.sockjs.session.RECEIVER_SECONDS", 0.1)
    async with http(realtime) as ana:
        assert await ana.poll() == "o"

        async def status() -> int:
            return await ana.send(SUBSCRIBE)

        await eventually(status, expected=404)


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
        # A heartbeat changes nothing; it tells whether the session is open.
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


async def test_a_slow_client_is_bounded(
    store: Store, realtime: Realtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages for a client that does not poll are bounded; then its session closes with 4100."""
    monkeypatch.setattr("tidings_workers.gateway.sockjs.session.RECEIVER_SECONDS", 60)
    async with http(realtime) as ana:
        await ana.poll()
        await ana.send(connect_frame(realtime))
        await ana.poll()
        await ana.send(SUBSCRIBE)
        await ana.poll()
        for _ in range(4):
            await store.sends.send("demo", [notification("big", users=["ana"], body="x" * 30_000)] * 10)

        async def closed() -> bool:
            return await ana.send(client_frame("ACK", id="1-user")) == 404

        await eventually(closed, expected=True)
        assert (await ana.poll()).startswith("c[4100,")


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


def test_text_is_safe() -> None:
    """Characters that break old engines are escaped, and every message is read back."""
    text = 'a\0"\\\u200d\u2028\u2060\ufff0\uffff\N{GRINNING FACE}'
    frame = framing.text(text.encode())
    assert json.loads(frame) == text
    assert not set("\u200d\u2028\u2060\ufff0\uffff") & set(frame.decode())
    assert framing.messages(b'["a","b"]') == [b"a", b"b"]
    assert SockJsSession.wires.enclose(b"x") == b'"x",'
