"""Messages of clients: the call of the upstream, its answers, and upstreams that do it wrong."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from tests.gateway.conftest import TokenMaker
from tests.support.happenings import happened
from tests.support.ports import free_port
from tests.support.realtime import Realtime, running_gateway
from tests.support.sending import eventually, titles
from tests.support.upstream import (
    LOOPBACK,
    NOTHING,
    SECRET,
    Called,
    Upstream,
    answer,
    json_answer,
    running_upstream,
)
from tidings.protocol import limits
from tidings_workers.config import Settings
from tidings_workers.gateway.messages import WAITING
from tidings_workers.registry import Registry
from tidings_workers.slots import CALLS_PER_TENANT
from tidings_workers.store import Store
from tidings_workers.tenants import Upstream as Setting


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, egress_networks=LOOPBACK)


@pytest.fixture
async def upstream(registry: Registry) -> AsyncIterator[Upstream]:
    """The upstream of the tenant demo."""
    async with running_upstream() as upstream:
        await registry.update_tenant("demo", upstream=Setting(upstream.url, SECRET))
        yield upstream


async def test_a_reply(upstream: Upstream, realtime: Realtime) -> None:
    """The application gets the message, signed, and its reply reaches the client."""
    upstream.answers(json_answer(reply={"n": 1}), json_answer(reply=None), NOTHING)
    async with realtime.user("ana", device="phone") as ana:
        await ana.expect("caught_up")
        await ana.send(
            "message", event="chat/room-1", data={"text": "hé", "big": 12345678901234567890}, ref="r"
        )
        assert await ana.expect("reply") == {"type": "reply", "ref": "r", "data": {"n": 1}}
        await ana.send("message", event="e", ref=2)
        assert await ana.expect("reply") == {"type": "reply", "ref": 2, "data": None}
        await ana.send("message", event="e", data=[1], ref=3)
        assert await ana.expect("reply") == {"type": "reply", "ref": 3}
        welcome = ana.frames[0]
    first, second, third = upstream.calls
    assert first.path == "/upstream?v=1"
    assert first.headers["content-type"] == "application/json"
    assert first.headers["host"] == f"127.0.0.1:{upstream.port}"
    assert first.body["type"] == "message"
    assert first.body["timestamp"].endswith("Z")
    assert first.data == {
        "user": "ana",
        "connection": welcome["connection"],
        "device": "phone",
        "event": "chat/room-1",
        "data": {"text": "hé", "big": 12345678901234567890},
    }
    assert (second.data["data"], third.data["data"]) == (None, [1])
    assert len({each.id for each in upstream.calls}) == 3
    assert upstream.connections == 1


async def test_without_a_ref(upstream: Upstream, realtime: Realtime) -> None:
    """A message without a ref reaches the application and is not answered."""
    upstream.answers(json_answer(reply=1), answer("500 Oops", b""), NOTHING)
    async with realtime.user("ana") as ana:
        await ana.send("message", event="a")
        await ana.send("message", event="b")
        await ana.send("message", event="c", ref=1)
        assert (await ana.expect("reply"))["ref"] == 1
    assert [each.data["event"] for each in upstream.calls] == ["a", "b", "c"]


async def test_notifications(upstream: Upstream, realtime: Realtime, store: Store) -> None:
    """The notifications of an answer are accepted in order before the reply is sent."""
    sent = [{"to": {"users": ["bob"]}, "title": str(n)} for n in range(3)]
    upstream.answers(
        json_answer(reply="ok", notifications=[*sent, {"to": {"topics": ["room"]}, "body": "x"}])
    )
    async with realtime.user("ana") as ana, realtime.user("bob") as bob:
        await ana.send("message", event="chat", ref=1)
        assert (await ana.expect("reply"))["data"] == "ok"
        assert await titles(store, "bob") == ["2", "1", "0"]
        assert await bob.titles(3) == ["0", "1", "2"]


async def test_no_upstream(realtime: Realtime, registry: Registry) -> None:
    """Without an upstream a message is refused; the gateway uses a new one within a second."""
    async with realtime.user("ana") as ana, running_upstream() as upstream:
        await ana.send("message", event="chat", ref=1)
        error = await ana.expect("error")
        assert (error["ref"], error["code"]) == (1, "no_upstream")
        await ana.send("message", event="chat")
        assert await ana.settle() == []
        await registry.update_tenant("demo", upstream=Setting(upstream.url, SECRET))
        began = time.monotonic()
        while upstream.calls == [] and time.monotonic() < began + 5:
            await ana.send("message", event="chat", ref=2)
            await ana.next()
            await asyncio.sleep(0.02)
        assert ana.frames[-1]["type"] == "reply"
        await registry.update_tenant("demo", upstream=None)
        while ana.frames[-1]["type"] == "reply" and time.monotonic() < began + 10:
            await ana.send("message", event="chat", ref=2)
            await ana.next()
            await asyncio.sleep(0.02)
        assert ana.frames[-1]["code"] == "no_upstream"


async def test_a_message_is_an_event(realtime: Realtime, registry: Registry, store: Store) -> None:
    """While a reader wants them, messages are events, once each, with an upstream and without one."""
    async with realtime.user("ana", device="phone") as ana:
        await ana.expect("caught_up")
        await ana.send("message", event="lost", ref=1)
        assert (await ana.expect("error"))["code"] == "no_upstream"
        await store.events.want("demo", "webhooks", ["message.received"])
        for _ in range(2):
            await ana.send("message", event="chat", data={"n": 1}, ref=2, idempotency_key="k")
            assert await ana.expect("reply") == {"type": "reply", "ref": 2}
        await ana.send("message", event="chat", data=[2])
        await ana.send("message", event="chat", ref=3)
        await ana.expect("reply")
        async with running_upstream() as upstream:
            await registry.update_tenant("demo", upstream=Setting(upstream.url, SECRET))
            while not upstream.calls:
                await ana.send("message", event="both", ref=4)
                await ana.expect("reply")
                await asyncio.sleep(0.02)
        connection = ana.frames[0]["connection"]
    rows = await happened(store, "message.received")
    assert all(data.pop("message").startswith("msg_") for _, data in rows)
    about = {"user": "ana", "connection": connection, "device": "phone"}
    assert [data for _, data in rows[:3]] == [
        {**about, "event": "chat", "data": {"n": 1}},
        {**about, "event": "chat", "data": [2]},
        {**about, "event": "chat", "data": None},
    ]
    assert {data["event"] for _, data in rows[3:]} == {"both"}


WRONG_ANSWERS = {
    "an error": answer("500 Internal Server Error", b"{}"),
    "a redirect": answer("302 Found", b"", location="http://127.0.0.1:1/"),
    "201": answer("201 Created", b"{}"),
    "no body": answer(body=b""),
    "not JSON": answer(body=b"<html>"),
    "invalid UTF-8": answer(body=b'{"reply": "\xff"}'),
    "a list": answer(body=b"[]"),
    "an unknown field": answer(body=b'{"notification": []}'),
    "nested deeply": answer(body=b'{"reply": ' + b"[" * 500 + b"]" * 500 + b"}"),
    "nested very deeply": answer(body=b'{"reply": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "an invalid notification": json_answer(notifications=[{"to": {"users": ["bob"]}, "titel": "x"}]),
    "one valid, one not": json_answer(
        notifications=[{"to": {"users": ["bob"]}, "title": "x"}, {"to": {}, "title": "x"}]
    ),
    "too many": json_answer(notifications=[{}] * (limits.BATCH_NOTIFICATIONS + 1)),
    "a larger body": answer(body=b'{"reply": "' + b"x" * 256 * 1024 + b'"}'),
    "a body that is announced and cut": answer(content_length="100") + b"{}",
    "no HTTP": b"220 mail.example ESMTP\r\n",
    "a compressed body": answer(body=b"\x1f\x8b\x08\x00" + b"x" * 100, content_encoding="gzip"),
}


@pytest.mark.parametrize("name", WRONG_ANSWERS)
async def test_wrong_answers(name: str, upstream: Upstream, realtime: Realtime, store: Store) -> None:
    """A wrong answer is `upstream_failed` at once, sends nothing, and does not affect the next message."""

    async def handler(_: Called, writer: asyncio.StreamWriter) -> None:
        writer.write(WRONG_ANSWERS[name] if len(upstream.calls) < 3 else json_answer(reply="fine"))
        if len(upstream.calls) < 3:
            await writer.drain()
            writer.close()

    upstream.handler = handler
    async with realtime.user("ana") as ana:
        began = time.monotonic()
        await ana.send("message", event="chat", ref=1)
        error = await ana.expect("error")
        assert (error["ref"], error["code"]) == (1, "upstream_failed"), error
        assert time.monotonic() - began < 4
        # No HTTP is a failed connection, which is tried twice.
        assert len(upstream.calls) == (2 if name == "no HTTP" else 1)
        while len(upstream.calls) < 2:
            await ana.send("message", event="chat", ref=2)
            await ana.expect("error")
        await ana.send("message", event="chat", ref=3)
        assert (await ana.expect("reply"))["data"] == "fine"
    assert await titles(store, "bob") == []


@asynccontextmanager
async def pouring(
    upstream: Upstream, head: bytes, piece: bytes, pause: float = 0
) -> AsyncIterator[list[int]]:
    """The upstream writes pieces without an end, until the connection is closed. Yields what it wrote."""
    written = [0]

    async def handler(_: Called, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(piece)
            written[0] += len(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    upstream.handler = handler
    yield written


CHUNKED = answer(transfer_encoding="chunked")
FLOODS = {
    "a gigabyte": (answer(content_length=str(1 << 30)), b"x" * 65_536),
    "chunks": (CHUNKED, b"10000\r\n" + b"x" * 65_536 + b"\r\n"),
    "tiny chunks": (CHUNKED, b"1\r\nx\r\n" * 1_000),
    "a head": (b"HTTP/1.1 200 OK\r\n", b"x-y: " + b"x" * 8_000 + b"\r\n"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
}


@pytest.mark.parametrize("name", FLOODS)
async def test_floods(name: str, upstream: Upstream, realtime: Realtime) -> None:
    """An answer without an end is refused after 256 KB, and costs little time."""
    head, piece = FLOODS[name]
    async with pouring(upstream, head, piece) as written, realtime.user("ana") as ana:
        began = time.monotonic()
        await ana.send("message", event="chat", ref=1)
        assert (await ana.expect("error"))["code"] in {"upstream_failed", "upstream_timeout"}
        assert time.monotonic() - began < 4
        # The rest is in the buffers of the kernel and of the writer, twice because of the second try.
        assert written[0] < 16 * 1024 * 1024


@pytest.mark.parametrize(("head", "piece"), [(b"", b"H"), (answer(content_length="1000"), b"x"), (b"", b"")])
async def test_slow_answers(head: bytes, piece: bytes, upstream: Upstream, realtime: Realtime) -> None:
    """An upstream that never answers, or one byte at a time, is a timeout after five seconds in all."""
    async with pouring(upstream, head, piece, 0.2), realtime.user("ana") as ana:
        began = time.monotonic()
        await ana.send("message", event="chat", ref=1)
        await ana.send("ping", ref="p")
        assert (await ana.expect("pong"))["ref"] == "p"
        assert (await ana.expect("error"))["code"] == "upstream_timeout"
        assert 4.5 < time.monotonic() - began < 8
    assert len(upstream.calls) == 1


async def test_nothing_listens(settings: Settings, registry: Registry, token: TokenMaker) -> None:
    """An upstream that cannot be reached is `upstream_failed`, without its address."""
    await registry.update_tenant("demo", upstream=Setting(f"http://127.0.0.1:{free_port()}/", SECRET))
    async with running_gateway(settings), Realtime(settings.realtime_port, token).user("ana") as ana:
        await ana.send("message", event="chat", ref=1)
        error = await ana.expect("error")
        assert error["code"] == "upstream_failed"
        assert "127" not in error["detail"]


async def test_one_more_try(upstream: Upstream, realtime: Realtime, store: Store) -> None:
    """A call whose connection breaks is repeated once, with the same id."""

    async def handler(_: Called, writer: asyncio.StreamWriter) -> None:
        if len(upstream.calls) == 1:
            writer.close()
        else:
            writer.write(json_answer(notifications=[{"to": {"users": ["bob"]}, "title": "once"}]))

    upstream.handler = handler
    async with realtime.user("ana") as ana:
        await ana.send("message", event="chat", ref=1)
        await ana.expect("reply")
    first, second = upstream.calls
    assert (first.id, first.body) == (second.id, second.body)
    assert await titles(store, "bob") == ["once"]


async def test_a_repeated_message(upstream: Upstream, realtime: Realtime, store: Store) -> None:
    """With the same key the id is the same, and its notifications are not sent again."""

    def sends(*names: str) -> bytes:
        return json_answer(notifications=[{"to": {"users": ["bob"]}, "title": name} for name in names])

    upstream.answers(sends("a", "b"), sends("a", "b"), sends("other", "b", "c"), sends("d"))
    async with realtime.user("ana") as ana:
        await ana.send("message", event="chat", ref=1, idempotency_key="k")
        await ana.expect("reply")
    async with realtime.user("ana") as ana, realtime.user("bob") as bob:
        for ref in (2, 3):
            await ana.send("message", event="chat", ref=ref, idempotency_key="k")
            await ana.expect("reply")
        await bob.send("message", event="chat", ref=4, idempotency_key="k")
        assert await bob.titles(2) == ["c", "d"]
    assert len({each.id for each in upstream.calls[:3]}) == 1
    assert upstream.calls[3].id != upstream.calls[0].id
    assert await titles(store, "bob") == ["d", "c", "b", "a"]


async def test_order(upstream: Upstream, realtime: Realtime) -> None:
    """The next message of a connection is called after the answer to the one before; others do not wait."""
    running, most = 0, 0

    async def handler(called: Called, writer: asyncio.StreamWriter) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        writer.write(json_answer(reply=called.data["data"]))
        running -= 1

    upstream.handler = handler
    async with realtime.user("ana") as ana, realtime.user("bob") as bob:
        for number in range(20):
            await ana.send("message", event="chat", data=number, ref=number)
        await bob.send("message", event="chat", data="b", ref=0)
        assert [(await ana.expect("reply"))["data"] for _ in range(20)] == list(range(20))
        assert (await bob.expect("reply"))["data"] == "b"
    assert [each.data["data"] for each in upstream.calls if each.data["user"] == "ana"] == list(range(20))
    assert most == 2


async def test_too_many(upstream: Upstream, realtime: Realtime) -> None:
    """Of a client that does not wait for answers a bounded number of messages waits; the rest is refused."""
    go = asyncio.Event()

    async def handler(_: Called, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        writer.write(NOTHING)

    upstream.handler = handler
    async with realtime.user("ana") as ana:
        for number in range(WAITING + 20):
            await ana.send("message", event="chat", ref=number)
        codes = [(await ana.expect("error"))["code"] for _ in range(19)]
        assert set(codes) == {"overloaded"}
        go.set()
        assert [(await ana.expect("reply"))["ref"] for _ in range(WAITING + 1)] == list(range(WAITING + 1))


async def test_a_slow_tenant(
    upstream: Upstream, settings: Settings, registry: Registry, token: TokenMaker
) -> None:
    """A tenant whose upstream never answers delays no other tenant and no other frame."""

    async def never(_: Called, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    upstream.handler = never
    async with running_upstream() as fast:
        await registry.update_tenant("other", upstream=Setting(fast.url, SECRET))
        async with running_gateway(settings), AsyncExitStack() as stack:
            realtime = Realtime(settings.realtime_port, token)
            bob = await stack.enter_async_context(realtime.user("bob", tenant="other"))
            clients = [await stack.enter_async_context(realtime.user(f"u{number}")) for number in range(80)]
            for client in clients:
                await client.send("message", event="chat", ref=1)
            await eventually(upstream.count, CALLS_PER_TENANT)
            began = time.monotonic()
            for number in range(20):
                await bob.send("message", event="chat", ref=number)
                assert (await bob.expect("reply"))["ref"] == number
            await clients[0].send("ping", ref=1)
            assert (await clients[0].next())["type"] == "pong"
            assert time.monotonic() - began < 3
            assert len(upstream.calls) == CALLS_PER_TENANT


INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "no event": ({}, "invalid_request"),
    "an empty event": ({"event": ""}, "invalid_request"),
    "an event of 101 characters": ({"event": "e" * 101}, "invalid_request"),
    "an event that is no name": ({"event": "a b"}, "invalid_request"),
    "an event with dots": ({"event": "a/../b"}, "invalid_request"),
    "a key that is no key": ({"event": "e", "idempotency_key": "é"}, "invalid_request"),
    "too much data": ({"event": "e", "data": "x" * (limits.MESSAGE_BYTES - 1)}, "too_large"),
    "nested deeply": ({"event": "e", "data": json.loads("[" * 150 + "]" * 150)}, "malformed_json"),
}


@pytest.mark.parametrize("name", INVALID)
async def test_invalid_messages(name: str, upstream: Upstream, realtime: Realtime) -> None:
    """A message that is not valid is refused, and the connection stays open."""
    fields, code = INVALID[name]
    async with realtime.user("ana") as ana:
        await ana.send("message", ref=1, **fields)
        error = await ana.expect("error")
        assert (error["ref"], error["code"]) == (1, code)
        await ana.send("message", event="e" * 100, data="x" * (limits.MESSAGE_BYTES - 2), ref=2)
        assert (await ana.expect("reply"))["ref"] == 2
    assert len(upstream.calls) == 1


async def test_scopes(upstream: Upstream, realtime: Realtime, token: TokenMaker) -> None:
    """A message needs the scope inbox or message; a client without an inbox has an id, too."""
    async with realtime.socket() as client:
        await client.send("connect", token=token("kiosk", scope="message"), inbox=False)
        welcome = await client.expect("welcome")
        await client.send("message", event="e", ref=1)
        await client.expect("reply")
        await client.send("send", ref=2, notification={"to": {"all": True}, "title": "x"})
        assert (await client.expect("error"))["code"] == "insufficient_scope"
    assert upstream.calls[0].data["user"] == "kiosk"
    assert upstream.calls[0].data["connection"] == welcome["connection"]
    assert upstream.calls[0].data["device"] is None
    async with realtime.socket() as client:
        await client.send("connect", token=token("shop", scope="send"), inbox=False)
        await client.expect("welcome")
        await client.send("message", event="e", ref=1)
        assert (await client.expect("error"))["code"] == "insufficient_scope"


async def test_a_stopping_gateway(settings: Settings, upstream: Upstream, token: TokenMaker) -> None:
    """A gateway that stops answers the messages that it has, and closes with 1012."""

    async def slow(_: Called, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        writer.write(NOTHING)

    upstream.handler = slow
    async with running_gateway(settings) as stop, Realtime(settings.realtime_port, token).user("ana") as ana:
        await ana.send("message", event="e", ref=1)
        await eventually(upstream.count, 1)
        stop.set()
        assert (await ana.expect("reply"))["ref"] == 1
        assert await ana.closed() == 1012
