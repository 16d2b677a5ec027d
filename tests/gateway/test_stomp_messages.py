"""STOMP: SEND to /app/<event> calls the upstream, and its reply is a MESSAGE."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from tests.support.realtime import Realtime
from tests.support.sending import titles
from tests.support.sockjs import connect_frame, http, parsed
from tests.support.stomp import StompClient, client_frame, stomp_socket
from tests.support.upstream import LOOPBACK, NOTHING, SECRET, Called, Upstream, json_answer, running_upstream
from tidings_workers.config import Settings
from tidings_workers.registry import Registry
from tidings_workers.store import Store
from tidings_workers.tenants import Upstream as Setting

REPLIES = "/user/queue/reply"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, egress_networks=LOOPBACK)


@pytest.fixture
async def upstream(registry: Registry) -> AsyncIterator[Upstream]:
    """The upstream of the tenant demo, which allows guests."""
    async with running_upstream() as upstream:
        await registry.update_tenant(
            "demo", upstream=Setting(upstream.url, SECRET), guests=True, open_topics=["public"]
        )
        yield upstream


@asynccontextmanager
async def stomp(realtime: Realtime, user: str = "ana", **headers: Any) -> AsyncIterator[StompClient]:
    """A connected client."""
    async with stomp_socket(realtime.port) as client:
        await client.connected(passcode=realtime.token(user), **headers)
        yield client


async def test_a_reply(upstream: Upstream, realtime: Realtime, store: Store) -> None:
    """The reply comes to each subscription, then the receipt; the notifications are stored before it."""
    said = {"to": {"topics": ["public"]}, "data": {"text": "hi"}}
    told = {"to": {"users": ["bob"]}, "title": "told"}
    upstream.answers(json_answer(reply={"n": 1}, notifications=[said, told]), json_answer(), NOTHING)
    async with stomp(realtime, device="phone") as ana:
        await ana.subscribe(REPLIES, "r1")
        await ana.subscribe(REPLIES, "r2", ack="client")
        await ana.send("SEND", '{"text": "hi"}', destination="/app/chat/room", receipt="sent")
        first, second = await ana.expect("MESSAGE"), await ana.expect("MESSAGE")
        assert (await ana.expect("RECEIPT")).headers["receipt-id"] == "sent"
        assert await titles(store, "bob") == ["told"]
        assert [first.headers["subscription"], second.headers["subscription"]] == ["r1", "r2"]
        assert first.headers["destination"] == REPLIES
        assert first.headers["content-type"] == "application/json"
        assert json.loads(first.body) == {"n": 1}
        await ana.send("ACK", id=second.headers["ack"], receipt="acked")
        assert (await ana.expect("RECEIPT")).headers["receipt-id"] == "acked"
        for name in ("no reply", "no content"):
            await ana.send("SEND", "x", destination="/app/chat", receipt=name)
            assert (await ana.expect("RECEIPT")).headers["receipt-id"] == name
    assert upstream.calls[0].data["event"] == "chat/room"
    assert upstream.calls[0].data["device"] == "phone"
    entries = (await store.topics.entries("demo", "public", 10, None)).items
    assert json.loads(entries[0].content)["data"] == {"text": "hi"}


BODIES: list[tuple[str, str | None, Any]] = [
    ('{"sender": "ana", "n": 1e400}', None, None),
    ('{"a": "\\u00e9"}', None, {"a": "é"}),
    (' [1, "two"]', None, [1, "two"]),
    ("[1] a line", None, "[1] a line"),
    ("hello é\n", None, "hello é\n"),
    ("true", None, "true"),
    ("17", "application/json", 17),
    ("17", "application/json;charset=UTF-8", 17),
    ('{"a": 1}', "text/plain", '{"a": 1}'),
    ("", None, ""),
]


async def test_bodies(upstream: Upstream, realtime: Realtime) -> None:
    """JSON is the data as it is, and any other text is a string."""
    async with stomp(realtime) as ana:
        for body, kind, _ in BODIES:
            headers = {} if kind is None else {"content-type": kind}
            await ana.send("SEND", body, destination="/app/e", receipt="r", **headers)
            await ana.expect("RECEIPT")
    for called, (_, _, expected) in zip(upstream.calls[1:], BODIES[1:], strict=True):
        assert called.data["data"] == expected


async def test_a_guest(upstream: Upstream, realtime: Realtime) -> None:
    """A client without a token sends messages, and gets replies and the messages of an open topic."""

    async def handler(called: Called, writer: asyncio.StreamWriter) -> None:
        said = {"to": {"topics": ["public"]}, "data": called.data["data"]}
        writer.write(json_answer(reply=called.data["user"], notifications=[said]))

    upstream.handler = handler
    async with stomp_socket(realtime.port) as guest:
        connected = await guest.connected()
        await guest.subscribe(REPLIES, "r")
        await guest.subscribe("/topic/public", "p")
        await guest.send("SEND", '{"type":"CHAT"}', destination="/app/message")
        frames = {frame.headers["subscription"]: frame for frame in [await guest.next(), await guest.next()]}
        assert json.loads(frames["r"].body) == connected.headers["user-name"]
        assert json.loads(frames["p"].body) == {"type": "CHAT"}
    assert upstream.calls[0].data["user"].startswith("guest-")
    assert upstream.calls[0].data["guest"] is True
    assert upstream.calls[0].data["connection"] == connected.headers["session"]


async def test_a_user_with_the_name_of_a_guest(upstream: Upstream, realtime: Realtime) -> None:
    """The application can tell a guest from a user whose token has the same name: `guest` is for guests."""
    async with stomp_socket(realtime.port) as guest:
        name = (await guest.connected()).headers["user-name"]
        async with stomp(realtime, name) as user:
            for client in (guest, user):
                await client.send("SEND", '{"guest": true}', destination="/app/message", receipt="sent")
                await client.expect("RECEIPT")
    first, second = upstream.calls
    assert (first.data["user"], first.data["guest"]) == (name, True)
    assert second.data.keys() == {"user", "connection", "device", "event", "data"}
    assert second.data["user"] == name


async def test_a_transaction(upstream: Upstream, realtime: Realtime) -> None:
    """Messages of a transaction are called after COMMIT, whose receipt follows the last answer."""

    async def slow(_: Called, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        writer.write(NOTHING)

    upstream.handler = slow
    async with stomp_socket(realtime.port) as ana:
        await ana.connected(passcode=realtime.token("ana", publish=["public"], topics=["public"]))
        await ana.send("BEGIN", transaction="t")
        await ana.send("SEND", "1", destination="/app/e", transaction="t", receipt="one")
        await ana.send("SEND", "2", destination="/topic/public", transaction="t", receipt="two")
        await ana.send("COMMIT", transaction="t", receipt="all")
        receipts = [(await ana.expect("RECEIPT")).headers["receipt-id"] for _ in range(3)]
        assert receipts == ["two", "one", "all"]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"destination": "/app/e"}, "upstream_failed"),
        ({"destination": "/app/a b"}, "invalid_request"),
        ({"destination": "/app/a/../b"}, "invalid_request"),
        ({"destination": "/app/e", "content-type": "application/json"}, "malformed_json"),
    ],
)
async def test_refused(headers: dict[str, str], code: str, upstream: Upstream, realtime: Realtime) -> None:
    """A refused message is an ERROR with our code and the receipt."""
    upstream.answers(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n")
    async with stomp(realtime) as ana:
        await ana.send("SEND", "{", receipt="r", **headers)
        error = await ana.expect("ERROR")
        assert (error.headers["message"], error.headers["receipt-id"]) == (code, "r")
        # A failure of the application passes: the client may reconnect.
        assert await ana.closed() == (4102 if code == "upstream_failed" else 4000)


async def test_sockjs(upstream: Upstream, realtime: Realtime) -> None:
    """The same over HTTP polling."""
    upstream.answers(json_answer(reply="hello"))
    async with http(realtime) as ana:
        assert await ana.poll() == "o"
        await ana.send(connect_frame(realtime))
        assert [each.command for each in parsed(await ana.poll())] == ["CONNECTED"]
        await ana.send(
            client_frame("SUBSCRIBE", id="0", destination=REPLIES),
            client_frame("SEND", "x", destination="/app/e", receipt="r"),
        )
        found = parsed(await ana.poll())
        if len(found) == 1:
            found += parsed(await ana.poll())
        assert [each.command for each in found] == ["MESSAGE", "RECEIPT"]
        assert found[0].body == b'"hello"'
