"""All metrics of the server: their Prometheus names, meanings and labels.

Labels have values from fixed sets of the code (a route, a frame's type, a close code), or are names from the
operator's file of the bridge, and never name a tenant, user or group. So the number of series does not depend
on the load. The hot paths count once per batch, not once per notification.

If PROMETHEUS_MULTIPROC_DIR is set before the import of this module, all processes of a machine count into
that directory, and `tidings_workers.operator` serves their sum. A value in such a file costs 1 to 6 us an
increment. A `Tally` is a plain integer until `flush`, which a process with tallies calls each second.
"""

from bisect import bisect_left
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from tidings.protocol.closing import CLOSE_CODES

# From a round trip on a local socket to a command that timed out.
_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

FLUSH_SECONDS: Final = 1.0

_tallies: Final[list["Tally | TimeTally"]] = []


class Tally:
    """A metric that is counted in this process, and added to the others' by `flush`."""

    __slots__ = ("_metric", "_pending")

    def __init__(self, metric: Counter | Gauge) -> None:
        self._metric = metric
        self._pending = 0
        _tallies.append(self)

    def inc(self, amount: int = 1) -> None:
        """Count up."""
        self._pending += amount

    def dec(self) -> None:
        """Count down; only a gauge does."""
        self._pending -= 1

    def flush(self) -> None:
        """Add the count since the last call to the metric."""
        pending, self._pending = self._pending, 0
        if pending:
            self._metric.inc(pending)


class BulkHistogram(Histogram):
    """A histogram to which many observations can be added at once."""

    @property
    def bounds(self) -> list[float]:
        """The upper bounds of the buckets, in order; the last one is infinite."""
        return list(self._upper_bounds)

    def add(self, counts: list[int], total: float) -> None:
        """Add the number of observations of each bucket, and the sum of all observations."""
        self._sum.inc(total)
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)


class TimeTally:
    """The observations of a histogram in this process, which `flush` adds to the others'."""

    __slots__ = ("_bounds", "_counts", "_histogram", "_total")

    def __init__(self, histogram: BulkHistogram) -> None:
        self._histogram = histogram
        self._bounds = histogram.bounds
        self._counts = [0] * len(self._bounds)
        self._total = 0.0
        _tallies.append(self)

    def observe(self, seconds: float) -> None:
        """Add an observation."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._total += seconds

    def flush(self) -> None:
        """Add the observations since the last call to the histogram."""
        counts, self._counts = self._counts, [0] * len(self._bounds)
        total, self._total = self._total, 0.0
        if any(counts):
            self._histogram.add(counts, total)


class Tallies(dict[str, Tally]):
    """The tallies of a counter with one label, by its value."""

    def __init__(self, metric: Counter) -> None:
        super().__init__()
        self._metric = metric

    def __missing__(self, value: str) -> Tally:
        made = self[value] = Tally(self._metric.labels(value))
        return made


async def flush() -> None:
    """Add the counts of all tallies to their metrics."""
    for tally in _tallies:
        tally.flush()


# API
ACCEPTED: Final = Tally(Counter("tidings_accepted", "Notifications answered with 202"))
REPLAYED: Final = Counter("tidings_replayed", "Requests answered from their idempotency key")
REQUESTS: Final = Counter(
    "tidings_requests", "HTTP requests by route pattern, method and status", ["route", "method", "status"]
)
REQUEST_SECONDS: Final = BulkHistogram(
    "tidings_request_seconds", "From the request's head to its answer, by route", ["route"], buckets=_SECONDS
)
HTTP_CLOSED: Final = Counter(
    "tidings_http_closed",
    "HTTP connections closed because the client was too slow with its head, or left an answer unread",
    ["reason"],
)

# Store
STORE_SECONDS: Final = Histogram(
    "tidings_store_seconds", "Round trips to Redis, each for all commands of one tick", buckets=_SECONDS
)
STORE_ERRORS: Final = Counter("tidings_store_errors", "Round trips to Redis that failed")

# Dispatcher
DISPATCHER_LAG: Final = Gauge(
    "tidings_dispatcher_lag_seconds",
    "Age of the oldest notification that a dispatcher has yet to store",
    multiprocess_mode="livemax",
)
DISPATCHER_PARTITIONS: Final = Gauge(
    "tidings_dispatcher_partitions", "Partitions leased to this dispatcher", multiprocess_mode="livesum"
)
ARCHIVED: Final = Counter("tidings_archived", "Entries moved from the store into the archive")
ARCHIVE_ERRORS: Final = Counter("tidings_archive_errors", "Calls of the archiver that the archive failed")
ARCHIVE_BACKLOG: Final = Gauge(
    "tidings_archive_backlog_bytes",
    "Bytes of entries in the store that wait for the archive",
    multiprocess_mode="livemax",
)
WEBHOOK_REQUESTS: Final = Tallies(
    Counter("tidings_webhook_requests", "Requests to webhook endpoints: succeeded or failed", ["outcome"])
)
POISONED: Final = Counter("tidings_poisoned", "Entries set aside because they could not be carried out")

# Gateway
CONNECTIONS: Final = Tally(Gauge("tidings_connections", "Open connections", multiprocess_mode="livesum"))
CONNECTS: Final = Tally(Counter("tidings_connects", "Connections that were welcomed"))
CLOSED: Final = Tallies(Counter("tidings_closed", "Connections closed, by close code", ["code"]))
REFUSED: Final = Counter("tidings_refused", "Handshakes refused, by HTTP status", ["status"])
FRAMES_RECEIVED: Final = Tally(Counter("tidings_frames_received", "Frames read from sockets"))
DELIVERED: Final = Tally(Counter("tidings_delivered", "Notifications written to sockets"))
RESUMES: Final = Tallies(
    Counter("tidings_resumes", "Connections that resumed: complete, or with a gap", ["result"])
)
MESSAGES: Final = Tallies(
    Counter("tidings_messages", "Messages of clients: answered, or the code of the error", ["result"])
)
UPSTREAM_SECONDS: Final = TimeTally(
    BulkHistogram(
        "tidings_upstream_seconds", "Calls of upstreams, with the wait for a slot", buckets=_SECONDS
    )
)
HEALED: Final = Tally(Counter("tidings_healed", "Entries read from a log because a feed missed them"))

# Bridge: `name` is that of a source or sink in the operator's file
_BRIDGED: Final = ["kind", "name"]
BRIDGE_LAG: Final = Gauge(
    "tidings_bridge_lag",
    "Messages that wait at the broker, NaN where it does not say; or events that wait for a sink",
    _BRIDGED,
    multiprocess_mode="livemax",
)
BRIDGE_ACCEPTED: Final = Counter(
    "tidings_bridge_accepted",
    "Messages accepted and acknowledged, or events confirmed by the broker",
    _BRIDGED,
)
BRIDGE_DEAD: Final = Counter("tidings_bridge_dead", "Messages that are not valid", _BRIDGED)
BRIDGE_PAUSED: Final = Gauge(
    "tidings_bridge_paused", "1 while a source or sink does not work", _BRIDGED, multiprocess_mode="livemax"
)
BRIDGE_LAST_ERROR: Final = Gauge(
    "tidings_bridge_last_error",
    "Unix time of the last error, by its reason",
    [*_BRIDGED, "reason"],
    multiprocess_mode="livemax",
)

# Every process
RESTARTS: Final = Counter("tidings_restarts", "Child processes restarted by the supervisor", ["process"])
TASK_RESTARTS: Final = Counter(
    "tidings_task_restarts", "Tasks restarted inside a process after an unexpected error", ["task"]
)


def close_label(code: int | None) -> str:
    """The label of a close code: ``other`` for an unknown code, ``none`` for a lost connection."""
    if code is None:
        return "none"
    return str(code) if code in CLOSE_CODES else "other"
