"""The checks of `doctor` in the store: the server's version, settings and clock, and the parts at work."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast

from msgspec import Struct
from redis.asyncio import Redis, RedisCluster

from tidings_api.cli.archive_diagnosis import moving_findings
from tidings_api.cli.bridge_diagnosis import bridge_findings
from tidings_api.cli.findings import Finding, ok, warning, wrong
from tidings_workers.addresses import masked
from tidings_workers.config import Settings
from tidings_workers.identity import identity_of
from tidings_workers.logs import get_logger
from tidings_workers.store import StorageUnavailable
from tidings_workers.store.errors import UNREACHABLE
from tidings_workers.store.keys import GATEWAYS, LAYOUT, META, lease
from tidings_workers.store.migration import PREVIOUS
from tidings_workers.store.packing import text
from tidings_workers.store.pipeline import Pipeline
from tidings_workers.store.reasons import unavailable
from tidings_workers.store.server import Durability, check_mode

_log = get_logger(__name__)

OLDEST_VERSION: Final = (7, 2)
SKEW_SECONDS: Final = 2.0
# A gateway renews its entry every few seconds. One that has not renewed it for this long has stopped.
GATEWAY_SECONDS: Final = 30


# With these reasons the store still answers reads, so the other checks are possible.
_STILL_READABLE: Final = frozenset({"readonly", "disk", "out-of-memory", "no-replicas"})

_UNUSED: Final = warning("layout", "no part has used this store yet", "start the parts")


class StoreReport(Struct, frozen=True):
    """The findings about a store, and its identity: empty when no part has used it, None when unknown."""

    findings: list[Finding]
    identity: str | None = None


async def examine_store(settings: Settings, *, embedded: bool) -> StoreReport:
    """Check the store. It changes nothing and raises nothing: a check that is not possible is a finding.

    `embedded`: the store belongs to a `dev`, which starts the parts.
    """
    url = settings.redis_url or ""
    pipeline = Pipeline(url, "tidings-doctor")
    findings = []
    try:
        try:
            await check_mode(pipeline)
            await pipeline.writable()
        except (*UNREACHABLE, StorageUnavailable) as error:
            failure = unavailable(error, url)
            findings.append(wrong("store", str(failure), failure.cure))
            if failure.reason not in _STILL_READABLE:
                return StoreReport(findings)
        else:
            findings.append(ok("store", f"{masked(url)} answers and takes writes"))
        findings += await _server_findings(pipeline, settings)
        meta = await _meta(pipeline)
        identity = None
        if isinstance(meta, Finding):
            findings.append(meta)
            identity = "" if meta is _UNUSED else None
        else:
            findings += await _work_findings(pipeline, settings, meta, embedded=embedded)
            identity = identity_of(bytes.fromhex(meta["secret"]))
        return StoreReport(findings, identity)
    finally:
        await pipeline.close()


async def warn_of_server(settings: Settings) -> None:
    """Log the faults of the server that `doctor` would find: its version, or settings that break a promise.

    Call it at the start of a part. It logs nothing when the server does not answer.
    """
    pipeline = Pipeline(settings.redis_url or "", "tidings-check")
    try:
        findings = await _server_findings(pipeline, settings)
    finally:
        await pipeline.close()
    for finding in findings:
        if finding.level == "wrong":
            _log.warning(
                "the store is not suitable", check=finding.check, reason=finding.detail, cure=finding.cure
            )


async def _server_findings(pipeline: Pipeline, settings: Settings) -> list[Finding]:
    """Version, eviction, durability and clock. Each check is separate: the user may lack a permission."""
    client = pipeline.client
    checks: tuple[tuple[str, Callable[[], Awaitable[list[Finding]]]], ...] = (
        ("version", lambda: _each_node(client, "server", _version)),
        ("eviction", lambda: _each_node(client, "memory", _eviction)),
        ("durability", lambda: _durability(pipeline, settings)),
        ("clock", lambda: _clock(client)),
    )
    findings: list[Finding] = []
    for check, run in checks:
        try:
            findings += await run()
        except UNREACHABLE as error:
            failure = unavailable(error, pipeline.url)
            findings.append(warning(check, f"it can't be read: {failure}", failure.cure))
    return findings


async def _meta(pipeline: Pipeline) -> dict[str, str] | Finding:
    """The meta data of the store, or the finding why there are none."""
    try:
        found = await cast("Any", pipeline.client).hgetall(META)
    except UNREACHABLE as error:
        failure = unavailable(error, pipeline.url)
        return wrong("layout", f"it can't be read: {failure}", failure.cure)
    meta = {text(name): text(value) for name, value in found.items()}
    if not {"layout", "partitions", "secret"} <= meta.keys():
        return _UNUSED
    if meta["layout"] == PREVIOUS:
        return warning(
            "layout",
            f"the store has layout {PREVIOUS} of an earlier version: the next part takes it over",
            "stop every part of the earlier version, then start those of this one",
        )
    if meta["layout"] != LAYOUT:
        return wrong(
            "layout",
            f"the store has layout {meta['layout']}, this version reads {LAYOUT}",
            "run the version of Tidings that created the store, or name another store",
        )
    return meta


async def _work_findings(
    pipeline: Pipeline, settings: Settings, meta: Mapping[str, str], *, embedded: bool
) -> list[Finding]:
    partitions = int(meta["partitions"])
    dispatcher, gateway = ("dev", "dev") if embedded else ("dispatcher", "gateway")
    try:
        return [
            _partitions(partitions, settings),
            await _dispatchers(pipeline.client, partitions, f"start `tidings-server {dispatcher}`"),
            await _gateways(pipeline.client, f"start `tidings-server {gateway}`"),
            *await moving_findings(pipeline, settings, partitions, embedded=embedded),
            *await bridge_findings(pipeline.client, settings),
        ]
    except (*UNREACHABLE, StorageUnavailable) as error:
        failure = unavailable(error, pipeline.url)
        return [wrong("parts", f"it is unknown whether parts are running: {failure}", failure.cure)]


async def _each_node(
    client: Redis | RedisCluster, section: str, judge: Callable[[str, Mapping[str, Any]], Finding]
) -> list[Finding]:
    return [judge(node, info) for node, info in await _nodes(client, section)]


async def _nodes(client: Redis | RedisCluster, section: str) -> list[tuple[str, Mapping[str, Any]]]:
    """INFO of each primary, with its name; the name is empty outside a cluster."""
    if isinstance(client, RedisCluster):
        answers: Any = await client.info(section, target_nodes=RedisCluster.PRIMARIES)
        return [(f" {name}", info) for name, info in answers.items()]
    return [("", await client.info(section))]


def _version(node: str, info: Mapping[str, Any]) -> Finding:
    name = "Valkey" if "valkey_version" in info else "Redis"
    text = str(info.get("valkey_version") or info.get("redis_version"))
    # Valkey reports the version of Redis with which it is compatible as redis_version: 7.2.4.
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
            f"maxmemory-policy is {policy}: the server may evict accepted notifications",
            "set it to noeviction (CONFIG SET maxmemory-policy noeviction, then CONFIG REWRITE)",
        )
    return ok(f"eviction{node}", "maxmemory-policy is noeviction")


async def _clock(client: Redis | RedisCluster) -> list[Finding]:
    before = time.time()
    seconds, microseconds = await client.time()
    here = (before + time.time()) / 2
    skew = abs(seconds + microseconds / 1e6 - here)
    if skew > SKEW_SECONDS:
        return [
            wrong(
                "clock",
                f"the clocks of this machine and of the store differ by {skew:.1f} s",
                "synchronise both with a time server (NTP): expiry and tokens depend on the clock",
            )
        ]
    return [ok("clock", f"the clocks of this machine and of the store agree within {max(skew, 0.001):.3f} s")]


def _partitions(found: int, settings: Settings) -> Finding:
    if found != settings.partitions:
        return warning(
            "partitions",
            f"TIDINGS_PARTITIONS is {settings.partitions}, but the store was created with {found}",
            f"set TIDINGS_PARTITIONS={found}",
        )
    return ok("partitions", f"{found}")


async def _durability(pipeline: Pipeline, settings: Settings) -> list[Finding]:
    durability = await Durability(pipeline, settings.durability).read()
    if durability == settings.durability:
        return [ok("durability", durability)]
    accept = f"or set TIDINGS_DURABILITY={durability}"
    if durability == "memory":
        cure = (
            "switch its append-only file on (CONFIG SET appendonly yes, then CONFIG REWRITE; without CONFIG, "
            f"appendonly yes in its configuration) with appendfsync everysec or always, {accept}"
        )
    else:
        cure = f"set appendfsync always (CONFIG SET appendfsync always, then CONFIG REWRITE), {accept}"
    return [
        wrong(
            "durability",
            f"TIDINGS_DURABILITY is {settings.durability}, but the store's durability is {durability}",
            cure,
        )
    ]


async def _dispatchers(client: Redis | RedisCluster, partitions: int, cure: str) -> Finding:
    idle = [number for number in range(partitions) if not await client.exists(lease(number))]
    if len(idle) == partitions:
        return wrong("dispatcher", "none is running: nothing is delivered", cure)
    if idle:
        return wrong(
            "dispatcher",
            f"none works on partition {', '.join(map(str, idle))}",
            "wait 5 s and run doctor again; if it is still so, restart the dispatchers and see their logs",
        )
    return ok("dispatcher", "every partition has a dispatcher")


async def _gateways(client: Redis | RedisCluster, cure: str) -> Finding:
    since = int((time.time() - GATEWAY_SECONDS) * 1000)
    running = await client.zcount(GATEWAYS, since, "+inf")
    if not running:
        return wrong("gateways", "none is running: no client can connect", cure)
    return ok("gateways", f"{running} running")
