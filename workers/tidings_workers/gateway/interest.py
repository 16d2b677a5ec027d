"""Which logs a gateway follows: holds them, heals them, and gives them up.

Interest is registered in the store before a log's head is read. So an entry that is appended afterwards is
in a feed, or leaves a hole, and the hole is read from the log.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final

from tidings_workers import metrics
from tidings_workers.gateway.topics import Topic
from tidings_workers.store import Store
from tidings_workers.store.keys import Log
from tidings_workers.store.logs import END, Facts

UNUSED_SECONDS: Final = 10.0
HEAL_ENTRIES: Final = 200
SWEEP_LOGS: Final = 500

Spawn = Callable[[Coroutine[Any, Any, None]], None]
"""Runs a coroutine under supervision."""


class Interest:
    """The topics of one gateway.

    `healed` is called with every topic that healing moved forward, `changed` with one to which more happened
    than the feeds reported.
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
        self._leaving: dict[str, asyncio.Future[None]] = {}

    async def hold(self, log: Log) -> Topic[Any]:
        """The topic of a log, followed from now on; `release` gives it back."""
        await self.ended(log)
        topic = self.topics.get(log.base)
        if topic is not None:
            topic.hold()
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

    async def ended(self, log: Log) -> None:
        """Wait until an earlier interest in the log has been ended, if that is under way."""
        while (leaving := self._leaving.get(log.base)) is not None:
            await asyncio.wait([leaving])

    def new_topic(self, log: Log) -> Topic[Any]:
        """A topic with one holder, whose facts are not known yet: `start` or `give_up` follows."""
        topic: Topic[Any] = Topic(log, asyncio.get_running_loop().create_future())
        self.topics[log.base] = topic
        return topic

    def start(self, topic: Topic[Any], facts: Facts) -> None:
        """The facts are known."""
        topic.start(facts)
        if topic.is_behind:
            self.heal_soon(topic)

    def give_up(self, topic: Topic[Any], error: BaseException) -> None:
        """The facts cannot be read: everything that waits for them gets the error."""
        self.topics.pop(topic.log.base, None)
        if isinstance(error, Exception):
            topic.ready.set_exception(error)
            topic.ready.exception()  # Retrieved here, because nothing may be waiting.
        else:
            topic.ready.cancel()

    def release(self, topic: Topic[Any]) -> None:
        """One holder less; an unused topic is kept a little longer, for a user who reconnects soon."""
        topic.release(time.monotonic())

    # Healing

    def heal_soon(self, topic: Topic[Any]) -> None:
        """Read what a topic missed from its log."""
        if topic.ready.done() and topic.healing is None:
            topic.begin_healing()
            self._spawn(self._heal(topic))

    async def heal(self, topic: Topic[Any]) -> None:
        """Bring a topic to its log's end now."""
        while topic.healing is not None:
            await asyncio.wait([topic.healing])
        topic.begin_healing()
        await self._heal(topic)

    async def _heal(self, topic: Topic[Any]) -> None:
        try:
            while True:
                wanted = topic.heard_up_to
                found = await self._store.logs.read(topic.log, topic.position, END, HEAL_ENTRIES)
                topic.take_read(found.entries)
                # Before anything is awaited: a position that the topic has taken is a position sent.
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
                    if topic.caught_up_to(found.head, wanted):
                        return
        finally:
            topic.end_healing()

    async def sweep(self) -> None:
        """Find quiet tails and heal them; renews interest on the way. Raises DataLost."""
        parts: dict[int, list[Topic[Any]]] = {}
        for topic in self.topics.values():
            if topic.ready.done() and topic.healing is None:
                parts.setdefault(topic.log.partition, []).append(topic)
        await asyncio.gather(*(self._sweep(partition, topics) for partition, topics in parts.items()))

    async def _sweep(self, partition: int, topics: list[Topic[Any]]) -> None:
        for start in range(0, len(topics), SWEEP_LOGS):
            some = topics[start : start + SWEEP_LOGS]
            known = [(topic.log.base, topic.position, topic.changes) for topic in some]
            behind, changed = await self._store.feeds.unknown(self._name, partition, known)
            # The feed may have brought it since; then looking again finds nothing.
            for index in behind:
                self.heal_soon(some[index])
            for index in changed:
                self._changed(some[index])

    # Giving up

    def unused(self) -> list[Topic[Any]]:
        """Take out the topics that have had no holder for a while; `end` has to follow."""
        before = time.monotonic() - UNUSED_SECONDS
        unused = [topic for topic in self.topics.values() if topic.is_unused_since(before)]
        self.take_out(unused)
        return unused

    def take_out(self, topics: Sequence[Topic[Any]]) -> None:
        """Follow these no longer. A `hold` of one of them waits until `end` has run."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for topic in topics:
            del self.topics[topic.log.base]
            self._leaving[topic.log.base] = done

    async def end(self, topics: Sequence[Topic[Any]]) -> None:
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
            # If this failed, feed items of these logs still arrive. They are ignored.
            self._let_in(topics)

    def _let_in(self, topics: Iterable[Topic[Any]]) -> None:
        for topic in topics:
            done = self._leaving.pop(topic.log.base)
            if not done.done():
                done.set_result(None)
