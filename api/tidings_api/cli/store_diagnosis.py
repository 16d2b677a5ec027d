"""What `doctor` looks at in the store: the server's version and settings, its clock, who works on it."""

import time
from collections.abc import Mapping
from typing import Any, Final

from redis.asyncio import Redis, RedisCluster

from tidings_api.cli.diagnosis import Finding, ok, warning, wrong
from tidings_workers.config import Settings, masked
from tidings_workers.store import StorageUnavailable, Store, StoreMismatch
from tidings_workers.store.clients import close, connect
from tidings_workers.store.errors import UNREACHABLE
from tidings_workers.store.keys import GATEWAYS, META, lease
from tidings_workers.store.reasons import unavailable

OLDEST_VERSION: Final = (7, 2)
SKEW_SECONDS: Final = 2.0
# A gateway that was not heard of for this long is gone; they say so every few seconds.
GATEWAY_SECONDS: Final = 30


async def store_findings(settings: Settings) -> list[Finding]:
    """Look at the store; when it does not answer, that is all there is to say. Changes nothing."""
    url = settings.redis_url or ""
    client = connect(url, "tidings-doctor", connections=2)
    try:
        return await _examine(client, settings)
    except (*UNREACHABLE, StorageUnavailable) as error:
        failure = unavailable(error, url)
        return [wrong("store", str(failure), failure.cure)]
    finally:
        await close(client)


async def _examine(client: Redis | RedisCluster, settings: Settings) -> list[Finding]:
    findings = [ok("store", f"{masked(settings.redis_url or '')} answers")]
    for node, info in await _nodes(client, "server"):
        findings.append(_version(node, info))
    for node, info in await _nodes(client, "memory"):
        findings.append(_eviction(node, info))
    findings.append(await _clock(client))
    if not await client.hexists(META, "partitions"):
        findings.append(warning("layout", "nothing has used this store yet", "start the parts"))
        return findings
    try:
        store = await Store.open(settings, name="doctor")
    except StoreMismatch as error:
        return [
            *findings,
            wrong("layout", str(error), "run the version that made the store, or another store"),
        ]
    try:
        findings += [_partitions(store, settings), _durability(store, settings)]
        findings += [await _dispatchers(client, store.partitions), await _gateways(client)]
    finally:
        await store.close()
    return findings


async def _nodes(client: Redis | RedisCluster, section: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Give INFO of each primary, with its name in a cluster and an empty one otherwise."""
    if isinstance(client, RedisCluster):
        answers: Any = await client.info(section, target_nodes=RedisCluster.PRIMARIES)
        return [(f" {name}", info) for name, info in answers.items()]
    return [("", await client.info(section))]


def _version(node: str, info: Mapping[str, Any]) -> Finding:
    name = "Valkey" if "valkey_version" in info else "Redis"
    text = str(info.get("valkey_version") or info.get("redis_version"))
    # Valkey reports the Redis that it is compatible with as redis_version: 7.2.4.
    compatible = tuple(int(part) for part in str(info.get("redis_version", "0.0")).split(".")[:2])
    check = f"version{node}"
    if compatible < OLDEST_VERSION:
        return wrong(check, f"{name} {text}", "upgrade it to Redis 7.2, Valkey 8 or later")
    return ok(check, f"{name} {text}")


def _eviction(node: str, info: Mapping[str, Any]) -> Finding:
    policy = str(info.get("maxmemory_policy"))
    if policy != "noeviction":
        return wrong(
            f"eviction{node}",
            f"maxmemory-policy is {policy}: it may drop notifications that were acknowledged",
            "set maxmemory-policy noeviction",
        )
    return ok(f"eviction{node}", "maxmemory-policy is noeviction")


async def _clock(client: Redis | RedisCluster) -> Finding:
    before = time.time()
    seconds, microseconds = await client.time()
    here = (before + time.time()) / 2
    skew = abs(seconds + microseconds / 1e6 - here)
    if skew > SKEW_SECONDS:
        return wrong(
            "clock",
            f"this machine and the store are {skew:.1f} s apart",
            "let both follow a time server (NTP): expiry and tokens go by the clock",
        )
    return ok("clock", f"this machine and the store agree within {max(skew, 0.001):.3f} s")


def _partitions(store: Store, settings: Settings) -> Finding:
    if store.partitions != settings.partitions:
        return warning(
            "partitions",
            f"TIDINGS_PARTITIONS is {settings.partitions}, but the store was made with {store.partitions}, "
            "which holds",
            f"set TIDINGS_PARTITIONS={store.partitions}",
        )
    return ok("partitions", f"{store.partitions}")


def _durability(store: Store, settings: Settings) -> Finding:
    if store.durability != settings.durability:
        return wrong(
            "durability",
            f"TIDINGS_DURABILITY is {settings.durability}, but the store gives {store.durability}",
            "set appendonly yes and appendfsync everysec or always in the store's configuration, "
            f"or settle for TIDINGS_DURABILITY={store.durability}",
        )
    return ok("durability", store.durability)


async def _dispatchers(client: Redis | RedisCluster, partitions: int) -> Finding:
    idle = [number for number in range(partitions) if not await client.exists(lease(number))]
    if len(idle) == partitions:
        return wrong(
            "dispatcher", "none is at work: nothing is delivered", "start `tidings-server dispatcher`"
        )
    if idle:
        return wrong(
            "dispatcher",
            f"nobody works on partition {', '.join(map(str, idle))}",
            "wait 5 s and look again; if it stays so, restart the dispatchers and see their logs",
        )
    return ok("dispatcher", "every partition is worked on")


async def _gateways(client: Redis | RedisCluster) -> Finding:
    since = int((time.time() - GATEWAY_SECONDS) * 1000)
    alive = await client.zcount(GATEWAYS, since, "+inf")
    if not alive:
        return wrong("gateways", "none is at work: nobody can connect", "start `tidings-server gateway`")
    return ok("gateways", f"{alive} at work")
