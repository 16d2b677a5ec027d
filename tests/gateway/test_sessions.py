"""The number of connections of a user: the tenant's policy, across gateways, also in a race."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from msgspec.structs import replace
from websockets.exceptions import ConnectionClosed

from tests.gateway.conftest import TokenMaker
from tests.support.ports import free_port
from tests.support.realtime import Client, Realtime, running_gateway
from tests.support.sending import eventually
from tidings.protocol import closing
from tidings_workers.config import Settings
from tidings_workers.registry import Registry
from tidings_workers.store import Store

Gateways = tuple[Realtime, Realtime]


@pytest.fixture
async def gateways(
    request: pytest.FixtureRequest, settings: Settings, registry: Registry, token: TokenMaker
) -> AsyncIterator[Gateways]:
    """Two gateways with the policy of the tenant `demo` from the test's parameter."""
    await registry.update_tenant("demo", **getattr(request, "param", {}))
    ports = free_port(), free_port()
    async with (
        running_gateway(replace(settings, realtime_port=ports[0])),
        running_gateway(replace(settings, realtime_port=ports[1])),
    ):
        yield Realtime(ports[0], token), Realtime(ports[1], token)


def policy(sessions: str, limit: int | None = None) -> pytest.MarkDecorator:
    """The parameter of `gateways`."""
    return pytest.mark.parametrize(
        "gateways", [{"sessions": sessions, "session_limit": limit}], indirect=True
    )


async def online(store: Store, user: str = "ana") -> list[str]:
    return [row.id for row in (await store.connections.presence("demo", user)).connections]


async def first(client: Client) -> str:
    """The first answer to a client that connects: `welcome`, or the close code."""
    try:
        frame = await client.next()
    except ConnectionClosed as closed:
        return str(closed.rcvd.code if closed.rcvd else None)
    kind: str = frame["type"]
    return kind


async def connect(realtime: Realtime, stack: AsyncExitStack, **fields: Any) -> tuple[str, Client]:
    """Connect the user ana until `stack` closes; the first answer and the client."""
    client = await stack.enter_async_context(realtime.socket(headers=[realtime.bearer("ana")]))
    await client.send("connect", **fields)
    return await first(client), client


@policy("replace")
async def test_replaced(store: Store, gateways: Gateways) -> None:
    """A new connection closes the old one with 4003, on the same gateway or another."""
    here, there = gateways
    async with here.user("ana") as old, there.user("ana") as new:
        assert await online(store) == [new.frames[0]["connection"]]
        assert await old.closed() == 4003
        async with there.user("bob"), there.user("ana") as newest:
            assert await new.closed() == 4003
            assert await online(store) == [newest.frames[0]["connection"]]


@policy("replace", 2)
async def test_the_same_device_is_replaced_first(store: Store, gateways: Gateways) -> None:
    """Beyond the limit the old connection of the same device is closed before the oldest connection."""
    here, there = gateways
    async with (
        here.user("ana", device="tv") as tv,
        here.user("ana", device="phone") as phone,
        there.user("ana", device="phone") as again,
    ):
        assert await phone.closed() == 4003
        assert sorted(await online(store)) == sorted(client.frames[0]["connection"] for client in (tv, again))
        async with there.user("ana", device="tab"):
            assert await tv.closed() == 4003


@policy("reject")
async def test_rejected(store: Store, gateways: Gateways) -> None:
    """While one connection is open another is refused, and as soon as it is closed one is admitted."""
    here = gateways[0]
    for _ in range(5):
        async with AsyncExitStack() as stack:
            async with here.user("ana") as only:
                for realtime in gateways:
                    assert (await connect(realtime, stack))[0] == "4103"
                assert await online(store) == [only.frames[0]["connection"]]
            assert (await connect(here, stack))[0] == "welcome"
        await eventually(lambda: online(store), [])


@policy("many", 2)
async def test_many_up_to_a_limit(gateways: Gateways) -> None:
    """With a limit and without replacement, a connection beyond the limit is refused."""
    here, there = gateways
    async with here.user("ana"), there.user("ana"), AsyncExitStack() as stack:
        assert (await connect(there, stack))[0] == "4103"
        async with there.user("ana", tenant="other"), there.user("ana", tenant="other"):
            assert (await connect(here, stack))[0] == "4103"


@policy("replace")
async def test_race_to_replace(store: Store, gateways: Gateways) -> None:
    """Of many concurrent connections one stays open; the others are closed as replaced."""
    async with AsyncExitStack() as stack:
        clients = [
            client
            for _, client in await asyncio.gather(*(connect(gateways[n % 2], stack) for n in range(20)))
        ]
        await eventually(lambda: _closed(clients), 19)
        (remaining,) = await online(store)
        (survivor,) = [client for client in clients if client.socket.close_code is None]
        assert survivor.frames[0]["connection"] == remaining
        assert {client.socket.close_code for client in clients} == {None, 4003}


@policy("reject")
async def test_race_to_be_admitted(store: Store, gateways: Gateways) -> None:
    """Of many concurrent connections one is admitted."""
    async with AsyncExitStack() as stack:
        answers = await asyncio.gather(*(connect(gateways[n % 2], stack) for n in range(20)))
        assert sorted(answer for answer, _ in answers) == ["4103"] * 19 + ["welcome"]
        assert len(await online(store)) == 1


async def _closed(clients: list[Client]) -> int:
    return sum(client.socket.close_code is not None for client in clients)


async def test_disconnected(store: Store, gateways: Gateways) -> None:
    """A disconnected user is offline at the answer, is closed on every gateway, and may reconnect."""
    here, there = gateways
    async with here.user("ana") as phone, there.user("ana") as tv, there.user("bob") as bob:
        for _ in range(2):
            await store.connections.disconnect("demo", "ana", closing.DISCONNECTED)
            assert await online(store) == []
        assert [await client.closed() for client in (phone, tv)] == [4005, 4005]
        assert await bob.settle() == []
    async with here.user("ana") as ana:
        assert await online(store) == [ana.frames[0]["connection"]]


async def test_one_disconnected(store: Store, gateways: Gateways) -> None:
    """A connection is closed by its id, only by its own tenant, and once."""
    here, there = gateways
    async with here.user("ana") as phone, there.user("ana") as tv:
        identity = phone.frames[0]["connection"]
        code = closing.DISCONNECTED
        assert not await store.connections.disconnect_one("other", identity, code)
        assert not await store.connections.disconnect_one("demo", identity[:-1] + "x", code)
        assert not await store.connections.disconnect_one("demo", "nothing", code)
        assert not await store.connections.disconnect_one("demo", "w1-00000000-fff-0123456789abcdef", code)
        assert await store.connections.disconnect_one("demo", identity, code)
        assert not await store.connections.disconnect_one("demo", identity, code)
        assert await phone.closed() == 4005
        assert await online(store) == [tv.frames[0]["connection"]]
        assert await tv.settle() == []
