"""All metrics of the server: their Prometheus names, meanings and labels.

Labels have values from fixed sets of the code (a route, a frame's type, a close code) and never name a
tenant, user or group. So the number of series does not depend on the load. The hot paths count once per
batch, not once per notification.

If PROMETHEUS_MULTIPROC_DIR is set before the import of this module, all processes of a machine count into
that directory, and `tidings_workers.operator` serves their sum.
"""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from tidings.protocol.closing import CLOSE_CODES

# From a round trip on a local socket to a command that timed out.
_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# API
ACCEPTED: Final = Counter("tidings_accepted", "Notifications answered with 202")
REPLAYED: Final = Counter("tidings_replayed", "Requests answered from their idempotency key")
REQUESTS: Final = Counter(
    "tidings_requests", "HTTP requests by route pattern, method and status", ["route", "method", "status"]
)
REQUEST_SECONDS: Final = Histogram(
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
POISONED: Final = Counter("tidings_poisoned", "Entries set aside because they could not be carried out")

# Gateway
CONNECTIONS: Final = Gauge("tidings_connections", "Open connections", multiprocess_mode="livesum")
CONNECTS: Final = Counter("tidings_connects", "Connections that were welcomed")
CLOSED: Final = Counter("tidings_closed", "Connections closed, by close code", ["code"])
REFUSED: Final = Counter("tidings_refused", "Handshakes refused, by HTTP status", ["status"])
FRAMES_RECEIVED: Final = Counter("tidings_frames_received", "Frames read from sockets")
DELIVERED: Final = Counter("tidings_delivered", "Notifications written to sockets")
RESUMES: Final = Counter("tidings_resumes", "Connections that resumed: complete, or with a gap", ["result"])
HEALED: Final = Counter("tidings_healed", "Entries read from a log because a feed missed them")

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
