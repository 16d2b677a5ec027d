"""How much of everything a run does."""

from typing import Final

from msgspec import Struct


class Scale(Struct, frozen=True, kw_only=True):
    """The numbers of one run. Times are seconds."""

    sockets: int
    rate: int  # sends a second of the steady fan-out, and of its references
    steady_sends: int
    bursts: int
    burst_sends: int
    clients: int
    batch_clients: int
    batch: int
    direct_seconds: float
    connections: int
    opening: int  # connections that are being opened at one time
    returning: int  # the same, of those that come back: what waits for accept() has to fit the backlog
    missed: int  # notifications that the reconnecting clients have missed
    latency_rate: int
    latency_sends: int


FULL: Final = Scale(
    sockets=1_000,
    rate=100,
    steady_sends=400,
    bursts=30,
    burst_sends=100,
    clients=32,
    batch_clients=4,
    batch=100,
    direct_seconds=3.0,
    connections=10_000,
    opening=200,
    returning=2_000,
    missed=10,
    latency_rate=100,
    latency_sends=400,
)
# Small enough to prove in seconds that the benchmark itself works; its figures mean nothing.
QUICK: Final = Scale(
    sockets=50,
    rate=100,
    steady_sends=20,
    bursts=2,
    burst_sends=20,
    clients=4,
    batch_clients=2,
    batch=20,
    direct_seconds=0.3,
    connections=200,
    opening=50,
    returning=200,
    missed=3,
    latency_rate=50,
    latency_sends=20,
)
