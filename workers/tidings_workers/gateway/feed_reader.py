"""Reads the feeds of a gateway and keeps them from expiring."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from tidings_workers.store import Store
from tidings_workers.store.feed_items import FeedItem, decode_feed
from tidings_workers.store.keys import feed

FEED_ENTRIES: Final = 200


class FeedReader:
    """The feeds of one gateway, one for each partition.

    `process` gets the items of each entry, in order; `processed` is called after each read.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        process: Callable[[Iterable[FeedItem]], None],
        processed: Callable[[], None],
    ) -> None:
        self._store = store
        self._name = name
        self._process = process
        self._processed = processed
        # The id of the last entry that was read, by the partition of the feed.
        self._ids = dict.fromkeys(range(store.partitions), "0")

    async def open(self, partitions: Sequence[int] | None = None) -> None:
        """Create the feeds of these partitions, or of all; they are read from their start."""
        chosen = list(self._ids) if partitions is None else partitions
        await self._store.feeds.open(self._name, chosen)
        for partition in chosen:
            self._ids[partition] = "0"

    async def read(self, partitions: Sequence[int]) -> None:
        """Process the feed items of these partitions, in batches, until cancelled."""
        reader = self._store.reader(f"feed-{partitions[0]}")
        keys = {feed(partition, self._name): partition for partition in partitions}
        try:
            while True:
                wanted = {key: self._ids[partition] for key, partition in keys.items()}
                streams = await reader.read(wanted, FEED_ENTRIES)
                for key, entries in streams.items():
                    for _, fields in entries:
                        self._process(decode_feed(fields[b"f"]))
                    self._ids[keys[key]] = entries[-1][0].decode()
                self._processed()
        finally:
            await reader.close()

    async def renew(self) -> list[int]:
        """Renew the feeds before they expire. Returns the partitions whose feeds were lost."""
        return await self._store.feeds.renew(self._name, self._ids)
