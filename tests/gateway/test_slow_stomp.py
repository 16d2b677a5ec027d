"""A STOMP client that does not read delays no other client, and its device gets everything later."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from tests.support.delays import BIG, BODY, measure, rest_of
from tests.support.realtime import Realtime, Wire, handshake, masked
from tests.support.stomp import StompClient, client_frame, stomp_socket
from tidings.protocol import limits
from tidings_workers.config import Settings
from tidings_workers.store import Store

INBOX = "/user/queue/notifications"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, outbox_bytes=2 * limits.FRAME_BYTES)


@asynccontextmanager
async def reading(realtime: Realtime, user: str, **headers: Any) -> AsyncIterator[StompClient]:
    """A client that is subscribed to the inbox of a user."""
    async with stomp_socket(realtime.port) as client:
        await client.connected(passcode=realtime.token(user), **headers)
        await client.subscribe(INBOX, ack="client")
        yield client


@asynccontextmanager
async def not_reading(realtime: Realtime, user: str, device: str) -> AsyncIterator[Wire]:
    """A client that is subscribed to the inbox of a user, and reads nothing more."""
    async with Wire.slow(realtime.port) as wire:
        wire.write(handshake(": ".join(realtime.bearer(user)), path="/ws"))
        assert (await wire.response())[0] == 101
        for frame, answer in (
            (client_frame("CONNECT", accept_version="1.2", host="x", device=device), b"CONNECTED\n"),
            (client_frame("SUBSCRIBE", id="0", destination=INBOX, ack="client", receipt="r"), b"RECEIPT\n"),
        ):
            wire.write(masked(frame))
            assert (await wire.frame())[1].startswith(answer)
        yield wire


async def small(client: StompClient) -> None:
    """Receive the next small notification."""
    assert (await client.expect("MESSAGE")).headers["title"] == "small"


async def compare(store: Store, realtime: Realtime, clients: list[StompClient], slow: str) -> float:
    """The delay of clients beside a user that reads nothing, above three times that beside one that reads.

    The user that reads nothing is closed with 4100.
    """
    receivers = [partial(small, client) for client in clients]
    async with reading(realtime, slow) as reader:
        draining = asyncio.create_task(reader.closed())
        before = await measure(store, receivers, slow)
        draining.cancel()
        await asyncio.wait([draining])
    async with not_reading(realtime, slow, "till") as wire:
        beside = await measure(store, receivers, slow)
        received, code = await rest_of(wire)
    assert code == 4100
    # The kernel's buffers and the outbox.
    assert received < BIG * len(BODY) * 0.9
    return beside - 3 * before


async def test_delays_no_other_client(store: Store, realtime: Realtime) -> None:
    """A client that reads nothing is closed with 4100 after a bounded outbox, without delay for others.

    Other work on the machine delays clients too, but not in each of three comparisons.
    """
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(reading(realtime, f"u{number}")) for number in range(50)]
        slow, excess = "", 1.0
        for slow in ("slow", "slower", "slowest"):
            excess = await compare(store, realtime, clients, slow)
            if excess < 0.1:
                break
        assert excess < 0.1
    async with reading(realtime, slow, device="till") as back:
        found = [(await back.expect("MESSAGE")).headers for _ in range(BIG + 20)]
    positions = [int(each["tidings-position"]) for each in found if each["tidings-log"] == "user"]
    assert positions == list(range(BIG + 1, 2 * BIG + 1))
