"""SockJS: STOMP by HTTP where WebSockets are blocked."""

import asyncio
import json

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.support.no_tls import NO_TLS
from tests.support.realtime import Realtime, Wire, handshake
from tests.support.sending import eventually, notification
from tests.support.sockjs import SUBSCRIBE, connect_frame, http, parsed
from tests.support.stomp import client_frame
from tidings_workers.gateway.sockjs import framing
from tidings_workers.gateway.sockjs.session import SockJsSession
from tidings_workers.gateway.stomp.frames import Frame
from tidings_workers.store import Store


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
    async with connect(url, compression=None, proxy=None) as socket:
        assert await socket.recv() == "o"
        await socket.send("")
        await socket.send("[]")
        await socket.send(json.dumps([connect_frame(realtime).decode()]))
        assert parsed(str(await socket.recv()))[0].command == "CONNECTED"
        await socket.send(json.dumps(SUBSCRIBE.decode()))
        assert parsed(str(await socket.recv()))[0].command == "RECEIPT"
        await store.sends.send("demo", [notification("hi", users=["ana"])])
        assert parsed(str(await socket.recv()))[0].headers["title"] == "hi"
        await socket.send(json.dumps([client_frame("HELLO").decode()]))
        assert parsed(str(await socket.recv()))[0].headers["message"] == "malformed_request"
        assert str(await socket.recv()).startswith("c[1002,")
    async with connect(url, compression=None, proxy=None) as socket:
        assert await socket.recv() == "o"
        await socket.send("[broken")
        assert str(await socket.recv()) == 'c[1002,"broken JSON"]'


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
        base_url=f"http://127.0.0.1:{realtime.port}",
        headers={"Origin": "https://shop.example"},
        verify=NO_TLS,
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


def test_text_is_safe() -> None:
    """Characters that break old engines are escaped, and every message is read back."""
    text = 'a\0"\\\u200d\u2028\u2060\ufff0\uffff\N{GRINNING FACE}'
    frame = framing.text(text.encode())
    assert json.loads(frame) == text
    assert not set("\u200d\u2028\u2060\ufff0\uffff") & set(frame.decode())
    assert framing.messages(b'["a","b"]') == [b"a", b"b"]
    assert SockJsSession.wires.enclose(b"x") == b'"x",'
