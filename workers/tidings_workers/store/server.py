"""The mode and the durability of the server, also before a store is opened on it."""

from typing import Any, Final

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import ResponseError

from tidings_workers.config import SYNCED_EVERY_SECOND
from tidings_workers.logs import get_logger
from tidings_workers.store.packing import text
from tidings_workers.store.pipeline import Pipeline
from tidings_workers.store.reasons import misfit

_DURABILITIES: Final = ("memory", "everysec", "always")

_log = get_logger(__name__)


async def check_mode(pipeline: Pipeline) -> None:
    """Raise StorageUnavailable when a URL of one server leads to a cluster node or a Sentinel."""
    if pipeline.cluster:
        return
    # HELLO, because a user without INFO may call it too.
    hello = await pipeline.client.execute_command("HELLO")
    mode = {text(key): value for key, value in hello.items()}.get("mode", b"")
    if text(mode) == "cluster":
        raise pipeline.report_failure(misfit("is-a-cluster", pipeline.url))
    if text(mode) == "sentinel":
        raise pipeline.report_failure(misfit("sentinel", pipeline.url))


class Durability:
    """The durability of answered sends on one server."""

    def __init__(self, pipeline: Pipeline, wanted: str) -> None:
        self._pipeline = pipeline
        self._wanted = wanted
        self._warned = False

    async def read(self) -> str:
        """The durability: as `wanted`, or less when the server does less.

        When `wanted` is `always` and the server syncs only once a second, the pipeline waits for the fsync
        of durable calls from now on.
        """
        pipeline = self._pipeline
        provided, syncs = await self._provided()
        pipeline.wait_for_fsync = (
            self._wanted == "always" and provided == "everysec" and syncs and not pipeline.cluster
        )
        if pipeline.wait_for_fsync:
            provided = "always"
        return min(self._wanted, provided, key=_DURABILITIES.index)

    async def _provided(self) -> tuple[str, bool]:
        """The durability as configured, and whether the server itself syncs. Of a cluster: all primaries."""
        client: Any = self._pipeline.client
        everywhere = {"target_nodes": RedisCluster.PRIMARIES} if self._pipeline.cluster else {}
        try:
            answer = await client.config_get("appendonly", "appendfsync", "proc-title-template", **everywhere)
        except ResponseError:
            # Hosted Redis often forbids CONFIG; INFO says only whether there is an append-only file.
            try:
                answer = await client.info("persistence", **everywhere)
            except ResponseError:
                self._warn_that_it_is_unknown()
                return "memory", False
            servers = answer.values() if everywhere else [answer]
            appends = all(info.get("aof_enabled") for info in servers)
            return "everysec" if appends else "memory", True
        servers = answer.values() if everywhere else [answer]
        return min(map(_configured, servers), key=lambda found: _DURABILITIES.index(found[0]))

    def _warn_that_it_is_unknown(self) -> None:
        if not self._warned:
            self._warned = True
            _log.warning(
                "durability unknown: answers say memory",
                reason="the store allows neither CONFIG GET nor INFO",
                cure="allow the user of REDIS_URL the command INFO (ACL: +info)",
            )


def _configured(configuration: dict[Any, Any]) -> tuple[str, bool]:
    facts = {text(key): text(value) for key, value in configuration.items()}
    if facts.get("appendonly") != "yes":
        return "memory", False
    if SYNCED_EVERY_SECOND in facts.get("proc-title-template", ""):
        return "everysec", False
    policy = facts.get("appendfsync", "")
    return (policy, True) if policy in _DURABILITIES else ("memory", False)
