"""The entries of a store that wait for the archive, and the archivers that move them."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from tidings_workers.config import Settings
from tidings_workers.registry import Registry
from tidings_workers.retention_rules import Policies
from tidings_workers.store.bases import parse_base
from tidings_workers.store.entries import id_of
from tidings_workers.store.ids import milliseconds_of_id
from tidings_workers.store.keys import ARCHIVERS, Keys, archivable, archived
from tidings_workers.store.packing import text
from tidings_workers.store.pipeline import Pipeline
from tidings_workers.tenants import Tenant

# An archiver renews its entry every second.
_SILENT_SECONDS: Final = 5
# Of each partition, the logs whose oldest entry is read.
_LOGS: Final = 100
_TOGETHER: Final = 1_000


class Backlog(Struct, frozen=True):
    """The entries that wait: in how many logs, about how many bytes, and for how many seconds the oldest.

    An entry waits since its retention ended. Of a partition with more than 100 logs, those with the most
    bytes are looked at.
    """

    logs: int
    bytes: int
    limit: int
    oldest_seconds: int


class ArchiveState(Struct, frozen=True):
    """The archivers of a store, and the entries that wait for them.

    `archivers` are at work. `uncopied`: by tenant, when entries were last removed without a copy (Unix ms).
    """

    archivers: int
    backlog: Backlog
    uncopied: dict[str, int]


async def archive_state(pipeline: Pipeline, settings: Settings, partitions: int) -> ArchiveState:
    """Read it. Raises the errors of the store."""
    since = int((time.time() - _SILENT_SECONDS) * 1000)
    archivers = int(await pipeline.call("ZCOUNT", ARCHIVERS, since, "+inf"))
    tenants = await Registry(pipeline.client).list_tenants()
    return ArchiveState(
        archivers,
        await _backlog(pipeline, settings, partitions, tenants),
        await _uncopied(pipeline, partitions, tenants),
    )


async def _backlog(
    pipeline: Pipeline, settings: Settings, partitions: int, tenants: Sequence[Tenant]
) -> Backlog:
    policies = Policies(settings.retention_seconds * 1000, archives=True)
    policies.follow({each.id: each for each in tenants}.get)
    logs, size, oldest = 0, 0, 0
    for partition in range(partitions):
        found = await pipeline.call("ZRANGE", archivable(partition), 0, -1, "REV", "WITHSCORES")
        waiting = _scored(found)
        logs += len(waiting)
        size += sum(waiting.values())
        waits = await asyncio.gather(
            *(_overdue(pipeline, policies, partitions, base) for base in list(waiting)[:_LOGS])
        )
        oldest = max(oldest, *waits, 0)
    return Backlog(logs, size, settings.archive_backlog_bytes, oldest // 1000)


def _scored(found: Sequence[Any]) -> dict[str, int]:
    """Members of a sorted set with their scores, in both forms of the protocol."""
    rows = (
        found if found and isinstance(found[0], list | tuple) else zip(found[::2], found[1::2], strict=True)
    )
    return {text(member): int(float(score)) for member, score in rows}


async def _overdue(pipeline: Pipeline, policies: Policies, partitions: int, base: str) -> int:
    """For how many ms the first entry of a log has been older than its retention; 0 if it is not."""
    kind, tenant, _ = parse_base(base)
    found = await pipeline.call("XRANGE", Keys(partitions).of(base).key("log"), "-", "+", "COUNT", 1)
    if not found:
        return 0
    fields = _fields(found[0][1])
    notification = text(fields[b"r"]) if b"r" in fields else id_of(fields[b"n"])
    rules = policies.rules(tenant)
    if kind == "a":
        rules = rules.of_all()
    kept = rules.topics if kind == "t" else rules.keep(text(fields.get(b"c", b"")))
    if kept is None:
        return 0
    return max(0, int(time.time() * 1000) - milliseconds_of_id(notification) - kept)


def _fields(flat: Any) -> Mapping[bytes, bytes]:
    if isinstance(flat, Mapping):
        return flat
    return dict(zip(flat[::2], flat[1::2], strict=True))


async def _uncopied(pipeline: Pipeline, partitions: int, tenants: Sequence[Tenant]) -> dict[str, int]:
    places = [(partition, each.id) for each in tenants for partition in range(partitions)]
    latest: dict[str, int] = {}
    for start in range(0, len(places), _TOGETHER):
        some = places[start : start + _TOGETHER]
        times = await asyncio.gather(
            *(pipeline.call("HGET", archived(partition, tenant), "uncopied") for partition, tenant in some)
        )
        for (_, tenant), at in zip(some, times, strict=True):
            if at is not None:
                latest[tenant] = max(latest.get(tenant, 0), int(at))
    return latest
