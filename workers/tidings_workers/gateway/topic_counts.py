"""Adds up what connections acknowledged of topics, and how many are subscribed, and stores the sums.

The acknowledgements of all connections become intervals of positions with a number each, so storing them does
not depend on how many connections there are.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from tidings_workers.store import StorageUnavailable
from tidings_workers.store.keys import Log
from tidings_workers.store.topics import Acknowledged, Count, Topics, counts

# How many calls may wait for the storage; in a longer outage the oldest are dropped.
WAITING_COUNTS: Final = 1_000


class TopicCounts:
    """The counts of one gateway that are not stored yet."""

    def __init__(self, topics: Topics, name: str, partitions: int) -> None:
        self._topics = topics
        self._name = name
        self._partitions = partitions
        # Subscriptions by topic, and the topics whose number has changed since it was stored.
        self._subscribers: Counter[Log] = Counter()
        self._changed: set[Log] = set()
        # By topic: where the number of acknowledgements rises (or falls) from one position to the next.
        self._steps: dict[Log, Counter[int]] = {}
        self._waiting: dict[int, deque[Count]] = {}
        self._number = 0
        self._turn = 0
        self._storing = asyncio.Lock()

    def subscribed(self, log: Log) -> None:
        """A connection was subscribed to a topic."""
        self._subscribers[log] += 1
        self._changed.add(log)

    def unsubscribed(self, log: Log) -> None:
        """The subscription of a connection has ended."""
        self._subscribers[log] -= 1
        if not self._subscribers[log]:
            del self._subscribers[log]
        self._changed.add(log)

    def acknowledged(self, log: Log, after: int, up_to: int) -> None:
        """A connection acknowledged the positions `after` < p <= `up_to` of a topic, for the first time."""
        steps = self._steps.setdefault(log, Counter())
        steps[after] += 1
        steps[up_to] -= 1

    def repeat(self) -> None:
        """Store the numbers of the next partition again, because the store may have lost them."""
        self._turn = (self._turn + 1) % self._partitions
        self._changed.update(log for log in self._subscribers if log.partition == self._turn)

    async def flush(self) -> None:
        """Store everything. On StorageUnavailable it is kept for the next call."""
        async with self._storing:
            await self._store_subscribers()
            steps, self._steps = self._steps, {}
            found = [each for log, changes in steps.items() for each in _intervals(log, changes)]
            for count in counts(found, self._number + 1):
                self._number = count.number
                self._waiting.setdefault(count.partition, deque(maxlen=WAITING_COUNTS)).append(count)
            await asyncio.gather(*map(self._count, list(self._waiting)))

    async def _store_subscribers(self) -> None:
        changed, self._changed = self._changed, set()
        if not changed:
            return
        try:
            # A Counter has 0 for a topic without subscriptions.
            await self._topics.count_subscribers(self._name, {log: self._subscribers[log] for log in changed})
        except StorageUnavailable:
            self._changed |= changed
            raise

    async def _count(self, partition: int) -> None:
        waiting = self._waiting[partition]
        while waiting:
            # A call that may have been carried out is repeated with its number, so it counts once.
            await self._topics.count(self._name, waiting[0])
            waiting.popleft()
        del self._waiting[partition]


def _intervals(log: Log, steps: Counter[int]) -> Iterator[Acknowledged]:
    """The intervals between steps in which some connections acknowledged."""
    connections = 0
    for after, up_to in pairwise(sorted(steps)):
        connections += steps[after]
        if connections:
            yield Acknowledged(log, after, up_to, connections)
