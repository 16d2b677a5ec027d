"""The inbox from outside: over HTTP, and opening a connection of a user with many groups."""

import time
from collections.abc import Sequence
from statistics import median
from typing import Final

from bench.measurement import Bench, Measurement, details
from bench.poller import Poller
from bench.posting import Connection, get, request
from bench.processes import Meter
from bench.server import Server
from bench.websocket import client, open_all

PAGE: Final = "GET of the first page"
MARK: Final = "POST of a mark of one item"
CONNECT_SOME: Final = "connect with some groups"
CONNECT_MANY: Final = "connect with many groups"

_PAUSE_SECONDS: Final = 0.1


def over_http(bench: Bench, running: Server, user: str, ids: Sequence[str]) -> Sequence[Measurement]:
    """The first page, and marks of one item, one request at a time on an open connection."""
    token = running.token(user, "inbox")
    pages = [get("/v1/me/notifications", token)] * len(ids)
    marks = [
        request("/v1/me/notifications/mark", token, {"ids": [identity], "state": "read"}) for identity in ids
    ]
    return [_requests(bench, running, PAGE, pages), _requests(bench, running, MARK, marks)]


def _requests(bench: Bench, running: Server, name: str, requests: Sequence[bytes]) -> Measurement:
    poller = Poller()
    connection = Connection(poller, running.port)
    taken = []
    meter = Meter(running.processes, bench.cores)
    with bench.profiling(name.replace(" ", "-"), running.processes):
        for data in requests:
            started = time.perf_counter()
            connection.post(data, lambda: None)
            poller.wait(lambda: connection.idle, "answer")
            taken.append(time.perf_counter() - started)
    usage = meter.read()
    connection.close()
    poller.close()
    return Measurement(name, median(taken) * 1e3, "ms", details(usage, len(taken)))


def connecting(bench: Bench, running: Server, name: str, users: Sequence[str], groups: int) -> Measurement:
    """From the handshake to the welcome, one at a time. No other connection uses the user's logs."""
    poller = Poller()
    taken = []
    clients = [client(running.token(user, "inbox")) for user in users]
    meter = Meter(running.processes, bench.cores)
    with bench.profiling(name.replace(" ", "-"), running.processes):
        for each in clients:
            started = time.perf_counter()
            (opened,) = open_all(poller, running.realtime_port, [each], 1)
            taken.append(time.perf_counter() - started)
            opened.socket.close()
            # The gateway releases the logs.
            poller.run(_PAUSE_SECONDS)
    usage = meter.read()
    poller.close()
    return Measurement(name, median(taken) * 1e3, "ms", details(usage, len(taken)) | {"groups": groups})
