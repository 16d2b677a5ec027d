"""Curves of sends: the size of a notification, tenants, partitions."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import uvloop

from bench import server
from bench.curves.curve import Curve, Point, Sizes, Spent, point
from bench.inbox.calls import opened
from bench.notifications import CONTENT
from bench.server import Server
from tidings.protocol.notifications import CreateNotification, Target
from tidings_workers.store import Store

_BYTES: Final = (100, 1_000, 4_000, 32_000)
_TENANTS: Final = (1, 10, 100, 1_000, 10_000)
_PARTITIONS: Final = (1, 4, 16, 64, 256)
_PER_CALL: Final = 100
_PER_TENANT: Final = 10
_IDLE_SECONDS: Final = 4.0
_SWEEP_SECONDS: Final = 0.2
_PARTS: Final = ("valkey", "dispatcher", "gateway")


async def _send(
    running: Server,
    store: Store,
    tenants: Sequence[str],
    calls: int,
    content: dict[str, Any],
    per_call: int = _PER_CALL,
) -> dict[str, float]:
    """The cost per notification of sends to one user each, many per call."""
    messages = [
        CreateNotification(to=Target(users=(f"user-{number}",)), **content) for number in range(per_call)
    ]
    spent = Spent({"valkey": running.processes["valkey"]})
    for number in range(calls):
        await store.sends.send(tenants[number % len(tenants)], messages)
    return spent.per(calls * per_call)


async def _swept(store: Store) -> None:
    """Wait for the first retention sweep of new logs, which is not work at rest."""
    for partition in range(store.partitions):
        while await store.retention.due(partition):  # noqa: ASYNC110 - the dispatcher is another process
            await asyncio.sleep(_SWEEP_SECONDS)


async def _idle(running: Server, seconds: float) -> dict[str, float]:
    """The CPU time of the server per second at rest."""
    spent = Spent({name: running.processes[name] for name in _PARTS})
    await asyncio.sleep(seconds)
    cost = spent.per(seconds)
    del cost["caller"]
    return cost


def payload(sizes: Sizes) -> Curve:
    """A send to one user by its size, where the log of the user exists already."""

    async def measure(running: Server) -> dict[str, list[Point]]:
        points = []
        async with opened(running) as store:
            await _send(running, store, [running.tenant], 1, CONTENT)
            for size in sizes.of(_BYTES):
                content = {"title": "On its way", "data": {"text": "x" * (size - 60)}}
                cost = await _send(running, store, [running.tenant], sizes.times(40), content)
                points.append(point(size, cost))
        return {"send, a hundred per call": points}

    with server.running(sizes.cores) as running:
        lines = uvloop.run(measure(running))
    return Curve("payload", "Size of a notification", "bytes", "µs of CPU", lines)


def tenants(sizes: Sizes) -> Curve:
    """Sends over so many tenants, and the server at rest afterwards."""

    async def measure(running: Server) -> dict[str, list[Point]]:
        sends, rests = [], []
        async with opened(running) as store:
            for size in sizes.of(_TENANTS):
                names = [f"tenant-{number}" for number in range(size)]
                # The first notification of each user makes the log.
                await _send(running, store, names, size, CONTENT, _PER_TENANT)
                await _swept(store)
                calls = max(size, 100)
                cost = await _send(running, store, names, calls, CONTENT, _PER_TENANT)
                sends.append(point(size, cost))
                await _swept(store)
                seconds = 0.5 if sizes.quick else _IDLE_SECONDS
                rests.append(point(size, await _idle(running, seconds)))
        return {"send, ten per call": sends, "one second at rest": rests}

    with server.running(sizes.cores) as running:
        lines = uvloop.run(measure(running))
    return Curve("tenants", "Tenants", "tenants", "µs of CPU", lines)


def partitions(sizes: Sizes) -> Curve:
    """The same sends on a store with so many partitions, and the server at rest."""

    async def measure(running: Server) -> tuple[dict[str, float], dict[str, float]]:
        async with opened(running) as store:
            names = [running.tenant]
            await _send(running, store, names, 1, CONTENT)
            cost = await _send(running, store, names, sizes.times(40), CONTENT)
            return cost, await _idle(running, 0.5 if sizes.quick else _IDLE_SECONDS)

    sends, rests = [], []
    for size in sizes.of(_PARTITIONS):
        with server.running(sizes.cores, {"TIDINGS_PARTITIONS": str(size)}) as running:
            cost, rest = uvloop.run(measure(running))
        sends.append(point(size, cost))
        rests.append(point(size, rest))
    lines = {"send, a hundred per call": sends, "one second at rest": rests}
    return Curve("partitions", "Partitions", "partitions", "µs of CPU", lines)
