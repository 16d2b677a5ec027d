"""Curves of connections, gateways and APIs: with the whole server, from the request to the socket."""

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Final

from bench import server
from bench.audience import Audience
from bench.curves.curve import Curve, Point, Sizes, point
from bench.notifications import TO_ALL, to_user
from bench.poller import Poller
from bench.posting import Connection, request
from bench.processes import Meter, Usage, pinned, resident_bytes
from bench.server import Server, ServerFailed, free_ports, stop
from bench.websocket import client, open_all

_CONNECTIONS: Final = (1_000, 4_000, 15_000)
_PROCESSES: Final = (1, 2, 3, 4)
_AT_ONCE: Final = 200
_SOCKETS: Final = 600
_FANS: Final = 100
_REQUESTS: Final = 1_200
_CLIENTS: Final = 16
_START_SECONDS: Final = 30.0
_IDLE_SECONDS: Final = 5.0


def connections(sizes: Sizes) -> Curve:
    """To open so many connections, to keep them for a second, and their memory in the gateway."""
    opening, resting, memory = [], [], []
    for size in sizes.of(_CONNECTIONS):
        with server.running(sizes.cores) as running:
            poller = Poller()
            clients = [client(running.token(f"user-{number}", "inbox")) for number in range(size)]
            before = resident_bytes(running.processes["gateway"])
            meter = Meter(running.processes, sizes.cores)
            opened = open_all(poller, running.realtime_port, clients, _AT_ONCE, seconds=150)
            opening.append(point(size, _cost(meter.read(), size)))
            poller.run(1.0)
            grown = resident_bytes(running.processes["gateway"]) - before
            memory.append(Point(size, grown / size))
            meter = Meter(running.processes, sizes.cores)
            time.sleep(0.5 if sizes.quick else _IDLE_SECONDS)
            usage = meter.read()
            resting.append(point(size, _cost(usage, usage.seconds * size)))
            for each in opened:
                each.socket.close()
            poller.close()
    lines = {"open one": opening, "keep one for a second": resting, "memory of one in bytes": memory}
    return Curve("connections", "Connections of a gateway", "connections", "µs of CPU", lines)


def gateways(sizes: Sizes) -> Curve:
    """A send to all whose connections are spread over so many gateways, and one to a single user."""
    alls, singles = [], []
    for size in sizes.of(_PROCESSES):
        with server.running(sizes.cores) as running, more(running, "gateway", size - 1, sizes) as extra:
            ports = [running.realtime_port, *extra.ports]
            meter_of = running.processes | extra.processes
            poller = Poller()
            audiences = [
                Audience(
                    poller,
                    port,
                    [
                        client(running.token(f"user-{number}", "inbox"))
                        for number in range(at, _SOCKETS, size)
                    ],
                    _AT_ONCE,
                )
                for at, port in enumerate(ports)
            ]
            posting = Connection(poller, running.port)
            token = running.token("bench", "send")
            fan = request("/v1/notifications", token, TO_ALL)
            count = sizes.times(_FANS)
            _post(poller, posting, fan, 2)
            for audience in audiences:
                audience.wait_for(2)
            meter = Meter(meter_of, sizes.cores)
            for number in range(count):
                _post(poller, posting, fan, 1)
                for audience in audiences:
                    audience.wait_for(3 + number)
            alls.append(point(size, _cost(meter.read(), count)))
            for audience in audiences:
                audience.close()
            # The user's only connection is on the first gateway: the others have no part in it.
            recipient = Audience(poller, running.realtime_port, [client(running.token("single", "inbox"))], 1)
            single = request("/v1/notifications", token, to_user("single"))
            meter = Meter(meter_of, sizes.cores)
            for number in range(count):
                _post(poller, posting, single, 1)
                recipient.wait_for(1 + number)
            singles.append(point(size, _cost(meter.read(), count)))
            recipient.close()
            posting.close()
            poller.close()
    lines = {f"send to all, {_SOCKETS} connections": alls, "send to one user": singles}
    return Curve("gateways", "Gateways", "gateways", "µs of CPU", lines)


def apis(sizes: Sizes) -> Curve:
    """Sends to one user each, spread over so many APIs."""
    points = []
    for size in sizes.of(_PROCESSES):
        with server.running(sizes.cores) as running, more(running, "api", size - 1, sizes) as extra:
            ports = [running.port, *extra.ports]
            poller = Poller()
            token = running.token("bench", "send")
            connections = [Connection(poller, ports[number % size]) for number in range(_CLIENTS)]
            data = [request("/v1/notifications", token, to_user(f"user-{at}")) for at in range(_SOCKETS)]
            _spread(poller, connections, data)
            left = sizes.times(_REQUESTS)
            meter = Meter(running.processes | extra.processes, sizes.cores)
            _spread(poller, connections, (data * 2)[:left])
            points.append(point(size, _cost(meter.read(), left)))
            for connection in connections:
                connection.close()
            poller.close()
    return Curve("apis", "APIs", "APIs", "µs of CPU", {"send, one per request": points})


class Extra:
    """More processes of one part."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.processes: dict[str, int] = {}


@contextlib.contextmanager
def more(running: Server, part: str, count: int, sizes: Sizes) -> Iterator[Extra]:
    """So many more processes of a part on the same store; ready when they answer."""
    extra = Extra()
    with contextlib.ExitStack() as stack:
        for number in range(count):
            port, operator = free_ports(2)
            name = "TIDINGS_REALTIME_PORT" if part == "gateway" else "TIDINGS_PORT"
            environment = {
                **{key: value for key, value in os.environ.items() if not key.startswith("TIDINGS_")},
                "REDIS_URL": running.store,
                "TIDINGS_OPERATOR_PORT": str(operator),
                "TIDINGS_LOG_LEVEL": "warning",
                "TIDINGS_HEARTBEAT_SECONDS": "600",
                name: str(port),
            }
            process = stack.enter_context(_started(part, environment, sizes))
            _wait(process, operator)
            extra.ports.append(port)
            extra.processes[f"{part}-{number + 2}"] = process.pid
        yield extra


@contextlib.contextmanager
def _started(part: str, environment: Mapping[str, str], sizes: Sizes) -> Iterator["subprocess.Popen[bytes]"]:
    with pinned(sizes.cores.server):
        process = subprocess.Popen(
            [sys.executable, "-m", "tidings_api.cli", part],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    try:
        yield process
    finally:
        stop(process)


def _wait(process: "subprocess.Popen[bytes]", operator: int) -> None:
    """Wait until the process says on its operator's port that it is ready."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        url = f"http://127.0.0.1:{operator}/health/ready"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):
            return
        time.sleep(0.1)
    raise ServerFailed(f"process {process.pid} did not become ready")


def _post(poller: Poller, connection: Connection, data: bytes, count: int) -> None:
    for _ in range(count):
        connection.post(data, lambda: None)
        poller.wait(lambda: connection.idle, "answer")


def _spread(poller: Poller, connections: list[Connection], requests: list[bytes]) -> None:
    """Send the requests, one at a time on each connection, and wait for the last answers."""
    for number, data in enumerate(requests):
        connection = connections[number % len(connections)]
        poller.wait(lambda taken=connection: taken.idle, "answer")  # type: ignore[misc]
        connection.post(data, lambda: None)
    poller.wait(lambda: all(connection.idle for connection in connections), "last answers")


def _cost(usage: Usage, units: float) -> dict[str, float]:
    return {name: seconds / units * 1e6 for name, seconds in usage.cpu.items()}
