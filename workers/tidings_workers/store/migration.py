"""Taking over the data of the previous layout, when a part opens the store. Each step may be repeated.

Layout 2 had a record for each notification, and a set of gateways per log. Both remain readable or are not
needed: gateways register their interest again. But a send is now accepted once by its id in the hashes of
accepted ids, so the ids that a repeated request may still name are added there.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, Protocol

from tidings.protocol import limits
from tidings_workers.logs import get_logger
from tidings_workers.store.bases import parse_base
from tidings_workers.store.errors import StorageUnavailable
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.keys import (
    DISPATCHERS,
    GATEWAYS,
    LAYOUT,
    META,
    accepted,
    due,
    key_of,
    tenant_sends,
)
from tidings_workers.store.packing import text

PREVIOUS: Final = "2"
# A dispatcher that stopped without notice counts for 3 s, and a gateway until its feeds expire.
_SILENT_MS: Final = 15_000
# A claim of an idempotency key lives as long; one hour for clocks that differ.
_REPEATED_MS: Final = (limits.IDEMPOTENCY_KEPT_SECONDS + 3_600) * 1000
_PAGE: Final = 500

_log = get_logger(__name__)


class Call(Protocol):
    """Issues one command (`Pipeline.call`)."""

    def __call__(self, *arguments: str | bytes | int) -> Awaitable[Any]:
        """The reply of a command."""


async def migrate(call: Call, partitions: int) -> None:
    """Make the data of layout 2 those of this layout.

    Raises StorageUnavailable while parts of the earlier version run: they would write in the former layout.
    """
    now = milliseconds()
    running = [
        text(name)
        for key in (GATEWAYS, DISPATCHERS)
        for name in await call("ZRANGE", key, now - _SILENT_MS, "+inf", "BYSCORE")
    ]
    if running:
        message = f"Parts of an earlier version use the store: {', '.join(running)}."
        raise StorageUnavailable(message, "older-parts")
    for partition in range(partitions):
        await _migrate_partition(call, partition, now)
    await call("HSET", META, "layout", LAYOUT)
    _log.info("store migrated", layout=LAYOUT)


async def _migrate_partition(call: Call, partition: int, now: int) -> None:
    start = 0
    while bases := [text(base) for base in await call("ZRANGE", due(partition), start, start + _PAGE - 1)]:
        start += len(bases)
        tenants = [parse_base(base).tenant for base in bases if base.startswith("s/")]
        logs = [base for base in bases if not base.startswith("s/")]
        if logs:
            await call("UNLINK", *(f"{key_of(partition, base)}/gateways" for base in logs))
        for tenant in tenants:
            await _keep_ids(call, partition, tenant, f"{now - _REPEATED_MS}-0")


async def _keep_ids(call: Call, partition: int, tenant: str, start: str) -> None:
    """Add the ids of a tenant's sends to those that were accepted, from an entry of its list on."""
    while entries := await call("XRANGE", tenant_sends(partition, tenant), start, "+", "COUNT", _PAGE):
        ids = [_id_of(fields) for _, fields in entries]
        await asyncio.gather(*(call("HSETNX", accepted(partition, tenant, id_), id_, "") for id_ in ids))
        start = f"({text(entries[-1][0])}"


def _id_of(fields: Any) -> str:
    values = fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))
    return text(values[b"i"])
