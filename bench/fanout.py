"""Fan-out: one notification to all users, with a thousand open sockets."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Final

from bench import server
from bench.audience import Audience
from bench.kinds import TIDINGS, Kind
from bench.measurement import Bench, Measurement, details
from bench.notifications import TO_ALL
from bench.poller import Poller
from bench.posting import Connection, request
from bench.processes import Meter
from bench.server import Server

STEADY: Final = "fan-out, steady"
BURST: Final = "fan-out, burst"

_POSTING_CONNECTIONS: Final = 16
_WARMING_SENDS: Final = 20


def steady(bench: Bench, kind: Kind = TIDINGS) -> Sequence[Measurement]:
    """One send per request, on an open-loop schedule."""
    scale = bench.scale
    with _audience(bench, kind) as (running, poller, audience):
        connections = [Connection(poller, running.port) for _ in range(_POSTING_CONNECTIONS)]
        single = request("/v1/notifications", running.token("bench", "send"), TO_ALL)
        _send_on_schedule(poller, connections, single, _WARMING_SENDS, scale.rate)
        audience.wait_for(_WARMING_SENDS)
        meter = Meter(running.processes, bench.cores)
        with bench.profiling(kind.figure("steady").replace(": ", "-"), running.processes):
            _send_on_schedule(poller, connections, single, scale.steady_sends, scale.rate)
            audience.wait_for(_WARMING_SENDS + scale.steady_sends)
        usage = meter.read()
        audience.check(_WARMING_SENDS + scale.steady_sends)
    deliveries = scale.steady_sends * scale.sockets
    extra = {"frame_bytes": audience.frame_bytes, "frames_per_read": audience.frames_per_read}
    return [
        Measurement(
            kind.figure(STEADY),
            deliveries / usage.core_seconds,
            "deliveries/core-second",
            details(usage, deliveries) | extra,
        )
    ]


def burst(bench: Bench, kind: Kind = TIDINGS) -> Sequence[Measurement]:
    """Many sends per request; the next request starts when every client has all of the last one."""
    scale = bench.scale
    with _audience(bench, kind) as (running, poller, audience):
        connection = Connection(poller, running.port)
        body = {"notifications": [TO_ALL] * scale.burst_sends}
        batch = request("/v1/notifications/batch", running.token("bench", "send"), body)

        def send(first: int, count: int) -> None:
            for number in range(first, first + count):
                connection.post(batch, lambda: None)
                audience.wait_for(number * scale.burst_sends)
                poller.wait(lambda: connection.idle, "answer to a batch")

        send(1, 2)
        meter = Meter(running.processes, bench.cores)
        with bench.profiling(kind.figure("burst").replace(": ", "-"), running.processes):
            send(3, scale.bursts)
        usage = meter.read()
        audience.check((2 + scale.bursts) * scale.burst_sends)
    deliveries = scale.bursts * scale.burst_sends * scale.sockets
    extra = {"frame_bytes": audience.frame_bytes, "frames_per_read": audience.frames_per_read}
    return [
        Measurement(
            kind.figure(BURST),
            deliveries / usage.core_seconds,
            "deliveries/core-second",
            details(usage, deliveries) | extra,
        )
    ]


@contextlib.contextmanager
def _audience(bench: Bench, kind: Kind) -> Iterator[tuple[Server, Poller, Audience]]:
    scale = bench.scale
    with server.running(bench.cores) as running:
        poller = Poller()
        clients = [kind.client(running.token(f"user-{index}", "inbox")) for index in range(scale.sockets)]
        audience = Audience(poller, running.realtime_port, clients, scale.opening, kind.notification)
        yield running, poller, audience
        audience.close()
        poller.close()


def _send_on_schedule(
    poller: Poller, connections: Sequence[Connection], data: bytes, count: int, rate: int
) -> None:
    """Send `rate` per second, each when it is due and a connection is free."""
    start = time.monotonic()
    for number in range(count):
        due = start + number / rate
        while (wait := due - time.monotonic()) > 0:
            poller.step(wait)
        poller.wait(lambda: any(connection.idle for connection in connections), "free connection")
        next(connection for connection in connections if connection.idle).post(data, lambda: None)
