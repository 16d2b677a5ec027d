"""Connections: opening many with a token and a resume, keeping them idle, and reconnecting all at once."""

from collections.abc import Sequence
from typing import Final

import msgspec

from bench import server
from bench.audience import Audience
from bench.kinds import Kind
from bench.measurement import Bench, Measurement, details
from bench.notifications import TO_ALL
from bench.poller import Poller
from bench.posting import Connection, request
from bench.processes import Meter, resident_bytes
from bench.server import Server
from bench.websocket import NOTIFICATION, Unexpected, WebSocket, client, open_all

OPENING: Final = "connections opened"
IDLE: Final = "memory of an idle connection"
RETURN: Final = "everybody resumes"

_SETTLE_SECONDS: Final = 2.0
_POSITIONS: Final[dict[str, int]] = {"user": 0, "all": 0}


def connections(bench: Bench) -> Sequence[Measurement]:
    """Open all, keep them idle, drop them, send while they are closed, and let all resume."""
    scale = bench.scale
    with server.running(bench.cores) as running:
        poller = Poller()
        epoch = _epoch(poller, running)
        clients = [
            client(running.token(f"user-{index}", "inbox"), resume={"epoch": epoch, "positions": _POSITIONS})
            for index in range(scale.connections)
        ]
        gateway = running.processes["gateway"]
        before = resident_bytes(gateway)

        meter = Meter(running.processes, bench.cores)
        with bench.profiling("opening", running.processes):
            opened = open_all(poller, running.realtime_port, clients, scale.opening)
        opening = meter.read()
        poller.run(_SETTLE_SECONDS)
        memory = (resident_bytes(gateway) - before) / scale.connections / 1024
        _drop(opened)
        poller.run(_SETTLE_SECONDS / 2)

        _send_to_all(poller, running, scale.missed)
        meter = Meter(running.processes, bench.cores)
        with bench.profiling("return", running.processes):
            opened = open_all(poller, running.realtime_port, clients, scale.returning)
        resuming = meter.read()
        _check(opened, scale.missed)
        _drop(opened)
        poller.close()
    count = scale.connections
    return [
        Measurement(
            OPENING, count / opening.core_seconds, "connections/core-second", details(opening, count)
        ),
        Measurement(IDLE, memory, "KB of the gateway's RSS", {"connections": count}),
        Measurement(
            RETURN,
            count / resuming.core_seconds,
            "resumes/core-second",
            details(resuming, count) | {"missed": scale.missed},
        ),
    ]


def idle(bench: Bench, kind: Kind) -> Sequence[Measurement]:
    """The memory of connections of one kind, as `connections` measures it."""
    scale = bench.scale
    with server.running(bench.cores) as running:
        poller = Poller()
        clients = [kind.client(running.token(f"user-{index}", "inbox")) for index in range(scale.connections)]
        gateway = running.processes["gateway"]
        before = resident_bytes(gateway)
        opened = open_all(poller, running.realtime_port, clients, scale.opening)
        poller.run(_SETTLE_SECONDS)
        memory = (resident_bytes(gateway) - before) / scale.connections / 1024
        _drop(opened)
        poller.close()
    return [
        Measurement(kind.figure(IDLE), memory, "KB of the gateway's RSS", {"connections": scale.connections})
    ]


def _epoch(poller: Poller, running: Server) -> str:
    (first,) = open_all(poller, running.realtime_port, [client(running.token("scout", "inbox"))], 1)
    _drop([first])
    return str(msgspec.json.decode(first.payloads[0])["epoch"])


def _send_to_all(poller: Poller, running: Server, count: int) -> None:
    """Send to all users, and wait until all connected clients have received everything."""
    present = Audience(poller, running.realtime_port, [client(running.token("scout", "inbox"))], 1)
    posting = Connection(poller, running.port)
    data = request("/v1/notifications", running.token("bench", "send"), TO_ALL)
    for _ in range(count):
        posting.post(data, lambda: None)
        poller.wait(lambda: posting.idle, "answer")
    present.wait_for(count)
    posting.close()
    present.close()


def _drop(sockets: Sequence[WebSocket]) -> None:
    for opened in sockets:
        opened.socket.close()


def _check(opened: Sequence[WebSocket], missed: int) -> None:
    """Raise Unexpected unless each client got every position that it had missed, once and in order."""
    expected = list(range(1, missed + 1))
    for socket in opened:
        positions = [
            msgspec.json.decode(payload)["position"]
            for payload in socket.payloads
            if payload.startswith(NOTIFICATION)
        ]
        if positions != expected:
            raise Unexpected(f"a client that reconnected got {positions} instead of {expected}")
