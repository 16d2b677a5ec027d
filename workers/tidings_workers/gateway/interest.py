"""Which logs a gateway follows: holding, healing, giving up.

Interest is registered in the store before a log's head is read, so what is appended afterwards is
in a feed, or shows as a hole that is read from the log.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final

from tidings_workers import metrics
from tidings_workers.gateway.topics import Topic
from tidings_workers.store import Store
from tidings_workers.store.keys import Log
from tidings_workers.store.logs import END, Facts, Part, read

UNUSED_SECONDS: Final = 10.0
HEAL_ENTRIES: Final = 200
SWEEP_LOGS: Final = 500

Spawn = Callable[[Coroutine[Any, Any, None]], None]


class Interest:
    """The topics of one gateway.

    `healed` is told of every topic that healing moved forward, `changed` of one to which more happened
    than the feeds told.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        spawn: Spawn,
        healed: Callable[[Topic], None],
        changed: Callable[[Topic], None],
    ) -> None:
        self.topics: dict[str, Topic] = {}
        self._store = store
        self._name = name
        self._spawn = spawn
        self._healed = healed
        self._changed = changed
        self._leaving: dict[str, asyncio.Future[None]] = {}

    async def hold(self, log: Log) -> Topic:
        """The topic of a log, followed from now on; `release` gives it back."""
        await self.gone(log)
        topic = self.topics.get(log.base)
        if topic is not None:
            topic.holders += 1
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
            self.give_up(topic, error)
            raise
        self.start(topic, facts)
        return topic

    async def gone(self, log: Log) -> None:
        """Wait until an earlier interest in the log has ended, if it is just ending."""
        while (leaving := self._leaving.get(log.base)) is not None:
            await asyncio.wait([leaving])

    def new_topic(self, log: Log) -> Topic:
        """A topic with one holder, whose facts are not known yet: `start` or `give_up` follows."""
        topic = Topic(log, asyncio.get_running_loop().create_future())
        topic.holders = 1
        self.topics[log.base] = topic
        return topic

    def start(self, topic: Topic, facts: Facts) -> None:
        """The facts are known."""
        topic.start(facts)
        if topic.seen > topic.position:
            self.heal_soon(topic)

    def give_up(self, topic: Topic, error: BaseException) -> None:
        """The facts can't be had: whoever waits for them gets the error."""
        self.topics.pop(topic.log.base, None)
        if isinstance(error, Exception):
            topic.ready.set_exception(error)
            topic.ready.exception()  # Seen, also when nobody waits.
        else:
            topic.ready.cancel()

    def release(self, topic: Topic) -> None:
        """One holder less; an unused topic stays a little longer, for who comes back soon."""
        topic.holders -= 1
        if topic.holders == 0:
            topic.unused_since = time.monotonic()

    # Healing

    def heal_soon(self, topic: Topic) -> None:
        """Read what a topic missed from its log."""
        if topic.ready.done() and topic.healing is None:
            topic.healing = asyncio.get_running_loop().create_future()
            self._spawn(self._heal(topic))

    async def heal(self, topic: Topic) -> None:
        """Bring a topic to its log's end now."""
        while topic.healing is not None:
            await asyncio.wait([topic.healing])
        topic.healing = asyncio.get_running_loop().create_future()
        await self._heal(topic)

    async def _heal(self, topic: Topic) -> None:
        try:
            while True:
                wanted = topic.seen
                part = Part(topic.log.base, [topic.position, END], HEAL_ENTRIES)
                (found,) = await read(self._store.core, topic.log.partition, [part])
                for entry in found.entries:
                    if entry.position > topic.position:
                        topic.append(entry)
                # Before anything is awaited: a position that the topic has seen is a position sent.
                self._healed(topic)
                metrics.HEALED.inc(len(found.entries))
                if len(found.entries) < HEAL_ENTRIES:
                    # What is missing was taken out; what a feed lost besides is no longer found by its hole.
                    (facts,) = await self._store.feeds.watch(
                        self._name, topic.log.partition, [topic.log.base]
                    )
                    if facts.changes != topic.changes:
                        self._changed(topic)
                    topic.position = max(topic.position, found.head)
                    if topic.seen <= max(wanted, topic.position):
                        # The log has the last word: what was heard of and is not there never was.
                        topic.seen = topic.position
                        return
        finally:
            if topic.healing is not None:
                topic.healing.set_result(None)
            topic.healing = None

    async def sweep(self) -> None:
        """Find quiet tails and heal them; renews interest on the way. Raises DataLost."""
        parts: dict[int, list[Topic]] = {}
        for topic in self.topics.values():
            if topic.ready.done() and topic.healing is None:
                parts.setdefault(topic.log.partition, []).append(topic)
        await asyncio.gather(*(self._sweep(partition, topics) for partition, topics in parts.items()))

    async def _sweep(self, partition: int, topics: list[Topic]) -> None:
        for start in range(0, len(topics), SWEEP_LOGS):
            some = topics[start : start + SWEEP_LOGS]
            known = [(topic.log.base, topic.position, topic.changes) for topic in some]
            behind, changed = await self._store.feeds.unknown(self._name, partition, known)
            # The feed may have brought it meanwhile; then looking again finds nothing.
            for index in behind:
                self.heal_soon(some[index])
            for index in changed:
                self._changed(some[index])

    # Giving up

    def unused(self) -> list[Topic]:
        """Take out the topics that nobody has held for a while; `end` has to follow."""
        before = time.monotonic() - UNUSED_SECONDS
        unused = [
            topic for topic in self.topics.values() if not topic.holders and topic.unused_since < before
        ]
        self.take_out(unused)
        return unused

    def take_out(self, topics: Sequence[Topic]) -> None:
        """Follow these no longer; who wants one of them waits until `end` has been there."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for topic in topics:
            del self.topics[topic.log.base]
            self._leaving[topic.log.base] = done

    async def end(self, topics: Sequence[Topic]) -> None:
        """End the store's interest in topics that were taken out."""
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
            # Should it have failed: an append to a log that nobody here follows does no harm.
            self._let_in(topics)

    def _let_in(self, topics: Iterable[Topic]) -> None:
        for topic in topics:
            done = self._leaving.pop(topic.log.base)
            if not done.done():
                done.set_result(None)
