"""STOMP over WebSockets: the inbox of a user, as clients of Spring's simple broker read it."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.realtime import Realtime, Wire, handshake
from tests.support.sending import eventually, notification
from tests.support.stomp import StompClient, client_frame, stomp_socket
from tidings.protocol.notifications import CreateNotification, Target
from tidings_workers.gateway.stomp.frames import Frame, Version
from tidings_workers.registry import Registry
from tidings_workers.store import Store

INBOX = "/user/queue/notifications"


@asynccontextmanager
async def stomp(
    realtime: Realtime, user: str, version: Version = "1.2", **headers: Any
) -> AsyncIterator[StompClient]:
    """A connected client of a user."""
    async with stomp_socket(realtime.port) as client:
        await client.connected(version, Authorization=f"Bearer {realtime.token(user)}", **headers)
        yield client


def untitled(body: str) -> CreateNotification:
    """A notification to Ana that has a body and nothing else."""
    return CreateNotification(to=Target(users=("ana",)), body=body)


async def messages(client: StompClient, count: int) -> list[Frame]:
    return [await client.expect("MESSAGE") for _ in range(count)]


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
async def test_a_session(store: Store, realtime: Realtime, version: Version) -> None:
    """A client of each version connects, subscribes, gets a message, and disconnects with a receipt."""
    async with stomp_socket(realtime.port) as client:
        connected = await client.connected(version, passcode=realtime.token("ana"), login="ana")
        assert connected.headers["version"] == version
        assert connected.headers["user-name"] == "ana"
        assert {"heart-beat", "session", "server"} <= connected.headers.keys()
        await client.subscribe(INBOX)
        (identity,) = (
            await store.sends.send("demo", [notification("Hi: all", users=["ana"], data={"n": 1})])
        ).ids
        message = await client.expect("MESSAGE")
        assert json.loads(message.body) == {"n": 1}
        assert message.headers == {
            "subscription": "sub-0",
            "destination": INBOX,
            "message-id": "1-user",
            "content-type": "application/json",
            "content-length": str(len(message.body)),
            "tidings-id": identity,
            "tidings-log": "user",
            "tidings-position": "1",
            "title": "Hi: all",
        }
        await client.send("DISCONNECT", receipt="bye")
        assert (await client.expect("RECEIPT")).headers["receipt-id"] == "bye"
        assert await client.closed() == 1000


async def test_a_token_in_the_handshake(realtime: Realtime) -> None:
    """A token in the handshake needs none in CONNECT."""
    headers = [realtime.bearer("ana")]
    async with stomp_socket(realtime.port, additional_headers=headers) as client:
        assert (await client.connected()).headers["user-name"] == "ana"


async def test_which_token_counts(realtime: Realtime) -> None:
    """Authorization counts before token, token before passcode, and all before that of the handshake."""
    names = ("Authorization", "token", "passcode")
    for first in range(4):
        tokens: dict[str, Any] = {
            name: "Bearer " * (name == "Authorization") + realtime.token(f"user-{index}")
            for index, name in enumerate(names)
            if index >= first
        }
        async with stomp_socket(realtime.port, additional_headers=[realtime.bearer("user-3")]) as client:
            assert (await client.connected(**tokens)).headers["user-name"] == f"user-{first}"
    async with stomp_socket(realtime.port, additional_headers=[realtime.bearer("ana")]) as client:
        await client.send("CONNECT", accept_version="1.2", passcode="wrong")
        assert await client.refused() == ("invalid_token", 4001)


async def test_bodies(store: Store, realtime: Realtime) -> None:
    """A body is the data, or the text when there is nothing else, or the whole notification."""
    async with stomp(realtime, "ana") as client:
        await client.subscribe(INBOX)
        await client.subscribe(INBOX, "whole", tidings_body="notification")
        sent = [
            untitled("a line"),
            notification("title", users=["ana"], body="text"),
            untitled("a\0b"),
        ]
        await store.sends.send("demo", sent)
        text, whole, titled, _, with_nul, _ = await messages(client, 6)
    assert (text.headers["content-type"], text.body) == ("text/plain;charset=UTF-8", b"a line")
    assert whole.headers["subscription"] == "whole"
    assert json.loads(whole.body)["body"] == "a line"
    assert json.loads(titled.body)["title"] == "title"
    assert json.loads(with_nul.body)["body"] == "a\0b"


async def test_categories(store: Store, realtime: Realtime) -> None:
    """A subscription to a category gets it and the categories below it, from every log of the user."""
    async with stomp(realtime, "ana") as client:
        await client.subscribe("/user/queue/orders", "a")
        await client.subscribe("/user/topic/orders.eu", "b")
        for category in ("orders", "orders.eu", "ordersx", "news"):
            await store.sends.send("demo", [notification(category, to_all=True, category=category)])
        await store.sends.send("demo", [notification("end", users=["ana"], category="orders")])
        found = await messages(client, 4)
    assert [(each.headers["subscription"], each.headers["title"]) for each in found] == [
        ("a", "orders"),
        ("a", "orders.eu"),
        ("b", "orders.eu"),
        ("a", "end"),
    ]
    assert found[0].headers["tidings-log"] == "all"


async def test_messages_in_every_form(realtime: Realtime) -> None:
    """Frames may come in text and binary messages, in pieces, several in one, and after line ends."""
    token = realtime.token("ana")
    async with stomp_socket(realtime.port) as client:
        data = b"\n\r\n" + client_frame("STOMP", accept_version="1.1,1.2", host="x", passcode=token)
        await client.socket.send(data[:40])
        await client.socket.send([data[40:60], data[60:100]])
        await client.socket.send(data[100:].decode())
        assert (await client.expect("CONNECTED")).headers["version"] == "1.2"
        subscribe = client_frame("SUBSCRIBE", id="1", destination=INBOX, receipt="\u00e4")
        middle = subscribe.index("\u00e4".encode()) + 1
        await client.socket.send(subscribe[:middle])
        await client.socket.send(
            subscribe[middle:] + b"\n" + client_frame("UNSUBSCRIBE", id="1", receipt="2")
        )
        assert (await client.expect("RECEIPT")).headers["receipt-id"] == "\u00e4"
        assert (await client.expect("RECEIPT")).headers["receipt-id"] == "2"


async def test_nothing_is_missed_between_connect_and_subscribe(store: Store, realtime: Realtime) -> None:
    """With a device, a client gets everything after its last acknowledgement, once and in order."""
    async with stomp(realtime, "ana", device="phone") as client:
        await client.subscribe(INBOX, ack="client-individual")
        await store.sends.send("demo", [notification(f"{number}", users=["ana"]) for number in range(4)])
        found = await messages(client, 4)
        # The third one stays: the last one moves no position, because this one is before it.
        for index in (1, 0, 3):
            await client.send("ACK", id=found[index].headers["ack"])
        await client.send("NACK", id=found[2].headers["ack"], receipt="done")
        await client.expect("RECEIPT")
    async with stomp(realtime, "ana", device="phone") as client:
        await store.sends.send("demo", [notification("while connecting", users=["ana"])])
        await client.send("SUBSCRIBE", id="0", destination="/user/queue/other")
        await client.send("SUBSCRIBE", id="1", destination=INBOX, ack="client")
        found = await messages(client, 3)
        assert [each.headers["title"] for each in found] == ["2", "3", "while connecting"]
        await client.send("ACK", id=found[-1].headers["ack"], receipt="done")
        await client.expect("RECEIPT")
        await store.sends.send("demo", [notification("live", users=["ana"])])
        assert (await client.expect("MESSAGE")).headers["title"] == "live"
    async with stomp(realtime, "ana", device="phone") as client:
        await client.subscribe(INBOX)
        assert (await client.expect("MESSAGE")).headers["title"] == "live"


async def test_acknowledging_by_itself(store: Store, realtime: Realtime, working: None) -> None:
    """With ack:auto, a device continues after the messages that reached it."""
    async with stomp(realtime, "ana", device="phone") as client:
        await client.subscribe(INBOX)
        (identity,) = (await store.sends.send("demo", [notification("one", users=["ana"])])).ids
        await client.expect("MESSAGE")

        async def delivered() -> bool:
            stored = await store.sends.notification("demo", identity)
            return stored is not None and stored.delivered == 1

        await eventually(delivered, expected=True)
    async with stomp(realtime, "ana", device="phone") as client:
        await client.subscribe(INBOX)
        await store.sends.send("demo", [notification("two", users=["ana"])])
        assert (await client.expect("MESSAGE")).headers["title"] == "two"


async def test_resume(store: Store, realtime: Realtime) -> None:
    """A client resumes after the positions in the header `resume`."""
    await store.sends.send("demo", [notification(f"{number}", users=["ana"]) for number in range(3)])
    resume = json.dumps({"epoch": store.epoch, "positions": {"user": 1}})
    async with stomp(realtime, "ana", resume=resume) as client:
        await client.subscribe(INBOX)
        assert [each.headers["title"] for each in await messages(client, 2)] == ["1", "2"]


async def test_transactions(store: Store, realtime: Realtime) -> None:
    """Frames of a transaction take effect at COMMIT, and after ABORT never."""
    async with stomp(realtime, "ana", device="phone") as client:
        await client.subscribe(INBOX, ack="client")
        await store.sends.send("demo", [notification("one", users=["ana"])])
        message = await client.expect("MESSAGE")
        await client.send("BEGIN", transaction="t", receipt="begun")
        await client.expect("RECEIPT")
        await client.send("ACK", id=message.headers["ack"], transaction="t", receipt="acknowledged")
        await client.send("ABORT", transaction="t", receipt="aborted")
        assert (await client.expect("RECEIPT")).headers["receipt-id"] == "aborted"
        await client.send("BEGIN", transaction="t")
        await client.send("ACK", id=message.headers["ack"], transaction="t", receipt="acknowledged")
        await client.send("COMMIT", transaction="t", receipt="committed")
        found = [(await client.expect("RECEIPT")).headers["receipt-id"] for _ in range(2)]
        assert found == ["acknowledged", "committed"]
        await client.send("COMMIT", transaction="t")
        assert await client.refused() == ("invalid_request", 4000)


SUBSCRIBED = client_frame("SUBSCRIBE", id="0", destination=INBOX)
# Frames that are refused after CONNECTED, with the code of the ERROR frame and the close code.
REFUSED: dict[str, tuple[bytes, str, int]] = {
    "an unknown command": (client_frame("HELLO"), "malformed_request", 1002),
    "a broken frame": (b"SEND\nx\n\n\0", "malformed_request", 1002),
    "too many headers": (b"SEND\n" + b"a:b\n" * 65 + b"\n\0", "too_large", 1009),
    "a second CONNECT": (client_frame("CONNECT"), "invalid_request", 4000),
    "no id": (client_frame("SUBSCRIBE", destination=INBOX), "invalid_request", 4000),
    "no destination": (client_frame("SUBSCRIBE", id="1"), "invalid_request", 4000),
    "another mode": (client_frame("SUBSCRIBE", id="1", destination=INBOX, ack="x"), "invalid_request", 4000),
    "the same id twice": (SUBSCRIBED + SUBSCRIBED, "invalid_request", 4000),
    "no subscription": (client_frame("UNSUBSCRIBE"), "invalid_request", 4000),
    "another's queue": (client_frame("SUBSCRIBE", id=1, destination="/user/bob/x"), "invalid_request", 4000),
    "a wildcard": (client_frame("SUBSCRIBE", id="1", destination="/user/**"), "invalid_request", 4000),
    "no queue": (client_frame("SUBSCRIBE", id="1", destination="/user/queue/"), "invalid_request", 4000),
    "a send to a user": (client_frame("SEND", destination="/user/bob/queue/x"), "insufficient_scope", 4000),
    "a send to oneself": (client_frame("SEND", destination="/user/queue/x"), "insufficient_scope", 4000),
    "a send to nowhere": (client_frame("SEND", destination="x"), "invalid_request", 4000),
    "an event": (client_frame("SEND", destination="/app/message"), "no_upstream", 4000),
    "no message": (client_frame("ACK", id="x"), "invalid_request", 4000),
    "an ACK of nothing": (client_frame("ACK"), "invalid_request", 4000),
    "an unknown transaction": (client_frame("ACK", id="1-user", transaction="t"), "invalid_request", 4000),
    "no transaction": (client_frame("BEGIN"), "invalid_request", 4000),
    "a transaction twice": (client_frame("BEGIN", transaction="t") * 2, "invalid_request", 4000),
    "a long transaction": (
        client_frame("BEGIN", transaction="t") + client_frame("ACK", id="1-user", transaction="t") * 101,
        "too_large",
        1009,
    ),
    "a long id": (client_frame("SUBSCRIBE", id="x" * 1_025, destination=INBOX), "too_large", 1009),
    "a long destination": (client_frame("SUBSCRIBE", id="1", destination="x" * 1_025), "too_large", 1009),
    "a long receipt": (client_frame("ACK", id="1-user", receipt="x" * 1_025), "too_large", 1009),
    "many subscriptions": (
        b"".join(client_frame("SUBSCRIBE", id=number, destination=INBOX) for number in range(101)),
        "invalid_request",
        4000,
    ),
    "a flood": (client_frame("ACK", id="1-user") * 300, "rate_limited", 4101),
}  # fmt: skip


async def test_an_unsubscribe_without_effect(store: Store, realtime: Realtime) -> None:
    """A subscription may be ended twice, as in Spring: it has ended, and the connection stays."""
    async with stomp(realtime, "ana") as client:
        await client.subscribe(INBOX)
        await client.subscribe("/user/queue/orders", "orders")
        for headers in ({"id": "orders"}, {"id": "orders"}, {"id": "x"}, {"destination": "/topic/x"}):
            await client.send("UNSUBSCRIBE", receipt="ended", **headers)
            assert (await client.expect("RECEIPT")).headers["receipt-id"] == "ended"
        await store.sends.send("demo", [notification("one", users=["ana"], category="orders")])
        assert [each.headers["subscription"] for each in await messages(client, 1)] == ["sub-0"]


async def test_what_is_refused(realtime: Realtime) -> None:
    """A frame that is not allowed gets ERROR with a code, a cure and its receipt, and then a close."""
    for name, (data, code, close) in REFUSED.items():
        async with stomp(realtime, "ana") as client:
            await client.write(data)
            error = await client.next()
            while error.command == "RECEIPT":
                error = await client.next()
            assert (error.command, error.headers["message"]) == ("ERROR", code), name
            document = json.loads(error.body)
            assert document["code"] == code
            assert document["detail"].endswith("."), document
            assert await client.closed() == close, name
    async with stomp(realtime, "ana") as client:
        await client.send("SEND", destination="/app/x", receipt="r1")
        assert (await client.expect("ERROR")).headers["receipt-id"] == "r1"


async def test_refused_clients(realtime: Realtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client without a valid token, version or first frame gets ERROR with a code, and a close code."""
    monkeypatch.setattr("tidings_workers.gateway.stomp.slow.FREE", 100)
    token = realtime.token("ana")
    cases: list[tuple[bytes, tuple[str, int]]] = [
        (client_frame("CONNECT", accept_version="1.2"), ("missing_token", 4001)),
        (client_frame("CONNECT", accept_version="1.2", passcode="x"), ("invalid_token", 4001)),
        (client_frame("CONNECT", accept_version="1.2", Authorization="Basic x"), ("invalid_token", 4001)),
        (client_frame("CONNECT", accept_version="1.3", passcode=token), ("invalid_request", 4000)),
        (client_frame("CONNECT", passcode=token, login="bob"), ("invalid_token", 4001)),
        (client_frame("CONNECT", passcode=token, heart_beat="x"), ("invalid_request", 4000)),
        (client_frame("CONNECT", passcode=token, resume="{"), ("invalid_request", 4000)),
        (client_frame("CONNECT", passcode=token, device="a b"), ("invalid_request", 4000)),
        (client_frame("CONNECT", passcode=realtime.token("ana", scope="send")), ("insufficient_scope", 4007)),
        (client_frame("CONNECT", passcode=realtime.token("ana", seconds=1, age=60)), ("expired_token", 4200)),
        (SUBSCRIBED, ("invalid_request", 4000)),
        (b"GET / HTTP/1.1\r\n\r\n", ("malformed_request", 1002)),
    ]  # fmt: skip
    for data, expected in cases:
        async with stomp_socket(realtime.port) as client:
            await client.write(data)
            assert await client.refused() == expected, data
    async with Wire.to(realtime.port) as wire:
        wire.write(handshake(path=f"/ws?token={token}"))
        assert (await wire.response())[0] == 401


async def test_a_refused_client_is_slowed_down(realtime: Realtime) -> None:
    """The third refusal of an address within a minute waits; other connections of it do not."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    for number in range(3):
        async with stomp_socket(realtime.port) as client:
            await client.send("CONNECT", accept_version="1.2", passcode="x")
            if number == 2:
                async with stomp(realtime, "ana") as ana:
                    await ana.subscribe(INBOX)
            assert await client.refused() == ("invalid_token", 4001)
    assert loop.time() - start >= 0.9


async def test_subprotocols(realtime: Realtime) -> None:
    """A browser offers subprotocols and needs one of them in the response."""
    for offered, chosen in (
        (["v10.stomp", "v11.stomp"], "v11.stomp"),
        (["x"], None),
        (["x", "v12.stomp"], "v12.stomp"),
    ):
        async with stomp_socket(realtime.port, "/ws/websocket", subprotocols=offered) as client:
            assert client.socket.subprotocol == chosen


async def test_an_origin_that_is_not_listed(realtime: Realtime, registry: Registry) -> None:
    """A page of another origin is refused when it has connected with a token in its frame."""
    async with stomp_socket(realtime.port, origin="https://other.example") as client:
        await client.send("CONNECT", accept_version="1.2", passcode=realtime.token("ana", tenant="listed"))
        assert await client.refused() == ("origin_refused", 4004)


async def test_a_client_that_never_acknowledges(
    store: Store, realtime: Realtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that leaves too many messages unacknowledged is closed as a slow consumer."""
    monkeypatch.setattr("tidings_workers.gateway.stomp.unacknowledged.MOST", 20)
    async with stomp(realtime, "ana") as client:
        await client.subscribe(INBOX, ack="client")
        await store.sends.send("demo", [notification(f"{number}", users=["ana"]) for number in range(30)])
        assert await client.closed() == 4100


async def test_equal_pages_share_their_bytes(store: Store, realtime: Realtime) -> None:
    """Connections with the same subscriptions have one encoding."""
    from tidings_workers.gateway.stomp.socket import StompSocket

    # Those of earlier tests are garbage with cycles.
    gc.collect()
    async with stomp(realtime, "ana") as ana, stomp(realtime, "bob") as bob:
        for client in (ana, bob):
            await client.subscribe(INBOX)
            await client.subscribe("/user/queue/x", "sub-1")
        wires = [wire for wire in StompSocket.wires._wires.values() if len(wire._subscriptions) == 2]
        assert len(wires) == 1
