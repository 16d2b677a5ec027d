"""The logs that a gateway follows: acquires, heals and releases their topics.

Interest is registered in the store before the head of a log is read. So each entry
after that head is in the feed. If the feed loses one, its position is missing, and the log is read.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final

from tidings_workers import metrics
from tidings_workers.gateway.topics import Topic
from tidings_workers.store import Store
from tidings_workers.store.entries import END, Facts
from tidings_workers.store.keys import Log

UNUSED_SECONDS: Final = 10.0
HEAL_ENTRIES: Final = 200
SWEEP_LOGS: Final = 500

Spawn = Callable[[Coroutine[Any, Any, None]], None]
"""Runs a coroutine in the background, under supervision."""


class Interest:
    """The topics of one gateway.

    `healed` is called with each topic to which healing appended entries, `changed` with each topic that had
    changes which the feeds did not report.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        spawn: Spawn,
        healed: Callable[[Topic[Any]], None],
        changed: Callable[[Topic[Any]], None],
    ) -> None:
        self.topics: dict[str, Topic[Any]] = {}
        self._store = store
        self._name = name
        self._spawn = spawn
        self._healed = healed
        self._changed = changed
        self._unwatching: dict[str, asyncio.Future[None]] = {}

    async def acquire(self, log: Log) -> Topic[Any]:
        """Follow a log: its topic, to be given back with `release`. Raises StorageUnavailable."""
        await self.wait_unwatched(log)
        topic = self.topics.get(log.base)
        if topic is not None:
            topic.acquire()
            try:
                await asyncio.shield(topic.ready)
            except BaseException:
                self.release(topic)
                raise
            return topic
        topic = self.new_topic(log)
        try:
            (facts,) = await self._store.feeds.watch(self._name, log.partition, [log.base])
        except BaseException as error:
            self.fail(topic, error)
            raise
        self.start(topic, facts)
        return topic

    async def wait_unwatched(self, log: Log) -> None:
        """Wait until the store has removed an earlier interest in the log, if that is in progress."""
        while (unwatching := self._unwatching.get(log.base)) is not None:
            await asyncio.wait([unwatching])

    def new_topic(self, log: Log) -> Topic[Any]:
        """A topic with one use, whose facts are not read yet: `start` or `fail` follows."""
        topic: Topic[Any] = Topic(log, asyncio.get_running_loop().create_future())
        self.topics[log.base] = topic
        return topic

    def start(self, topic: Topic[Any], facts: Facts) -> None:
        """Start a topic with the facts of its log."""
        topic.start(facts)
        if topic.is_behind:
            self.heal_soon(topic)

    def fail(self, topic: Topic[Any], error: BaseException) -> None:
        """Remove a topic whose facts cannot be read; every waiting `acquire` raises the error."""
        self.topics.pop(topic.log.base, None)
        topic.fail(error)

    def release(self, topic: Topic[Any]) -> None:
        """Undo one `acquire`. An unused topic stays UNUSED_SECONDS, for a user who reconnects soon."""
        topic.release(time.monotonic())

    # Healing

    def heal_soon(self, topic: Topic[Any]) -> None:
        """Like `heal`, but in the background. Does nothing while the topic is new or is healing."""
        if topic.ready.done() and topic.healing is None:
            topic.start_healing()
            self._spawn(self._read_missing(topic))

    async def heal(self, topic: Topic[Any]) -> None:
        """Read the entries that a topic missed; the topic has reached the head of its log on return."""
        while topic.healing is not None:
            await asyncio.wait([topic.healing])
        topic.start_healing()
        await self._read_missing(topic)

    async def _read_missing(self, topic: Topic[Any]) -> None:
        try:
            while True:
                wanted = topic.reported_head
                found = await self._store.logs.read(topic.log, topic.position, END, HEAL_ENTRIES)
                topic.append_read(found.entries)
                # No await between `append_read` and this flush. Otherwise a subscriber could become live with
                # entries pending.
                self._healed(topic)
                metrics.HEALED.inc(len(found.entries))
                if len(found.entries) < HEAL_ENTRIES:
                    # Entries missing from the log were removed. Changes that the feed lost leave no gap in
                    # positions, so compare the change counters.
                    (facts,) = await self._store.feeds.watch(
                        self._name, topic.log.partition, [topic.log.base]
                    )
                    if facts.changes != topic.changes:
                        self._changed(topic)
                    if topic.finish_read(found.head, wanted):
                        return
        finally:
            topic.finish_healing()

    async def sweep(self) -> None:
        """Compare all topics with their logs: heal those behind, report those changed, renew interest.

        Raises DataLost when a log is shorter than its topic, and StorageUnavailable.
        """
        parts: dict[int, list[Topic[Any]]] = {}
        for topic in self.topics.values():
            if topic.ready.done() and topic.healing is None:
                parts.setdefault(topic.log.partition, []).append(topic)
        await asyncio.gather(*(self._sweep(partition, topics) for partition, topics in parts.items()))

    async def _sweep(self, partition: int, topics: list[Topic[Any]]) -> None:
        for start in range(0, len(topics), SWEEP_LOGS):
            some = topics[start : start + SWEEP_LOGS]
            known = [(topic.log.base, topic.position, topic.changes) for topic in some]
            behind, changed = await self._store.feeds.compare(self._name, partition, known)
            # A feed item may have arrived since; then healing finds nothing.
            for index in behind:
                self.heal_soon(some[index])
            for index in changed:
                self._changed(some[index])

    # Releasing

    def remove_unused(self) -> list[Topic[Any]]:
        """Remove the topics that were unused for UNUSED_SECONDS; the caller calls `unwatch` with them."""
        before = time.monotonic() - UNUSED_SECONDS
        unused = [topic for topic in self.topics.values() if topic.is_unused_since(before)]
        self.remove(unused)
        return unused

    def remove(self, topics: Sequence[Topic[Any]]) -> None:
        """Remove topics. An `acquire` of one of them waits until `unwatch` has run."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for topic in topics:
            del self.topics[topic.log.base]
            self._unwatching[topic.log.base] = done

    async def unwatch(self, topics: Sequence[Topic[Any]]) -> None:
        """Remove the store's interest in topics that were removed here."""
        parts: dict[int, list[str]] = {}
        for topic in topics:
            parts.setdefault(topic.log.partition, []).append(topic.log.base)
        try:
            await asyncio.gather(
                *(
                    self._store.feeds.unwatch(self._name, partition, bases)
                    for partition, bases in parts.items()
                )
            )
        finally:
            # After an error, feed items of these logs still arrive. They are ignored.
            self._finish_unwatch(topics)

    def _finish_unwatch(self, topics: Iterable[Topic[Any]]) -> None:
        for topic in topics:
            done = self._unwatching.pop(topic.log.base)
            if not done.done():
                done.set_result(None)
