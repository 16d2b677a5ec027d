"""Latency: one notification at a time, from its due time to its frame on the socket."""

import time
from collections.abc import Sequence
from typing import Final

from bench import server
from bench.audience import Audience
from bench.direct import Peer, peer_of
from bench.measurement import Bench, Measurement, details
from bench.notifications import to_user
from bench.poller import Poller
from bench.posting import Connection, request
from bench.processes import Meter

MEDIAN: Final = "latency, p50"
TAIL: Final = "latency, p99"

USER: Final = "user-0"
_WARMING_SENDS: Final = 20
_PATIENCE_SECONDS: Final = 10.0
# A sleep may be late by this much, so it ends earlier and the rest is a busy wait.
_SLACK_SECONDS: Final = 0.0003


def latency(bench: Bench) -> Sequence[Measurement]:
    """An open-loop schedule: the time of a delayed send counts from when it was due."""
    with server.running(bench.cores) as running:
        data = request("/v1/notifications", running.token("bench", "send"), to_user(USER))
        return measure(bench, peer_of(running), data, (MEDIAN, TAIL))


def measure(bench: Bench, peer: Peer, data: bytes, names: tuple[str, str]) -> Sequence[Measurement]:
    """Post one request after the other to a server; each of them sends one notification to `USER`.

    `names` are those of the median and the 99th percentile.
    """
    scale, poller = bench.scale, Poller()
    audience = Audience(poller, peer.realtime_port, [peer.client(USER)], 1, peer.notification)
    posting = Connection(poller, peer.port)
    _send(poller, posting, audience, data, _WARMING_SENDS, scale.latency_rate)
    meter = Meter(peer.processes, bench.cores)
    with bench.profiling("latency", peer.processes):
        taken = _send(poller, posting, audience, data, scale.latency_sends, scale.latency_rate)
    usage = meter.read()
    posting.close()
    audience.close()
    poller.close()
    taken.sort()
    extra = details(usage, len(taken)) | {"max_ms": taken[-1] * 1e3}
    median, tail = names
    return [
        Measurement(median, _quantile(taken, 0.5) * 1e3, "ms", extra),
        Measurement(tail, _quantile(taken, 0.99) * 1e3, "ms"),
    ]


def _send(
    poller: Poller, posting: Connection, audience: Audience, data: bytes, count: int, rate: int
) -> list[float]:
    """Send `rate` per second, each when it is due and the last has arrived; returns seconds per send."""
    taken = []
    before = audience.notifications
    start = time.monotonic()
    for number in range(count):
        due = start + number / rate
        _sleep_until(due)
        posting.post(data, lambda: None)
        expected = before + number + 1
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while audience.notifications < expected and time.monotonic() < deadline:
            poller.step(_PATIENCE_SECONDS)
        taken.append(time.monotonic() - due)
        poller.wait(lambda: posting.idle, "answer")
    audience.wait_for(before + count)
    return taken


def _sleep_until(due: float) -> None:
    while (left := due - time.monotonic()) > 0:
        if left > _SLACK_SECONDS:
            time.sleep(left - _SLACK_SECONDS)


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
