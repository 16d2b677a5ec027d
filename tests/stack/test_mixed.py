"""One topic, two gateways, and subscribers of every kind: each gets each message, in order.

The short form runs with all tests. `MIXED=1000` has so many subscribers, and as many messages.
"""

import asyncio
import json
import os
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.support.events import Parser as EventParser
from tests.support.parts import running_parts
from tests.support.stack import Installation
from tests.support.stomp import client_frame
from tidings_workers.gateway.stomp.parser import Parser

FULL: Final = int(os.environ.get("MIXED", "0"))
SUBSCRIBERS, MESSAGES = (FULL, FULL) if FULL else (24, 200)
TOPIC: Final = "news/all"
BATCH: Final = 50
# One for all: making one takes longer than connecting.
_TLS: Final = ssl.create_default_context()
_SUBSCRIBE = client_frame("SUBSCRIBE", id="0", destination=f"/topic/{TOPIC}", receipt="r")


class Subscriber:
    """One client of the topic on one gateway; `numbers` are those of the messages that it got."""

    def __init__(self, at: Installation, url: str, user: str) -> None:
        self.url, self.user = url, user
        self.token = at.token(user, topics=[TOPIC])
        self.subscribed = asyncio.Event()
        self.numbers: list[int] = []

    def is_done(self) -> bool:
        """Whether it got as many messages as were sent."""
        return len(self.numbers) >= MESSAGES

    def address(self, path: str) -> str:
        """An address on the realtime port, for HTTP."""
        return self.url.replace("ws://", "http://").replace("/v1/realtime", path)

    def stomp(self, parser: Parser, data: bytes) -> bool:
        """Bytes of STOMP arrived; whether the client has to subscribe now."""
        connected = False
        parser.feed(data)
        while (frame := parser.next_frame()) is not None:
            if frame.command == "RECEIPT":
                self.subscribed.set()
            elif frame.command == "MESSAGE":
                self.numbers.append(json.loads(frame.body)["n"])
            else:
                assert frame.command == "CONNECTED", frame
                connected = True
        return connected


async def by_websocket(subscriber: Subscriber) -> None:
    """`tidings.v1`."""
    headers = {"Authorization": f"Bearer {subscriber.token}"}
    async with connect(subscriber.url, additional_headers=headers, proxy=None, compression=None) as socket:
        await socket.send(json.dumps({"type": "connect"}))
        await socket.send(json.dumps({"type": "subscribe", "topic": TOPIC}))
        while not subscriber.is_done():
            frame = json.loads(await socket.recv())
            if frame["type"] == "subscribed":
                subscriber.subscribed.set()
            elif frame["type"] == "notification":
                subscriber.numbers.append(frame["notification"]["data"]["n"])


async def by_stomp(subscriber: Subscriber) -> None:
    """STOMP over a WebSocket."""
    parser = Parser()
    url = subscriber.url.replace("/v1/realtime", "/ws")
    async with connect(url, proxy=None, compression=None) as socket:
        frame = client_frame("CONNECT", accept_version="1.2", host="x", passcode=subscriber.token)
        await socket.send(frame, text=True)
        while not subscriber.is_done():
            if subscriber.stomp(parser, await socket.recv(decode=False)):
                await socket.send(_SUBSCRIBE, text=True)


async def by_sockjs(subscriber: Subscriber) -> None:
    """STOMP over SockJS by xhr-streaming; a stream ends after 128 KB, and the client opens the next."""
    async with client() as http:
        await _sockjs(subscriber, http)


def client() -> httpx.AsyncClient:
    """A client of one subscriber: a pool of many connections slows down with their number."""
    return httpx.AsyncClient(timeout=httpx.Timeout(60), trust_env=False, verify=_TLS)


async def _sockjs(subscriber: Subscriber, http: httpx.AsyncClient) -> None:
    parser = Parser()
    session = subscriber.address(f"/ws/000/{subscriber.user}")

    async def send(*frames: bytes) -> None:
        body = json.dumps([frame.decode() for frame in frames])
        assert (await http.post(f"{session}/xhr_send", content=body)).status_code == 204

    begun = False
    while not subscriber.is_done():
        async with http.stream("POST", f"{session}/xhr_streaming") as stream:
            async for line in stream.aiter_lines():
                if line == "o" and not begun:
                    begun = True
                    frame = client_frame("CONNECT", accept_version="1.2", host="x", passcode=subscriber.token)
                    await send(frame)
                for message in json.loads(line[1:]) if line.startswith("a") else ():
                    if subscriber.stomp(parser, message.encode()):
                        await send(_SUBSCRIBE)
                if subscriber.is_done():
                    break


async def by_events(subscriber: Subscriber) -> None:
    """Server-sent events."""
    parser = EventParser()
    url = subscriber.address("/v1/realtime/events")
    headers = {"Authorization": f"Bearer {subscriber.token}"}
    query = {"topics": TOPIC}
    async with client() as http, http.stream("GET", url, params=query, headers=headers) as stream:
        async for line in stream.aiter_lines():
            event = parser.feed(line)
            if event is not None and event.type == "subscribed":
                subscriber.subscribed.set()
            elif event is not None and event.type == "notification":
                subscriber.numbers.append(event.frame["notification"]["data"]["n"])
            if subscriber.is_done():
                break


KINDS: Final[tuple[Callable[[Subscriber], Awaitable[None]], ...]] = (
    by_websocket,
    by_stomp,
    by_sockjs,
    by_events,
)


@pytest.mark.timeout(120 + FULL)
async def test_every_kind_gets_every_message_in_order(redis_url: str) -> None:
    """Subscribers of all kinds on two gateways get all messages of a topic, each once, in order."""
    with running_parts(redis_url) as parts:
        async with client() as http:
            subscribers = [
                Subscriber(parts.installation, parts.urls[number // 4 % 2], f"user-{number}")
                for number in range(SUBSCRIBERS)
            ]
            async with asyncio.TaskGroup() as tasks:
                for number, subscriber in enumerate(subscribers):
                    tasks.create_task(_run(KINDS[number % 4], subscriber))
                    if number % 20 == 19 or number == SUBSCRIBERS - 1:
                        for each in subscribers[: number + 1]:
                            await each.subscribed.wait()
                headers = {"Authorization": f"Bearer {parts.installation.token('shop', 'send')}"}
                for start in range(0, MESSAGES, BATCH):
                    batch = [
                        {"to": {"topics": [TOPIC]}, "data": {"n": number}}
                        for number in range(start, min(start + BATCH, MESSAGES))
                    ]
                    answer = await http.post(
                        f"{parts.installation.api}/v1/notifications/batch",
                        json={"notifications": batch},
                        headers=headers,
                    )
                    assert answer.status_code == 202, answer.text
    expected = list(range(MESSAGES))
    assert [each.user for each in subscribers if each.numbers != expected] == []


async def _run(kind: Callable[[Subscriber], Awaitable[None]], subscriber: Subscriber) -> None:
    await kind(subscriber)
