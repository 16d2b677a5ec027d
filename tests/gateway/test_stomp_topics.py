"""STOMP and topics: a message to a destination reaches its subscribers."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.support.realtime import Realtime
from tests.support.sending import eventually, notification
from tests.support.stomp import StompClient, client_frame, stomp_socket
from tidings_workers.registry import Registry
from tidings_workers.store import Store

INBOX = "/user/queue/notifications"
MAY = {"topics": ["public", "queue/**", "news/*"], "publish": ["public", "queue/jobs"]}


@asynccontextmanager
async def stomp(realtime: Realtime, user: str = "ana", **headers: Any) -> AsyncIterator[StompClient]:
    """A connected client of a user who may subscribe and publish."""
    async with stomp_socket(realtime.port) as client:
        await client.connected(passcode=realtime.token(user, **MAY), **headers)
        yield client


async def test_publish_and_subscribe(store: Store, realtime: Realtime) -> None:
    """Each subscriber gets a copy of what a client or the application sends, with the body as it was sent."""
    async with stomp(realtime) as ana, stomp(realtime, "bob") as bob:
        await ana.subscribe("/topic/public")
        await bob.subscribe("/topic/public", "b1")
        await bob.subscribe("/queue/jobs", "b2")
        await ana.send("SEND", '{"text": "hello"}', destination="/topic/public", receipt="sent")
        receipt, message = await ana.next(), await ana.next()
        if receipt.command == "MESSAGE":
            receipt, message = message, receipt
        assert (receipt.command, receipt.headers["receipt-id"]) == ("RECEIPT", "sent")
        assert json.loads(message.body) == {"text": "hello"}
        assert message.headers["destination"] == "/topic/public"
        assert message.headers["message-id"] == "1-topic%3Apublic"
        assert (await bob.expect("MESSAGE")).body == message.body
        await ana.send("SEND", "[1] a line", destination="/queue/jobs", category="c")
        job = await bob.expect("MESSAGE")
        assert (job.headers["subscription"], job.headers["category"]) == ("b2", "c")
        assert job.body == b"[1] a line"
        await store.sends.send("demo", [notification("app", topics=["public"])])
        assert (await ana.expect("MESSAGE")).headers["title"] == "app"


async def test_replay_of_a_topic(store: Store, realtime: Realtime) -> None:
    """A subscription replays after a position, the last ones, or after the positions in CONNECT."""
    for number in range(4):
        await store.sends.send("demo", [notification(str(number), topics=["public"])])
    cases: list[tuple[dict[str, Any], list[str]]] = [({"after": 2}, ["2", "3"]), ({"rewind": 1}, ["3"])]
    for headers, titles in cases:
        async with stomp(realtime) as client:
            await client.subscribe("/topic/public", **headers)
            assert [(await client.expect("MESSAGE")).headers["title"] for _ in titles] == titles
    resume = json.dumps({"epoch": store.epoch, "positions": {"user": 0, "topic:public": 3}})
    async with stomp(realtime, resume=resume) as client:
        await client.subscribe("/topic/public")
        assert (await client.expect("MESSAGE")).headers["title"] == "3"


async def test_the_end_of_a_subscription(store: Store, realtime: Realtime) -> None:
    """After UNSUBSCRIBE nothing more is sent; another subscription to the same topic continues."""
    async with stomp(realtime) as client:
        await client.subscribe("/topic/public", "1")
        await client.subscribe("/topic/public", "2")
        await client.send("UNSUBSCRIBE", id="1", receipt="a")
        assert (await client.expect("RECEIPT")).headers["receipt-id"] == "a"
        await store.sends.send("demo", [notification("one", topics=["public"])])
        assert (await client.expect("MESSAGE")).headers["subscription"] == "2"
        await client.send("UNSUBSCRIBE", id="2", receipt="b")
        assert (await client.expect("RECEIPT")).headers["receipt-id"] == "b"
        await store.sends.send("demo", [notification("two", topics=["public"])])
        await client.subscribe("/topic/public", "3", rewind=1)
        message = await client.expect("MESSAGE")
        assert (message.headers["subscription"], message.headers["title"]) == ("3", "two")


async def test_a_transaction_of_sends(realtime: Realtime) -> None:
    """Sends of a transaction happen at COMMIT, whose receipt is after theirs."""
    async with stomp(realtime) as client:
        await client.send("BEGIN", transaction="t")
        for number in range(2):
            await client.send(
                "SEND", str(number), destination="/topic/public", transaction="t", receipt=f"r{number}"
            )
        await client.subscribe("/topic/public")
        await client.send("COMMIT", transaction="t", receipt="committed")
        receipts: list[str] = []
        bodies: list[bytes] = []
        while len(receipts) + len(bodies) < 5:
            frame = await client.next()
            if frame.command == "MESSAGE":
                bodies.append(frame.body)
            else:
                receipts.append(frame.headers["receipt-id"])
    assert receipts == ["r0", "r1", "committed"]
    assert bodies == [b"0", b"1"]


async def test_what_a_token_does_not_allow(realtime: Realtime) -> None:
    """A topic outside the patterns is refused with the receipt of its frame, in every spelling."""
    cases = [
        ("SUBSCRIBE", "/topic/secret", "forbidden_topic"),
        ("SUBSCRIBE", "/topic/public/x", "forbidden_topic"),
        ("SUBSCRIBE", "/queue", "invalid_request"),
        ("SUBSCRIBE", "/topic/../public", "invalid_topic"),
        ("SUBSCRIBE", "/topic/news/../secret", "invalid_topic"),
        ("SUBSCRIBE", "/topic/news%2Fx", "invalid_topic"),
        ("SUBSCRIBE", "/topic/news/*", "invalid_topic"),
        ("SUBSCRIBE", "/topic/**", "invalid_topic"),
        ("SUBSCRIBE", "/topic//public", "invalid_topic"),
        ("SUBSCRIBE", "/topic/publi\u0441", "invalid_topic"),
        ("SEND", "/topic/news/a", "forbidden_topic"),
        ("SEND", "/queue/other", "forbidden_topic"),
        ("SEND", "/topic/*", "invalid_topic"),
    ]
    for command, destination, code in cases:
        async with stomp(realtime) as client:
            await client.send(command, "x", id="1", destination=destination, receipt="r")
            error = await client.expect("ERROR")
            assert (error.headers["message"], error.headers["receipt-id"]) == (code, "r"), destination
            assert await client.closed() == 4000
    async with stomp(realtime) as client:
        await client.send("SUBSCRIBE", id="1", destination=INBOX, after=1)
        assert await client.refused() == ("invalid_request", 4000)
    async with stomp(realtime) as client:
        await client.write(client_frame("SEND", destination="/topic/public"))
        assert (await client.refused())[0] == "invalid_request"


async def test_a_permission_that_ends(realtime: Realtime, registry: Registry) -> None:
    """When the tenant closes a topic, its subscribers get ERROR."""
    await registry.update_tenant("demo", open_topics=["lobby"])

    async def subscribed() -> bool:
        async with stomp_socket(realtime.port) as client:
            await client.connected(passcode=realtime.token("ana"))
            await client.send("SUBSCRIBE", id="1", destination="/topic/lobby", receipt="r")
            return (await client.next()).command == "RECEIPT"

    # The gateway sees the change within a second.
    await eventually(subscribed, expected=True)
    async with stomp_socket(realtime.port) as client:
        await client.connected(passcode=realtime.token("ana"))
        await client.subscribe("/topic/lobby")
        await registry.update_tenant("demo", open_topics=[])
        assert await client.refused() == ("forbidden_topic", 4000)


async def test_receipts_of_a_topic(store: Store, realtime: Realtime, working: None) -> None:
    """A message of a topic counts as delivered when it reached a client, or the client acknowledged it."""
    async with stomp(realtime) as ana, stomp(realtime, "bob") as bob:
        await ana.subscribe("/topic/public")
        await bob.subscribe("/topic/public", ack="client")
        (identity,) = (await store.sends.send("demo", [notification("one", topics=["public"])])).ids

        async def delivered() -> int:
            stored = await store.sends.notification("demo", identity)
            return stored.delivered if stored is not None else 0

        await ana.expect("MESSAGE")
        await eventually(delivered, expected=1)
        await bob.send("ACK", id=(await bob.expect("MESSAGE")).headers["ack"])
        await eventually(delivered, expected=2)
