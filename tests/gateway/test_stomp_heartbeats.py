"""Heartbeats of STOMP, and clients that send nothing any more."""

import asyncio
import itertools
import time

from msgspec.structs import replace

from tests.gateway.conftest import TokenMaker
from tests.support.realtime import Realtime, Wire, handshake, masked, running_gateway
from tests.support.sockjs import INBOX
from tests.support.stomp import client_frame, stomp_socket
from tidings_workers.config import Settings

BEATS = 4


async def test_heartbeats(realtime: Realtime) -> None:
    """The server sends the heartbeats that a client asks for: on average more often than agreed."""
    async with stomp_socket(realtime.port) as client:
        connected = await client.connected(passcode=realtime.token("ana"), heart_beat="5000,100")
        assert connected.headers["heart-beat"] == "1000,10000"
        times: list[float] = []
        async with asyncio.timeout(20):
            for _ in range(BEATS):
                assert await client.socket.recv(decode=False) == b"\n"
                times.append(time.monotonic())
        assert (times[-1] - times[0]) / (BEATS - 1) < 1
        assert any(later - earlier > 0.5 for earlier, later in itertools.pairwise(times))
        await client.socket.send("\n")
        await client.subscribe(INBOX)


async def test_a_client_that_sends_nothing(settings: Settings, token: TokenMaker) -> None:
    """A client that sends no heartbeats is closed, unless it answers the pings of the server."""
    brief = replace(settings, heartbeat_seconds=1)
    async with (
        running_gateway(brief),
        stomp_socket(brief.realtime_port) as answering,
        Wire.to(brief.realtime_port) as silent,
    ):
        await answering.connected(passcode=token("ana"), heart_beat="1000,1000")
        silent.write(handshake(path="/ws"))
        assert (await silent.response())[0] == 101
        silent.write(
            masked(
                client_frame("CONNECT", accept_version="1.2", passcode=token("bob"), heart_beat="1000,1000")
            )
        )
        received = await silent.end()
        assert b"CONNECTED" in received
        # The heartbeats of the server continued until then.
        assert received.count(b"\x81\x01\n") >= 2
        await answering.subscribe(INBOX)
