"""Moving old entries into the archive, and reading lists whole."""

from typing import Any

import msgspec

from tidings_workers.archiver.mover import Mover
from tidings_workers.store import InboxItem, InboxQuery, Store, StoredNotification
from tidings_workers.store.ids import milliseconds

DAY = 86_400_000


class History:
    """The sweep and the archiver of a store, at a time that a test sets."""

    def __init__(self, store: Store) -> None:
        assert store.archive is not None
        self.store = store
        self.archive = store.archive

    async def sweep(self, days: float) -> None:
        """Sweep all partitions as if so many days had passed."""
        now = milliseconds() + int(days * DAY)
        for partition in range(self.store.partitions):
            while bases := await self.store.retention.due(partition, now=now):
                await self.store.retention.sweep(partition, bases, now=now)

    async def move(self, days: float) -> int:
        """Sweep, then move the entries that are too old in so many days. Returns the number."""
        await self.sweep(days)
        now = milliseconds() + int(days * DAY)
        movers = [Mover(self.store, self.archive, partition) for partition in range(self.store.partitions)]
        return sum([await mover.move(now=now) for mover in movers])

    async def live(self) -> int:
        """How many entries the logs in Redis have."""
        keys = [key async for key in self.store.redis.scan_iter(match="*/log")]
        return sum([await self.store.redis.xlen(key) for key in keys])


async def pages(store: Store, user: str, *, limit: int = 7, **query: Any) -> list[InboxItem]:
    """All items of a list of a user of `demo`, page by page, and then back from the last page."""
    found: list[InboxItem] = []
    cursor = None
    last = None
    while True:
        page = await store.inbox.page("demo", user, InboxQuery(limit=limit, **query), cursor)
        assert page.complete
        found += page.items
        last = page
        if page.next is None:
            break
        cursor = page.next
    back = list(last.items)
    while last.previous is not None:
        last = await store.inbox.page("demo", user, InboxQuery(limit=limit, **query), last.previous)
        back = [*last.items, *back]
    assert [item.position for item in back] == [item.position for item in found]
    return found


def titles(items: list[InboxItem] | list[StoredNotification]) -> list[str]:
    """The titles of items."""
    return [msgspec.json.decode(item.content)["title"] for item in items]
