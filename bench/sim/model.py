"""A model of an installation: clients, sends, Valkey shards, gateways and APIs. Pure.

Time runs in ticks. In each tick the notifications that arrive are spread over the partitions; a shard serves
those of its partitions, as one call per partition; a gateway reads its feed of each partition that has
something for it, and writes to the sockets. Work that exceeds the CPU time of a tick waits for the next one.
"""

import math
import random
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

MICROSECONDS: Final = 1_000_000


class Costs(Struct, frozen=True):
    """CPU time of single units of work in microseconds, and memory in bytes. See `measure.py`.

    `valkey_call` and `valkey_send`: a call to a partition, and each notification in it. `valkey_feed`: a feed
    that a call writes to, its reading included. `gateway_feed` and `gateway_delivery`: a feed entry that a
    gateway reads, and a frame that it writes. `gateway_connection`: a connection for a second, and
    `gateway_opening` its opening. `api_send`: a notification in a batch.
    """

    valkey_call: float
    valkey_send: float
    valkey_feed: float
    gateway_feed: float
    gateway_delivery: float
    gateway_connection: float
    gateway_opening: float
    api_send: float
    connection_bytes: float
    notification_bytes: float


class Setup(Struct, frozen=True):
    """An installation and its load. A gateway, an API and a shard have one core each.

    `sends` per second, each to one user who is connected. `churn` is the share of connections that are opened
    again each second.
    """

    connections: int
    sends: float
    partitions: int
    shards: int
    gateways: int
    apis: int
    churn: float = 0.0005


class Load(Struct, frozen=True):
    """The CPU time that each kind of process uses, as the share of one core, by arithmetic."""

    shard: float
    gateway: float
    api: float


def calls_per_second(setup: Setup, tick_seconds: float) -> float:
    """The calls to partitions: an API sends what arrives in one tick to one partition together."""
    per_tick = setup.sends * tick_seconds / setup.apis
    spread = _different(per_tick, setup.partitions)
    return spread * setup.apis / tick_seconds


def feeds_per_second(setup: Setup, tick_seconds: float) -> float:
    """The feed entries: one for each call and each gateway that has a receiver in it."""
    calls = calls_per_second(setup, tick_seconds)
    if not calls:
        return 0.0
    return calls * _different(setup.sends / calls, setup.gateways)


def load(setup: Setup, costs: Costs, tick_seconds: float) -> Load:
    """The mean load of each kind of process."""
    calls, feeds = calls_per_second(setup, tick_seconds), feeds_per_second(setup, tick_seconds)
    shard = calls * costs.valkey_call + setup.sends * costs.valkey_send + feeds * costs.valkey_feed
    gateway = (
        feeds * costs.gateway_feed
        + setup.sends * costs.gateway_delivery
        + setup.connections * (costs.gateway_connection + setup.churn * costs.gateway_opening)
    )
    return Load(
        shard / setup.shards / MICROSECONDS,
        gateway / setup.gateways / MICROSECONDS,
        setup.sends * costs.api_send / setup.apis / MICROSECONDS,
    )


def _different(items: float, kinds: int) -> float:
    """The expected number of different kinds among so many random items."""
    missed: float = (1 - 1 / kinds) ** items
    return min(items, kinds * (1 - missed))


class Outcome(Struct, frozen=True):
    """A simulated run: the busiest share of each kind, and how long notifications took in milliseconds."""

    busiest_shard: float
    busiest_gateway: float
    p50_ms: float
    p99_ms: float


def simulate(setup: Setup, costs: Costs, *, ticks: int, tick_seconds: float, seed: int = 1) -> Outcome:
    """Simulate so many ticks with random arrivals.

    The gateways are drawn by the mean of their number, so a run of a million sends a second takes seconds.
    """
    chance = random.Random(seed)
    shards = [0.0] * setup.shards  # the work that waits, in microseconds
    gateways = [0.0] * setup.gateways
    busy_shards, busy_gateways = [0.0] * setup.shards, [0.0] * setup.gateways
    capacity = tick_seconds * MICROSECONDS
    delays: list[tuple[float, float]] = []
    fixed = costs.gateway_connection + setup.churn * costs.gateway_opening
    idle = setup.connections / setup.gateways * fixed * tick_seconds
    calls_per_partition = calls_per_second(setup, tick_seconds) * tick_seconds / setup.partitions
    for _ in range(ticks):
        arrived = [0.0] * setup.shards
        feeds = 0.0
        for partition in range(setup.partitions):
            count = _poisson(chance, setup.sends * tick_seconds / setup.partitions)
            if not count:
                continue
            calls = min(max(calls_per_partition, 1.0), count)
            entries = calls * _different(count / calls, setup.gateways)
            feeds += entries
            shard = partition % setup.shards
            arrived[shard] += count
            shards[shard] += (
                calls * costs.valkey_call + count * costs.valkey_send + entries * costs.valkey_feed
            )
        sent = sum(arrived)
        for number in range(setup.gateways):
            frames = _poisson(chance, sent / setup.gateways)
            read = feeds / setup.gateways
            gateways[number] += idle + read * costs.gateway_feed + frames * costs.gateway_delivery
        worst = max(gateways)
        for shard, share in enumerate(arrived):
            if share:
                # A notification waits for the rest of its tick, for its shard, and for a gateway.
                wait = capacity / 2 + shards[shard] + _middle(gateways, worst)
                delays.append((wait / 1000, share))
        _serve(shards, busy_shards, capacity)
        _serve(gateways, busy_gateways, capacity)
    total = ticks * capacity
    return Outcome(
        max(busy_shards) / total,
        max(busy_gateways) / total,
        _quantile(delays, 0.5),
        _quantile(delays, 0.99),
    )


def _middle(waiting: Sequence[float], worst: float) -> float:
    return (sum(waiting) / len(waiting) + worst) / 2


def _serve(waiting: list[float], busy: list[float], capacity: float) -> None:
    for number, work in enumerate(waiting):
        done = min(work, capacity)
        busy[number] += done
        waiting[number] = work - done


def _poisson(chance: random.Random, mean: float) -> int:
    """A random number of events; a normal approximation where there are many."""
    if mean > 30:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count


def _quantile(weighted: Sequence[tuple[float, float]], share: float) -> float:
    """The value below which this share of the weight is."""
    total = sum(weight for _, weight in weighted)
    passed = 0.0
    for value, weight in sorted(weighted):
        passed += weight
        if passed >= share * total:
            return value
    return 0.0
