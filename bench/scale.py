"""The numbers of a run."""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace


class Scale(Struct, frozen=True, kw_only=True):
    """The numbers of one run. Times are seconds."""

    sockets: int
    rate: int  # sends per second of the steady fan-out, and of its references
    steady_sends: int
    bursts: int
    burst_sends: int
    clients: int
    batch_clients: int
    batch: int
    direct_seconds: float
    connections: int
    opening: int  # connections that are opened concurrently
    returning: (
        int  # the same for reconnecting ones: those that wait for accept() have to fit into the backlog
    )
    missed: int  # notifications that the reconnecting clients have missed
    latency_rate: int
    latency_sends: int
    inbox_items: int  # of a full inbox: in the logs of groups and of all
    inbox_own: int  # in addition, in the own log of the reader
    inbox_groups: int
    some_groups: int
    many_groups: int
    group_items: int  # in the log of each of some, and of many, groups
    calls: int  # of each kind; the result is their median
    gaps: int  # between the marks of a user who read some entries
    stored: int  # notifications of each kind whose memory is measured
    users: int  # of each kind whose memory is measured
    marks: int  # one by one, of one user
    positions: int  # of the log for the comparison of states
    far_position: int


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
    missed=20,
    latency_rate=100,
    latency_sends=400,
    inbox_items=100_000,
    inbox_own=10_000,
    inbox_groups=8,
    some_groups=50,
    many_groups=1_000,
    group_items=3,
    calls=20,
    gaps=5_000,
    stored=5_000,
    users=100,
    marks=100,
    positions=100_000,
    far_position=1_000_000,
)
# The costs of hot paths, in a quarter of a minute a round.
SHORT: Final = replace(
    FULL,
    sockets=200,
    steady_sends=150,
    bursts=10,
    direct_seconds=1.0,
    connections=1_500,
    returning=500,
)
# A test of the benchmark itself, in seconds; its figures have no meaning.
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
    inbox_items=1_000,
    inbox_own=100,
    inbox_groups=2,
    some_groups=5,
    many_groups=20,
    group_items=3,
    calls=3,
    gaps=100,
    stored=200,
    users=5,
    marks=10,
    positions=1_000,
    far_position=10_000,
)
