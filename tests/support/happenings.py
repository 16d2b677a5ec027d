"""Reading the events of the tenant `demo` from a store."""

import json
from typing import Any

from tidings.protocol.events import EVENT_TYPES
from tidings_workers.store import Store

ALL = frozenset(EVENT_TYPES)


async def happened(store: Store, *types: str) -> list[tuple[str, dict[str, Any]]]:
    """Type and data of every event that is kept, of these types or of all."""
    found, after = [], None
    while True:
        batch = await store.events.read("demo", after, frozenset(types), 1000)
        found += [(event.type, json.loads(event.data)) for event in batch.events]
        if not batch.more:
            return found
        after = batch.positions
