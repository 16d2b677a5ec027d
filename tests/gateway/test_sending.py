"""Sending over the socket: `send` frames, their answers, and clients that do it wrong."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from msgspec.structs import replace

from tests.support.realtime import Client, Realtime, Wire, masked, running_gateway
from tests.support.sending import contents, eventually, notification, titles
from tests.support.valkey import Valkey
from tidings.protocol import limits
from tidings_workers.config import Settings
from tidings_workers.gateway.sending import UNANSWERED
from tidings_workers.registry import Registry
from tidings_workers.store import InboxQuery, Store

SENDER = {"scope": "send"}


def to_ana(title: str, **fields: Any) -> dict[str, Any]:
    return {"to": {"users": ["ana"]}, "title": title, **fields}


async def sender(client: Client, realtime: Realtime, **claims: Any) -> Client:
    """Connect as a service that only sends."""
    await client.send("connect", token=realtime.token("shop", **{**SENDER, **claims}), inbox=False)
    await client.expect("welcome")
    return client


async def test_accepted(realtime: Realtime, store: Store) -> None:
    """A send is answered with its ref, id, durability and time, and its notification is delivered."""
    async with realtime.user("ana") as ana, realtime.socket() as socket:
        shop = await sender(socket, realtime)
        await shop.send("send", ref="r1", notification=to_ana("hello", data={"n": 1}))
        answer = await shop.expect("accepted")
        assert set(answer) == {"type", "ref", "id", "durability", "accepted_at"}
        assert answer["ref"] == "r1"
        delivered = await ana.expect("notification")
        assert delivered["notification"]["id"] == answer["id"]
        assert delivered["notification"]["created_at"] == answer["accepted_at"]
    stored = await store.sends.notification("demo", answer["id"])
    assert stored is not None


async def test_a_user_who_may_send(realtime: Realtime) -> None:
    """A connection with an inbox sends too, if its token has both scopes."""
    async with realtime.socket() as ana:
        await ana.send("connect", token=realtime.token("ana", scope="inbox send"))
        await ana.expect("welcome")
        await ana.send("send", ref=7, notification=to_ana("to myself"))
        found = {frame["type"]: frame for frame in [await ana.next(), await ana.next()]}
        assert found["accepted"]["ref"] == 7
        assert found["notification"]["notification"]["title"] == "to myself"


async def test_a_sender_has_no_inbox(realtime: Realtime, store: Store) -> None:
    """A service that only sends gets no notification, has no presence, and marks nothing."""
    async with realtime.socket() as socket:
        shop = await sender(socket, realtime)
        welcome = shop.frames[0]
        assert (welcome["user"], welcome["positions"], welcome["resume"]) == ("", {}, "none")
        await shop.send("send", ref=1, notification={"to": {"users": ["shop"], "exclude": []}, "title": "x"})
        await shop.expect("accepted")
        assert (await store.connections.presence("demo", "shop")).connections == []
        await shop.send("mark", ref=2, state="read", all=True)
        assert ((await shop.expect("error"))["code"], shop.frames[-1]["ref"]) == ("invalid_request", 2)
        await shop.send("ack", positions={"user": 1})
        assert (await shop.expect("error"))["code"] == "invalid_request"
        assert await shop.settle() == []


async def test_idempotency(realtime: Realtime, store: Store) -> None:
    """A repeated key gets the first answer and sends nothing; with another body it is a mismatch."""
    async with realtime.socket() as socket:
        shop = await sender(socket, realtime)
        for ref in (1, 2):
            await shop.send("send", ref=ref, idempotency_key="k", notification=to_ana("once"))
            await shop.expect("accepted")
        first, second = shop.frames[-2:]
        assert "replayed" not in first
        assert (second["replayed"], second["id"]) == (True, first["id"])
        await shop.send("send", ref=3, idempotency_key="k", notification=to_ana("other"))
        assert (await shop.expect("error"))["code"] == "idempotency_mismatch"
    assert await titles(store, "ana") == ["once"]


INVALID: dict[str, tuple[dict[str, Any], str, set[str]]] = {
    "no ref": ({"notification": to_ana("x")}, "invalid_request", set()),
    "a ref that is no ref": ({"ref": [1], "notification": to_ana("x")}, "invalid_request", set()),
    "a long ref": ({"ref": "r" * 129, "notification": to_ana("x")}, "invalid_request", set()),
    "no notification": ({"ref": 1}, "invalid_request", set()),
    "a notification that is no object": (
        {"ref": 1, "notification": 5},
        "invalid_request",
        {"#/notification"},
    ),
    "no target": ({"ref": 1, "notification": {"title": "x"}}, "invalid_request", {"#/notification/to"}),
    "several faults": (
        {"ref": 1, "notification": {"to": {"users": ["a b", "ana", "c d"]}, "titel": "x"}},
        "invalid_request",
        {"#/notification/to/users/0", "#/notification/to/users/2", "#/notification/titel"},
    ),
    "no content": (
        {"ref": 1, "notification": {"to": {"users": ["ana"]}}},
        "invalid_request",
        {"#/notification"},
    ),
    "data that is no object": (
        {"ref": 1, "notification": to_ana("x", data=[1])},
        "invalid_request",
        {"#/notification/data"},
    ),
    "a key that is no key": (
        {"ref": 1, "idempotency_key": "é", "notification": to_ana("x")},
        "invalid_request",
        set(),
    ),
    "too large": (
        {"ref": 1, "notification": to_ana("x" * limits.NOTIFICATION_BYTES)},
        "too_large",
        set(),
    ),
    "nested too deeply": (
        {"ref": 1, "notification": to_ana("x", data={"a": json.loads("[" * 150 + "]" * 150)})},
        "malformed_json",
        set(),
    ),
}


@pytest.mark.parametrize("name", INVALID)
async def test_refused(realtime: Realtime, store: Store, name: str) -> None:
    """A frame that is not valid gets REST's code and pointers, and the connection goes on."""
    fields, code, pointers = INVALID[name]
    async with realtime.socket() as socket:
        shop = await sender(socket, realtime)
        await shop.send("send", **fields)
        error = await shop.expect("error")
        assert error["code"] == code
        assert {fault["pointer"] for fault in error.get("errors", ())} == pointers
        if fields.get("ref") == 1:
            assert error["ref"] == 1
        await shop.send("send", ref=2, notification=to_ana("valid"))
        assert (await shop.expect("accepted"))["ref"] == 2
    assert await titles(store, "ana") == ["valid"]


async def test_scopes(realtime: Realtime) -> None:
    """Without the scope `send`, a send is refused, and a connection without an inbox is closed with 4007."""
    async with realtime.user("ana") as ana:
        await ana.send("send", ref=1, notification=to_ana("x"))
        error = await ana.expect("error")
        assert (error["code"], error["ref"]) == ("insufficient_scope", 1)
    for scope, inbox in (("inbox", False), ("send", True)):
        async with realtime.socket() as socket:
            await socket.send("connect", token=realtime.token("ana", scope=scope), inbox=inbox)
            assert await socket.closed() == 4007
    for field in ({"device": "d"}, {"rewind": 1}, {"resume": {"epoch": "e"}}):
        async with realtime.socket() as socket:
            await socket.send("connect", token=realtime.token("shop", **SENDER), inbox=False, **field)
            assert await socket.closed() == 4000


async def test_tenants(realtime: Realtime, store: Store) -> None:
    """Sends of two tenants that arrive together reach the users of their own tenants alone."""
    async with realtime.socket() as first, realtime.socket() as second:
        demo, other = await sender(first, realtime), await sender(second, realtime, tenant="other")
        await asyncio.gather(
            demo.send("send", ref=1, idempotency_key="k", notification=to_ana("demo")),
            other.send("send", ref=1, idempotency_key="k", notification=to_ana("other")),
        )
        assert (await demo.expect("accepted"))["id"] != (await other.expect("accepted"))["id"]
    assert await titles(store, "ana") == ["demo"]


async def test_refresh_and_revocation(realtime: Realtime, registry: Registry, store: Store) -> None:
    """A new token keeps the right to send if it has it; the revocation of its key closes with 4002."""
    key = await registry.signing_key("demo")
    assert key is not None
    async with realtime.socket() as socket:
        shop = await sender(socket, realtime)
        await shop.send("refresh", token=realtime.token("shop", scope="inbox"))
        assert (await shop.expect("error"))["code"] == "invalid_token"
        await shop.send("refresh", token=realtime.token("shop", **SENDER))
        await shop.expect("refreshed")
        await shop.send("send", ref=1, notification=to_ana("x"))
        await shop.expect("accepted")
        await registry.revoke_key("demo", key.kid)
        assert await shop.closed() == 4002
    async with realtime.socket() as late:
        await late.send("connect", token=realtime.token("shop", **SENDER), inbox=False)
        assert await late.closed() == 4001


async def test_pipelined(realtime: Realtime, store: Store) -> None:
    """Many frames in one write are all answered, in few writes, faster than the rate of frames, in order."""
    count = 3_000
    async with Wire.opened(realtime.port, ": ".join(realtime.bearer("shop", **SENDER))) as wire:
        wire.write(masked('{"type":"connect","inbox":false}'))
        assert (await wire.message())["type"] == "welcome"
        wire.write(
            b"".join(
                masked(json.dumps({"type": "send", "ref": n, "notification": to_ana(str(n))}))
                for n in range(count)
            )
        )
        refs = [(await wire.message())["ref"] for _ in range(count)]
    assert refs == list(range(count))
    page = await contents(store, "ana")
    assert [each["title"] for each in page] == [str(n) for n in range(count - 1, count - 201, -1)]


async def test_other_frames_of_a_sender_are_limited(realtime: Realtime) -> None:
    """The rate of frames closes a sender that floods with other frames, or without the right to send."""
    for scope, frame in (("send", '{"type":"ping"}'), ("inbox", '{"type":"send","ref":1,"notification":{}}')):
        header = ": ".join(realtime.bearer("shop", scope=scope))
        async with Wire.opened(realtime.port, header) as wire:
            wire.write(masked(json.dumps({"type": "connect", "inbox": scope == "inbox"})))
            wire.write(masked(frame) * (limits.FRAMES_BURST + 50))
            assert await wire.close_code() == 4101


async def test_a_client_that_does_not_read(realtime: Realtime, store: Store) -> None:
    """The gateway reads no more from a client that leaves its answers unread, and its memory is bounded."""
    frame = masked(json.dumps({"type": "send", "ref": "r" * 100, "notification": to_ana("x" * 1_000)}))
    async with realtime.lazy("shop", claims={"scope": "send"}, inbox=False) as wire:
        sent = 0
        with suppress(TimeoutError, ConnectionError):
            while sent < 100_000:
                wire.write(frame * 100)
                sent += 100
                async with asyncio.timeout(3):
                    await wire.writer.drain()
        # The buffers of both kernels and of the client hold the rest.
        assert sent < 100_000
        async with realtime.user("bob") as bob:
            await store.sends.send("demo", [notification("x", users=["bob"])])
            await bob.expect("notification")


class TestStorageAway:
    """The store of the gateway is killed."""

    @pytest.fixture
    def settings(self, settings: Settings, valkey: Valkey) -> Settings:
        """The store of this test alone."""
        return replace(settings, redis_url=valkey.url)

    async def test_sends_are_refused(self, realtime: Realtime, valkey: Valkey) -> None:
        """While the storage is away, a send gets `storage_unavailable`, and the connection serves on."""
        async with realtime.socket() as socket:
            shop = await sender(socket, realtime)

            async def send() -> tuple[str, int]:
                await shop.send("send", ref=1, idempotency_key="k", notification=to_ana("x"))
                frame = await shop.next()
                return str(frame.get("code", frame["type"])), int(frame["ref"])

            valkey.kill()
            assert await send() == ("storage_unavailable", 1)
            await asyncio.to_thread(valkey.start)
            await eventually(send, ("accepted", 1))


async def test_drained(settings: Settings, token: Callable[..., str], store: Store) -> None:
    """A gateway that stops answers every send that it carries out, and then closes with 1012."""
    answered, total = 0, 2 * UNANSWERED
    async with running_gateway(settings) as stop:
        realtime = Realtime(settings.realtime_port, token)
        async with realtime.socket() as socket:
            shop = await sender(socket, realtime)
            for ref in range(total):
                target = {"users": [f"u{ref % 50}"]}
                await shop.send("send", ref=ref, notification={"to": target, "title": "x"})
            await shop.expect("accepted")
            stop.set()
            assert await shop.closed() == 1012
            answered = sum(frame["type"] == "accepted" for frame in shop.frames)
    stored = 0
    for user in range(50):
        page = await store.inbox.page("demo", f"u{user}", InboxQuery(limit=200))
        stored += len(page.items)
    assert answered == stored
