"""A transport only turns frames into bytes and back; the gateway does the rest."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from tests.gateway.conftest import TokenMaker
from tests.support.ports import free_port
from tests.support.realtime import Frame, Realtime, running
from tests.support.sending import eventually, notification
from tidings.protocol import closing, limits
from tidings.protocol.closing import CloseCode
from tidings_workers import gateway
from tidings_workers.config import Settings
from tidings_workers.gateway.connection import GatewayCalls
from tidings_workers.gateway.pending_writes import PendingWrites
from tidings_workers.gateway.stream import Endpoint, Stream
from tidings_workers.gateway.wire import JsonWire
from tidings_workers.registry import Registry
from tidings_workers.store import Store


class Lines(Stream):
    """Frames as JSON, one per line, over TCP. The last line has the close code."""

    wire = JsonWire(lambda payload: payload + b"\n")

    def __init__(self, gateway: GatewayCalls, pending_writes: PendingWrites) -> None:
        super().__init__(gateway, pending_writes)
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self.bytes_arrived()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if not self.closed and self.admit_frame():
                self.receive(line)
        if len(self._rest) > limits.FRAME_BYTES:
            self.close(closing.TOO_BIG)

    def probe(self) -> None:
        """See Connection. An empty line is no frame and needs no answer."""
        self.write(b"\n")

    def write_close(self, code: CloseCode, reason: str) -> None:
        """See Connection."""
        self._transport.write(json.dumps({"type": "close", "code": code.code, "reason": reason}).encode())
        self._transport.write(b"\n")
        self._transport.close()


class LineClient:
    """A client of `Lines`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, type: str, **fields: Any) -> None:
        """Send a frame."""
        self._writer.write(json.dumps({"type": type, **fields}).encode() + b"\n")

    async def expect(self, type: str) -> Frame:
        """The next frame; it must be of that type."""
        async with asyncio.timeout(10):
            frame: Frame = json.loads(await self._reader.readline())
        assert frame["type"] == type, frame
        return frame

    async def at_end(self) -> bool:
        """Whether the server has closed the stream."""
        async with asyncio.timeout(10):
            return await self._reader.read() == b""


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def realtime(settings: Settings, token: TokenMaker, port: int) -> AsyncIterator[Realtime]:
    """A gateway that accepts WebSockets and lines."""
    run = partial(gateway.run, further=[Endpoint(Lines, "127.0.0.1", port)])
    async with running(run, settings):
        yield Realtime(settings.realtime_port, token)


@asynccontextmanager
async def lines(port: int, **fields: Any) -> AsyncIterator[LineClient]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client = LineClient(reader, writer)
    try:
        client.send("connect", **fields)
        yield client
    finally:
        writer.close()


async def test_a_session_over_lines(store: Store, realtime: Realtime, port: int) -> None:
    """A client of another transport receives, acknowledges and marks like one on a WebSocket."""
    async with (
        realtime.user("ana") as ana,
        lines(port, token=realtime.token("ana"), device="phone") as phone,
    ):
        await phone.expect("welcome")
        await phone.expect("caught_up")
        (identity,) = (await store.sends.send("demo", [notification("one", users=["ana"])])).ids
        received = await phone.expect("notification")
        assert received == await ana.expect("notification")
        phone.send("ack", positions={"user": received["position"]})
        phone.send("mark", ids=[identity], state="read", ref="m1")
        answer = await phone.expect("state")
        assert (answer["ref"], answer["counts"]["unread"]) == ("m1", 0)
        assert (await ana.expect("state"))["counts"] == answer["counts"]
        phone.send("ping", ref=1)
        await phone.expect("pong")
    # The device gets only the second one: it acknowledged the first.
    await store.sends.send("demo", [notification("two", users=["ana"])])
    async with lines(port, token=realtime.token("ana"), device="phone") as phone:
        await phone.expect("welcome")
        assert (await phone.expect("notification"))["position"] == received["position"] + 1
        await phone.expect("caught_up")


async def test_closing_over_lines(store: Store, registry: Registry, realtime: Realtime, port: int) -> None:
    """A client of another transport is refused and closed with the codes of the protocol."""
    async with lines(port, token="wrong") as client:
        assert (await client.expect("close"))["code"] == closing.INVALID_TOKEN.code
        assert await client.at_end()
    async with lines(port, token=realtime.token("ana")) as client:
        welcome = await client.expect("welcome")
        await store.connections.disconnect("demo", "ana", closing.DISCONNECTED)
        assert (await client.expect("close"))["code"] == closing.DISCONNECTED.code
        assert await client.at_end()
    assert welcome["user"] == "ana"


async def test_a_client_that_disconnects(store: Store, realtime: Realtime, port: int) -> None:
    """A client of another transport that disconnects is no longer online."""

    async def online() -> bool:
        return bool((await store.connections.presence("demo", "ana")).connections)

    async with lines(port, token=realtime.token("ana")) as client:
        await client.expect("welcome")
        assert await online()
    await eventually(online, expected=False)


async def test_a_failed_start_closes_every_port(settings: Settings, token: TokenMaker, port: int) -> None:
    """A gateway that cannot listen at one endpoint raises the error and keeps no other port open."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(ExceptionGroup) as failure:
            await gateway.run(settings, asyncio.Event(), lambda: None, [Endpoint(Lines, "127.0.0.1", port)])
    assert failure.group_contains(OSError, match="address already in use")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", settings.realtime_port)


async def test_a_cancelled_gateway_closes_its_port(settings: Settings, token: TokenMaker) -> None:
    """A gateway that is cancelled keeps no port open."""
    ready = asyncio.Event()
    task = asyncio.create_task(gateway.run(settings, asyncio.Event(), ready.set))
    await ready.wait()
    task.cancel()
    await asyncio.wait([task])
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", settings.realtime_port)
