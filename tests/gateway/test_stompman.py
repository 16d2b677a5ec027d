"""A STOMP client in Python that others wrote, stompman, over a WebSocket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from stompman import Client, ConnectionParameters, ErrorFrame
from stompman.connection_ws import WebSocketConnection
from stompman.errors import FailedAllConnectAttemptsError
from stompman.frames import MessageFrame
from stompman.subscription import AckableMessageFrame

from tests.support.realtime import PATIENCE_SECONDS, Realtime
from tests.support.sending import eventually, notification
from tidings_workers.store import Store

INBOX = "/user/queue/notifications"
MAY = {"topics": ["public"], "publish": ["public"]}


@asynccontextmanager
async def stompman(realtime: Realtime, user: str = "ana", **headers: str) -> AsyncIterator[Client]:
    """A connected client of a user; it disconnects with a receipt. An ERROR frame fails the test."""
    errors: list[ErrorFrame] = []
    server = ConnectionParameters(
        "127.0.0.1",
        realtime.port,
        user,
        realtime.token(user, **MAY),
        ws_uri_path="/ws",
        connect_headers=headers,
    )
    async with Client(
        [server], connection_class=WebSocketConnection, on_error_frame=errors.append, connect_retry_attempts=1
    ) as client:
        yield client
    assert errors == []


class Messages:
    """The messages of one subscription."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Any] = asyncio.Queue()

    async def add(self, message: MessageFrame) -> None:
        """Keep a message."""
        self._queue.put_nowait(message)

    async def next(self) -> Any:
        """The next message."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._queue.get()

    async def titles(self, count: int) -> list[str]:
        """The titles of the next messages."""
        return [(await self.next()).headers["title"] for _ in range(count)]


async def test_the_inbox_and_a_topic(store: Store, realtime: Realtime, working: None) -> None:
    """It subscribes and publishes with receipts, and a message that it acknowledges counts as delivered."""
    inbox, topic = Messages(), Messages()
    async with stompman(realtime) as client:
        subscriptions = [
            await client.subscribe(
                destination, messages.add, receipt_timeout=PATIENCE_SECONDS, on_suppressed_exception=print
            )
            for destination, messages in ((INBOX, inbox), ("/topic/public", topic))
        ]
        sent = [notification(f"{number}: a\\b", users=["ana"]) for number in range(20)]
        ids = (await store.sends.send("demo", sent)).ids
        assert await inbox.titles(20) == [each.title for each in sent]
        body = json.dumps({"text": "d\u00e9j\u00e0 vu"}).encode()
        await client.send(body, "/topic/public", receipt_timeout=PATIENCE_SECONDS)
        published = await topic.next()
        assert (json.loads(published.body), published.headers["tidings-log"]) == (
            {"text": "d\u00e9j\u00e0 vu"},
            "topic:public",
        )

        async def delivered() -> int:
            found = [await store.sends.notification("demo", each) for each in ids]
            return sum(each.delivered for each in found if each is not None)

        await eventually(delivered, expected=20)
        for subscription in subscriptions:
            await subscription.unsubscribe()


async def test_a_device(store: Store, realtime: Realtime) -> None:
    """A device continues after what it acknowledged: messages without ACK and new ones, once and in order."""
    for begun, acknowledged, expected in ((0, 3, range(5)), (5, 5, range(3, 10)), (10, 2, range(8, 12))):
        messages = Messages()
        async with stompman(realtime, device="till") as client:
            if begun:
                # While it connects, and before it subscribes.
                count = expected[-1] + 1 - begun
                sent = [notification(str(begun + number), users=["ana"]) for number in range(count)]
                await store.sends.send("demo", sent)
            subscription = await client.subscribe_with_manual_ack(
                INBOX, messages.add, receipt_timeout=PATIENCE_SECONDS
            )
            if not begun:
                sent = [notification(str(number), users=["ana"]) for number in expected]
                await store.sends.send("demo", sent)
            found: list[AckableMessageFrame] = [await messages.next() for _ in expected]
            assert [each.headers["title"] for each in found] == [str(number) for number in expected]  # type: ignore[typeddict-item]
            for message in found[:acknowledged]:
                await message.ack()
            await found[-1].nack()
            await subscription.unsubscribe()


async def test_a_refused_token(realtime: Realtime) -> None:
    """With a wrong token it reports that it could not connect."""
    server = ConnectionParameters("127.0.0.1", realtime.port, "ana", "wrong", ws_uri_path="/ws")
    client = Client(
        [server],
        connection_class=WebSocketConnection,
        connect_retry_attempts=1,
        connection_confirmation_timeout=1,
    )
    with pytest.raises(FailedAllConnectAttemptsError):
        async with client:
            pass
