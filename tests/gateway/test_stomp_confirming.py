"""STOMP with ack:auto: the pings behind messages, whose answers acknowledge them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.realtime import Realtime, Wire, handshake, masked
from tests.support.sending import eventually, notification
from tests.support.stomp import client_frame
from tidings_workers.store import Store

PONG = masked(b"confirm", 0x8A)


@asynccontextmanager
async def subscribed(realtime: Realtime) -> AsyncIterator[Wire]:
    """A client of Ana, byte by byte, which has subscribed to the inbox and answers nothing."""
    async with Wire.to(realtime.port) as wire:
        wire.write(handshake(path="/ws"))
        assert (await wire.response())[0] == 101
        wire.write(masked(client_frame("CONNECT", accept_version="1.2", passcode=realtime.token("ana"))))
        assert (await wire.frame())[1].startswith(b"CONNECTED\n")
        inbox = client_frame("SUBSCRIBE", id="0", destination="/user/queue/notifications", receipt="r")
        wire.write(masked(inbox))
        assert (await wire.frame())[1].startswith(b"RECEIPT\n")
        yield wire


async def ping(wire: Wire) -> int:
    """Read up to the next ping; the number of messages before it."""
    messages = 0
    while True:
        first, payload = await wire.frame()
        if first == 0x89:
            assert payload == b"confirm"
            return messages
        assert payload.startswith(b"MESSAGE\n")
        messages += 1


async def test_a_ping_shares_the_write_of_messages(store: Store, realtime: Realtime) -> None:
    """The first messages after a pause have a ping directly behind them: it costs no write of its own."""
    async with subscribed(realtime) as wire:
        await store.sends.send("demo", [notification(str(n), users=["ana"]) for n in range(5)])
        data = b""
        while b"\x89\x07confirm" not in data:
            data += await wire.reader.read(65_536)
        assert data.endswith(b"\0\x89\x07confirm")
        assert data.count(b"MESSAGE\n") <= 5


async def test_every_message_is_confirmed(store: Store, realtime: Realtime, working: None) -> None:
    """Messages behind a ping get a ping too, also if the client answers the first one late, and is idle."""
    async with subscribed(realtime) as wire:
        ids = list((await store.sends.send("demo", [notification("0", users=["ana"])])).ids)
        messages = await ping(wire)
        for number in range(1, 4):
            ids += (await store.sends.send("demo", [notification(str(number), users=["ana"])])).ids
        while messages < 4:
            first, _ = await wire.frame()
            assert first == 0x81, "a second ping although the first was not answered"
            messages += 1
        wire.write(PONG)
        assert await ping(wire) == 0
        wire.write(PONG)

        async def delivered() -> int:
            found = [await store.sends.notification("demo", each) for each in ids]
            return sum(each.delivered or 0 for each in found if each is not None)

        await eventually(delivered, expected=4)
