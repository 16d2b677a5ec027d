"""The costs of the model, measured here, and the same work with two and three gateways to check it."""

import random
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import uvloop
from msgspec import Struct

from bench import server
from bench.curves.curve import Sizes, Spent
from bench.curves.sockets import more
from bench.inbox.calls import opened
from bench.notifications import CONTENT, to_user
from bench.poller import Poller
from bench.posting import Connection, request
from bench.processes import Meter, resident_bytes
from bench.server import Server
from bench.sim.model import Costs, Setup, calls_per_second, feeds_per_second
from bench.websocket import NOTIFICATION, RECEIVE_BYTES, WebSocket, client, open_all
from tidings.protocol.notifications import CreateNotification, Target
from tidings_workers.store import Store

_USERS: Final = 480
_BATCH: Final = 100
# Small batches have nearly a call per notification, large ones many notifications per call.
_SMALL: Final = 20
_LARGE: Final = 400
_SENDS: Final = 2_000
_ROUNDS: Final = 5
_REQUESTS: Final = 20
_REST_SECONDS: Final = 4.0
_GATEWAYS: Final = (1, 2, 3)
_AT_ONCE: Final = 100


class Checked(Struct, frozen=True):
    """The CPU time per notification (us) in Valkey and in all gateways: measured, and by the model."""

    gateways: int
    batch: int
    valkey: float
    valkey_by_model: float
    gateway: float
    gateway_by_model: float


class _Run(Struct, frozen=True):
    """Microseconds per notification."""

    valkey: float
    gateway: float


class _Sockets:
    """The open sockets of the users, read only to see that everything has arrived."""

    def __init__(self, ports: Sequence[int], running: Server) -> None:
        self._poller = Poller()
        self.received = 0
        for at, port in enumerate(ports):
            users = range(at, _USERS, len(ports))
            clients = [client(running.token(f"user-{number}", "inbox")) for number in users]
            for opened_socket in open_all(self._poller, port, clients, _AT_ONCE):
                self._poller.add(opened_socket.socket.fileno(), _Receiver(opened_socket, self).ready)

    def wait_for(self, count: int) -> None:
        """Read until so many notifications have arrived since the last call."""
        self._poller.wait(lambda: self.received >= count, f"{count:,} notifications ({self.received:,})")
        self.received = 0


class _Receiver:
    def __init__(self, opened_socket: WebSocket, sockets: _Sockets) -> None:
        self._socket = opened_socket.socket
        self._sockets = sockets

    def ready(self) -> None:
        self._sockets.received += self._socket.recv(RECEIVE_BYTES).count(NOTIFICATION)


def measured(sizes: Sizes) -> tuple[Costs, list[Checked]]:
    """Measure with one gateway, then compare with more."""
    lone = costs = Costs(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    checked: list[Checked] = []
    for count in _GATEWAYS:
        with server.running(sizes.cores) as running, more(running, "gateway", count - 1, sizes) as extra:
            gateways = [running.processes["gateway"], *extra.processes.values()]
            if count == 1:
                lone = _other_costs(running, sizes)
            runs = uvloop.run(_runs(running, gateways, [running.realtime_port, *extra.ports], sizes))
            if count == 1:
                costs = _fitted(lone, runs)
            checked += [_checked(costs, count, batch, runs[True, batch]) for batch in (_SMALL, _LARGE)]
    return costs, checked


async def _runs(
    running: Server, gateways: Sequence[int], ports: Sequence[int], sizes: Sizes
) -> dict[tuple[bool, int], _Run]:
    """The least costs of some rounds, by whether the users have a connection, and by the size of a batch."""
    found: dict[tuple[bool, int], _Run] = {}
    processes = {"valkey": running.processes["valkey"]} | {str(pid): pid for pid in gateways}
    async with opened(running) as store:
        users = {
            connected: [f"{'user' if connected else 'absent'}-{number}" for number in range(_USERS)]
            for connected in (True, False)
        }
        sockets = _Sockets(ports, running)
        # The first notification of a user makes the log.
        await _send(store, running.tenant, users[True])
        await _send(store, running.tenant, users[False])
        sockets.wait_for(_USERS)
        chance = random.Random(5)
        for _ in range(2 if sizes.quick else _ROUNDS):
            for connected in (True, False):
                for batch in (_SMALL, _LARGE):
                    spent = Spent(processes)
                    for _ in range(_SENDS // batch):
                        await _send(store, running.tenant, chance.sample(users[connected], batch))
                    if connected:
                        sockets.wait_for(_SENDS)
                    cost = spent.per(_SENDS)
                    valkey, gateway = cost["valkey"], sum(cost[str(pid)] for pid in gateways)
                    best = found.get((connected, batch), _Run(valkey, gateway))
                    found[connected, batch] = _Run(min(best.valkey, valkey), min(best.gateway, gateway))
    return found


async def _send(store: Store, tenant: str, users: Sequence[str]) -> None:
    await store.sends.send(
        tenant, [CreateNotification(to=Target(users=(user,)), **CONTENT) for user in users]
    )


def _shares(gateways: int, batch: int) -> tuple[float, float]:
    """The calls and the feed entries per notification: the model, where one tick has one batch."""
    setup = Setup(_USERS, batch, 16, 1, gateways, 1, churn=0)
    return calls_per_second(setup, 1.0) / batch, feeds_per_second(setup, 1.0) / batch


def _line(small: float, large: float) -> tuple[float, float]:
    """The cost of a call and of a notification that explain the costs of both batches."""
    (calls, _), (fewer, _) = _shares(1, _SMALL), _shares(1, _LARGE)
    call = max((small - large) / (calls - fewer), 0.0)
    return call, large - fewer * call


def _fitted(lone: Costs, runs: Mapping[tuple[bool, int], _Run]) -> Costs:
    """The costs that explain the runs with one gateway."""
    call, send = _line(runs[False, _SMALL].valkey, runs[False, _LARGE].valkey)
    feed, delivery = _line(runs[True, _SMALL].gateway, runs[True, _LARGE].gateway)
    _, feeds = _shares(1, _SMALL)
    return msgspec.structs.replace(
        lone,
        valkey_call=call,
        valkey_send=send,
        valkey_feed=max(runs[True, _SMALL].valkey - runs[False, _SMALL].valkey, 0) / feeds,
        gateway_feed=feed,
        gateway_delivery=delivery,
    )


def _checked(costs: Costs, gateways: int, batch: int, run: _Run) -> Checked:
    calls, feeds = _shares(gateways, batch)
    return Checked(
        gateways,
        batch,
        run.valkey,
        calls * costs.valkey_call + costs.valkey_send + feeds * costs.valkey_feed,
        run.gateway,
        feeds * costs.gateway_feed + costs.gateway_delivery,
    )


def _other_costs(running: Server, sizes: Sizes) -> Costs:
    """The costs of connections, of the API, and of memory."""
    poller = Poller()
    gateway = running.processes["gateway"]
    clients = [client(running.token(f"idle-{number}", "inbox")) for number in range(2 * _USERS)]
    before = resident_bytes(gateway)
    spent = Spent({"gateway": gateway})
    idle = open_all(poller, running.realtime_port, clients, _AT_ONCE)
    opening = spent.per(len(clients))["gateway"]
    connection_bytes = (resident_bytes(gateway) - before) / len(clients)
    poller.run(1.0)
    spent = Spent({"gateway": gateway})
    seconds = 0.5 if sizes.quick else _REST_SECONDS
    poller.run(seconds)
    resting = spent.per(seconds * len(clients))["gateway"]
    for each in idle:
        each.socket.close()

    posting = Connection(poller, running.port)
    token = running.token("bench", "send")
    bodies = [to_user(f"posted-{number}") for number in range(_BATCH)]
    batch = request("/v1/notifications/batch", token, {"notifications": bodies})
    times = sizes.times(_REQUESTS)

    def post(count: int) -> None:
        for _ in range(count):
            posting.post(batch, lambda: None)
            poller.wait(lambda: posting.idle, "answer")

    post(2)
    memory = uvloop.run(_memory(running))
    meter = Meter(running.processes, sizes.cores)
    post(times)
    api = meter.read().cpu["api"] / (times * _BATCH) * 1e6
    grown = (uvloop.run(_memory(running)) - memory) / (times * _BATCH)
    posting.close()
    poller.close()
    return Costs(0, 0, 0, 0, 0, resting, opening, api, connection_bytes, grown)


async def _memory(running: Server) -> float:
    async with opened(running) as store:
        return float((await store.redis.info("memory"))["used_memory"])
