"""Clients without a token: the rights of guests, and the limits of them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from tests.gateway.conftest import TokenMaker
from tests.support.realtime import Realtime, running_gateway
from tests.support.sending import eventually, notification
from tests.support.stomp import StompClient, stomp_socket
from tidings_workers.config import Settings
from tidings_workers.registry import Registry
from tidings_workers.store import Store

OPEN = ("public", "news/*", "mine/{sub}")
INBOX = "/user/queue/notifications"
# Destinations that a guest must not reach, with the code of the ERROR.
FORBIDDEN = (
    ("SUBSCRIBE", "/topic/secret", "forbidden_topic"),
    ("SUBSCRIBE", "/topic/public/x", "forbidden_topic"),
    ("SUBSCRIBE", "/topic/mine/ana", "forbidden_topic"),
    ("SUBSCRIBE", "/queue/public", "forbidden_topic"),
    ("SUBSCRIBE", "/topic/user/queue/notifications", "forbidden_topic"),
    ("SUBSCRIBE", "/topic/*", "invalid_topic"),
    ("SUBSCRIBE", "/topic/news/*", "invalid_topic"),
    ("SUBSCRIBE", "/topic/**", "invalid_topic"),
    ("SUBSCRIBE", "/topic/mine/{sub}", "invalid_topic"),
    ("SUBSCRIBE", "/topic/../topic/public", "invalid_topic"),
    ("SUBSCRIBE", "/topic/../x", "invalid_topic"),
    ("SUBSCRIBE", "/topic/news/../secret", "invalid_topic"),
    ("SUBSCRIBE", "/topic/public%2F..%2Fsecret", "invalid_topic"),
    ("SUBSCRIBE", "/topic/news%2Fx", "invalid_topic"),
    ("SUBSCRIBE", "/topic/news\u2215x", "invalid_topic"),
    ("SUBSCRIBE", "/topic/publi\u0441", "invalid_topic"),
    ("SUBSCRIBE", "/topic/public\u200b", "invalid_topic"),
    ("SUBSCRIBE", "/topic//public", "invalid_topic"),
    ("SUBSCRIBE", "/topic/public/", "invalid_topic"),
    ("SUBSCRIBE", "/amq/queue/public", "invalid_request"),
    ("SEND", "/topic/public", "forbidden_topic"),
    ("SEND", "/topic/secret", "forbidden_topic"),
    ("SEND", "/queue/jobs", "forbidden_topic"),
    ("SEND", "/topic/**", "invalid_topic"),
    ("SEND", "/user/ana/queue/notifications", "insufficient_scope"),
    ("SEND", "/user/queue/notifications", "insufficient_scope"),
    ("SEND", "/app/../topic/public", "invalid_request"),
    ("SEND", "/app/x%2Fy", "invalid_request"),
    ("SEND", "/app/*", "invalid_request"),
    ("SEND", "/app/", "invalid_request"),
)


@pytest.fixture
async def hosted(registry: Registry) -> Registry:
    """A registry in which `demo` alone allows guests."""
    await registry.update_tenant("demo", guests=True, open_topics=OPEN)
    return registry


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A gateway that admits three guests of one address."""
    return replace(settings, guests_per_address=3)


@pytest.fixture
async def open_to_guests(settings: Settings, hosted: Registry, token: TokenMaker) -> AsyncIterator[Realtime]:
    """Clients of a running gateway that admits guests."""
    async with running_gateway(settings):
        yield Realtime(settings.realtime_port, token)


@asynccontextmanager
async def guest(realtime: Realtime, **headers: Any) -> AsyncIterator[StompClient]:
    """A connected guest."""
    async with stomp_socket(realtime.port) as client:
        await client.connected(**headers)
        yield client


async def test_without_guests_a_token_is_needed(realtime: Realtime) -> None:
    """A tenant allows no guests by default."""
    async with stomp_socket(realtime.port) as client:
        await client.send("CONNECT", accept_version="1.2", host="demo")
        assert await client.refused() == ("missing_token", 4001)


@pytest.mark.parametrize("path", ["/ws", "/ws/000/abc/websocket"])
async def test_a_guest_reads_open_topics(store: Store, open_to_guests: Realtime, path: str) -> None:
    """A guest has a random name, and gets what the application sends to an open topic."""
    async with stomp_socket(open_to_guests.port, path) as raw:
        client = raw
        if path != "/ws":
            client = _Framed(raw.socket)
            assert await raw.socket.recv() == "o"
        connected = await client.connected()
        name = connected.headers["user-name"]
        assert name.startswith("guest-")
        assert len(name) == len("guest-") + 16
        await client.subscribe("/topic/public")
        await client.subscribe(f"/topic/mine/{name}", "own")
        await store.sends.send("demo", [notification("all", topics=["public"], data={"n": 1})])
        message = await client.expect("MESSAGE")
        assert (message.headers["destination"], json.loads(message.body)) == ("/topic/public", {"n": 1})


class _Framed(StompClient):
    """A client of SockJS."""

    async def write(self, data: bytes) -> None:
        """Send bytes in a message of SockJS."""
        await self.socket.send(json.dumps([data.decode()]))

    async def next(self) -> Any:
        """The next frame."""
        while (frame := self._parser.next_frame()) is None:
            message = await self.socket.recv(decode=True)
            assert message[0] == "a", message
            for part in json.loads(message[1:]):
                self._parser.feed(part.encode())
        return frame


async def test_a_guest_has_no_inbox(store: Store, open_to_guests: Realtime) -> None:
    """Destinations of a user stay empty for a guest: no send to all, to its name or to a group arrives."""
    async with guest(open_to_guests) as client:
        await client.subscribe(INBOX, "1")
        await client.subscribe("/user/queue/messages", "2")
        await client.subscribe("/user/topic/orders", "3")
        await client.subscribe("/topic/public", "4")
        for to in ({"to_all": True}, {"users": ["ana"]}):
            await store.sends.send("demo", [notification("inbox", category="messages", **to)])
        await store.sends.send("demo", [notification("end", topics=["public"])])
        assert (await client.expect("MESSAGE")).headers["title"] == "end"


async def test_a_guest_is_not_stored(store: Store, open_to_guests: Realtime) -> None:
    """A guest leaves no user, no presence and no device in the store."""
    async with guest(open_to_guests) as client:
        await client.subscribe(INBOX, "1")
    assert [key for key in await store.redis.keys("*") if b"guest-" in key] == []


@pytest.mark.parametrize(("command", "destination", "code"), FORBIDDEN)
async def test_a_guest_gets_nothing_else(
    open_to_guests: Realtime, command: str, destination: str, code: str
) -> None:
    """Every other destination gets ERROR, in any spelling."""
    async with guest(open_to_guests) as client:
        await client.send(command, "{}", id="1", destination=destination)
        assert (await client.refused())[0] == code


@pytest.mark.parametrize(
    "headers",
    [
        {"login": "admin"},
        {"login": "ana"},
        {"login": "guest-0000000000000000"},
        {"login": "guest", "passcode": "guest"},
        {"device": "laptop"},
    ],
)
async def test_a_guest_does_not_choose_its_name(open_to_guests: Realtime, headers: dict[str, str]) -> None:
    """A client that names a user or a device needs the token of that user."""
    async with stomp_socket(open_to_guests.port) as client:
        await client.send("CONNECT", accept_version="1.2", host="x", **headers)
        code, closed = await client.refused()
        assert (code in {"missing_token", "invalid_token"}, closed) == (True, 4001)


async def test_a_wrong_token_makes_no_guest(open_to_guests: Realtime) -> None:
    """A token that is not valid is refused, and the client does not become a guest."""
    for headers in ({"passcode": "a.b.c"}, {"token": "x"}, {"Authorization": "Bearer"}):
        async with stomp_socket(open_to_guests.port) as client:
            await client.send("CONNECT", accept_version="1.2", host="demo", **headers)
            assert await client.refused() == ("invalid_token", 4001)


async def test_a_user_whose_name_is_that_of_a_guest(store: Store, open_to_guests: Realtime) -> None:
    """A token for a user `guest-...` has the rights of its claims and an inbox, as for any user."""
    async with guest(open_to_guests) as client, stomp_socket(open_to_guests.port) as user:
        await client.subscribe(INBOX)
        await client.subscribe("/topic/public", "end")
        name = "guest-0123456789abcdef"
        await user.connected(passcode=open_to_guests.token(name, topics=["secret"]))
        await user.subscribe(INBOX)
        await user.subscribe("/topic/secret", "claim")
        await store.sends.send("demo", [notification("own", users=[name])])
        assert (await user.expect("MESSAGE")).headers["title"] == "own"
        await store.sends.send("demo", [notification("end", topics=["public"])])
        assert (await client.expect("MESSAGE")).headers["title"] == "end"


async def test_other_protocols_have_no_guests(open_to_guests: Realtime) -> None:
    """A client of `tidings.v1` without a token is refused."""
    async with open_to_guests.socket() as client:
        await client.send("connect", inbox=False)
        assert await client.closed() == 4001


async def test_acknowledgements_of_a_guest_are_counted(
    store: Store, open_to_guests: Realtime, working: None
) -> None:
    """A message of a topic counts as delivered when it reached a guest, or the guest acknowledged it."""
    async with guest(open_to_guests) as auto, guest(open_to_guests) as by_hand:
        await auto.subscribe("/topic/public")
        await by_hand.subscribe("/topic/public", ack="client-individual")
        (identity,) = (await store.sends.send("demo", [notification("one", topics=["public"])])).ids

        async def delivered() -> int:
            stored = await store.sends.notification("demo", identity)
            return stored.delivered if stored is not None else 0

        await auto.expect("MESSAGE")
        await eventually(delivered, expected=1)
        await by_hand.send("ACK", id=(await by_hand.expect("MESSAGE")).headers["ack"])
        await eventually(delivered, expected=2)


async def test_the_tenant_of_a_guest(registry: Registry, hosted: Registry, realtime: Realtime) -> None:
    """The header `host` names the tenant; another host is of the only tenant with guests, if there is one."""

    async def lands(host: str, tenant: str) -> bool:
        """Whether a guest with this host reads a topic that this tenant alone has opened."""
        async with stomp_socket(realtime.port) as client:
            await client.send("CONNECT", accept_version="1.2", host=host)
            if (await client.next()).command != "CONNECTED":
                return False
            await client.send("SUBSCRIBE", id="1", destination=f"/topic/{tenant}", receipt="1")
            return (await client.next()).command == "RECEIPT"

    await registry.update_tenant("demo", open_topics=["demo"])
    await registry.update_tenant("other", open_topics=["other"])
    await eventually(lambda: lands("127.0.0.1", "demo"), expected=True)
    assert await lands("demo", "demo")
    # A tenant that allows no guests is not replaced by another one.
    assert not await lands("other", "demo")
    await registry.update_tenant("other", guests=True)
    await eventually(lambda: lands("other", "other"), expected=True)
    assert await lands("demo", "demo")
    async with stomp_socket(realtime.port) as client:
        await client.send("CONNECT", accept_version="1.2", host="127.0.0.1")
        error = await client.expect("ERROR")
        assert error.headers["message"] == "missing_token"
        assert "host" in json.loads(error.body)["detail"]


async def test_origins_are_those_of_the_tenant(registry: Registry, realtime: Realtime) -> None:
    """A page of an origin that is not on the list of the tenant gets no guest."""
    await registry.update_tenant("listed", guests=True, open_topics=["public"])

    async def answer(origin: str) -> str:
        async with stomp_socket(realtime.port, origin=origin) as client:
            await client.send("CONNECT", accept_version="1.2", host="x")
            frame = await client.next()
            return frame.headers.get("message", frame.command)

    await eventually(lambda: answer("https://app.example"), expected="CONNECTED")
    assert await answer("https://evil.example") == "origin_refused"


async def test_guests_of_an_address_are_limited(open_to_guests: Realtime) -> None:
    """Beyond the limit of an address guests are refused, the third time slowly; users still connect."""
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(guest(open_to_guests))
        waits = []
        for _ in range(3):
            async with stomp_socket(open_to_guests.port) as client:
                began = time.monotonic()
                await client.send("CONNECT", accept_version="1.2", host="x")
                assert await client.refused() == ("overloaded", 4103)
                waits.append(time.monotonic() - began)
        assert waits[2] >= 1
        async with stomp_socket(open_to_guests.port) as user:
            await user.connected(passcode=open_to_guests.token("ana"))
    async with guest(open_to_guests):
        pass


async def test_guests_leave_when_the_tenant_ends_it(hosted: Registry, open_to_guests: Realtime) -> None:
    """Within two seconds after `--no-guests` the connections of guests are closed, and users stay."""
    async with guest(open_to_guests) as client, stomp_socket(open_to_guests.port) as user:
        await user.connected(passcode=open_to_guests.token("ana"))
        await client.subscribe("/topic/public")
        await hosted.update_tenant("demo", guests=False)
        async with asyncio.timeout(2):
            assert await client.refused() == ("invalid_token", 4002)
        await user.subscribe("/topic/public")
