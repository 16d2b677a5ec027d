"""All topics and users of one gateway: who is interested, what came, what is missing.

Feed items are taken in batches. Each topic turns its part of a batch into bytes once; each
connection concerned gets them queued, and everything queued for a socket goes out as one write.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from tidings.protocol.frames import Counts, Recalled
from tidings_workers import metrics
from tidings_workers.gateway.topics import Topic, User, clip
from tidings_workers.store import Store
from tidings_workers.store.feeds import Appended, Departed, FeedItem, Hidden, Removed
from tidings_workers.store.feeds import Joined as JoinedItem
from tidings_workers.store.feeds import Left as LeftItem
from tidings_workers.store.keys import Log, milliseconds
from tidings_workers.store.logs import END, Entry, Facts, Part, read

if TYPE_CHECKING:
    from tidings_workers.gateway.connection import Connection

UNUSED_SECONDS: Final = 10.0
HEAL_ENTRIES: Final = 200
SWEEP_LOGS: Final = 500
_NOBODY: Final = frozenset[str]()

Spawn = Callable[[Coroutine[Any, Any, None]], None]


class Hub:
    """The topics and users of one gateway. `spawn` runs a coroutine under supervision."""

    def __init__(self, store: Store, name: str, spawn: Spawn) -> None:
        self.store = store
        self.name = name
        self.topics: dict[str, Topic] = {}
        self.users: dict[str, User] = {}
        self.dirty: list[Connection] = []
        self._spawn = spawn
        self._leaving: dict[str, asyncio.Future[None]] = {}

    # Holding topics

    async def hold(self, log: Log) -> Topic:
        """The topic of a log, followed from now on; `release` gives it back."""
        while (leaving := self._leaving.get(log.base)) is not None:
            await asyncio.wait([leaving])
        topic = self.topics.get(log.base)
        if topic is None:
            topic = self._new_topic(log)
            topic.holders += 1
            try:
                (facts,) = await self.store.feeds.watch(self.name, log.partition, [log.base])
            except BaseException as error:
                self._give_up(topic, error)
                raise
            self._start(topic, facts)
            return topic
        topic.holders += 1
        try:
            await asyncio.shield(topic.ready)
        except BaseException:
            self.release(topic)
            raise
        return topic

    def _new_topic(self, log: Log) -> Topic:
        topic = Topic(log, asyncio.get_running_loop().create_future())
        self.topics[log.base] = topic
        return topic

    def _give_up(self, topic: Topic, error: BaseException) -> None:
        if self.topics.get(topic.log.base) is topic and not topic.ready.done():
            del self.topics[topic.log.base]
            if isinstance(error, Exception):
                topic.ready.set_exception(error)
                topic.ready.exception()  # Seen, also when nobody else waits.
            else:
                topic.ready.cancel()

    def _start(self, topic: Topic, facts: Facts) -> None:
        topic.start(facts)
        if topic.seen > topic.position:
            self.heal_soon(topic)

    def release(self, topic: Topic) -> None:
        """One holder less; an unused topic is given up by a later `sweep`."""
        topic.holders -= 1
        if topic.holders == 0:
            topic.unused_since = time.monotonic()

    async def attach(self, tenant: str, name: str, device: str | None) -> tuple[User, dict[str, int] | None]:
        """The user, held for one more connection, and the device's positions if it is known."""
        keys = self.store.core.keys
        log = keys.user(tenant, name)
        while (leaving := self._leaving.get(log.base)) is not None:
            await asyncio.wait([leaving])
        topic = self.topics.get(log.base)
        first = topic is None
        if topic is None:
            topic = self._new_topic(log)
        topic.holders += 1
        try:
            attached = await self.store.feeds.attach(self.name, log, device)
            if first:
                user = User(tenant, name, topic)
                user.memberships, user.hidden = attached.memberships, set(attached.hidden)
                former = [group for group in user.memberships if not user.is_active(group)]
                user.former = dict(
                    zip(
                        former,
                        await asyncio.gather(*(self._facts(keys.group(tenant, g)) for g in former)),
                        strict=True,
                    )
                )
                held = [keys.all(tenant), *(keys.group(tenant, group) for group in user.active())]
                await self._hold_all(held)
                self.users[log.base] = user
                self._start(topic, attached.facts)
            else:
                await asyncio.shield(topic.ready)
                if attached.facts.head > topic.position:
                    topic.seen = max(topic.seen, attached.facts.head)
                    self.heal_soon(topic)
        except BaseException as error:
            if first:
                self._give_up(topic, error)
            else:
                self.release(topic)
            raise
        return self.users[log.base], attached.device

    async def _hold_all(self, logs: Sequence[Log]) -> None:
        results = await asyncio.gather(*(self.hold(log) for log in logs), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            for result in results:
                if isinstance(result, Topic):
                    self.release(result)
            raise failures[0]

    async def _facts(self, log: Log) -> Facts:
        (part,) = await read(self.store.core, log.partition, [Part(log.base, END, END, 1)])
        return Facts(part.head, part.floor, [])

    # What the feeds bring

    def take(self, items: Iterable[FeedItem]) -> None:
        """Take a batch of feed items and queue what it makes for every connection concerned."""
        touched: dict[Topic, None] = {}
        for item in items:
            topic = self.topics.get(item.base)
            if topic is None:
                continue
            if isinstance(item, Appended):
                exclude = frozenset(item.exclude.split(",")) if item.exclude else _NOBODY
                if topic.take(Entry(item.position, item.content.encode(), item.expires, exclude)):
                    touched[topic] = None
                else:
                    self.heal_soon(topic)
                continue
            # The rest is rare, and comes after what was sent before it.
            self._flush(touched)
            touched.clear()
            self._take_change(topic, item)
        self._flush(touched)

    def _flush(self, topics: Iterable[Topic]) -> None:
        now = milliseconds()
        sent = sum(topic.flush(now) for topic in topics)
        if sent:
            metrics.DELIVERED.inc(sent)

    def _take_change(self, topic: Topic, item: FeedItem) -> None:
        user = self.users.get(item.base)
        match item:
            case Removed():
                self._recall(topic, item.position, item.id)
            case Departed():
                self._depart(topic, item)
            case JoinedItem() if user is not None:
                if user.join(item.group, item.position):
                    self._spawn(self._join(user, item.group))
            case LeftItem() if user is not None:
                self._leave(user, item.group, item.position)
            case Hidden() if user is not None:
                user.hidden.add(f"{item.log}/{item.position}")

    def _recall(self, topic: Topic, position: int, identity: str) -> None:
        if not topic.ready.done() or position > topic.position or not topic.removed(position):
            return
        for connection in topic.live:
            user = connection.user
            if self.may_see(user, topic.log, position):
                frame = Recalled(identity, topic.log.name, position, self.counts(user))
                connection.send(frame)

    async def _join(self, user: User, group: str) -> None:
        """Follow the group's log, then let the open connections start after the joining."""
        topic = await self.hold(self.store.core.keys.group(user.tenant, group))
        if not user.is_active(group) or user.topic.unused_since:
            self.release(topic)
            return
        position = user.memberships[group][-1][0]
        for connection in user.connections:
            connection.joined(topic.log.name, position)

    def _depart(self, topic: Topic, item: Departed) -> None:
        """Members left: at once, so that nothing sent afterwards reaches them."""
        group = topic.log.name.removeprefix("group:")
        gone = set(item.users)
        users = dict.fromkeys(connection.user for connection in topic.live)
        for user in users:
            joined = user.memberships.get(group, [(END, -1)])[-1][0]
            if (not gone or user.name in gone) and joined < item.position:
                self._leave(user, group, item.position)

    def _leave(self, user: User, group: str, position: int) -> None:
        if not user.leave(group, position):
            return
        topic = self.topics.get(self.store.core.keys.group(user.tenant, group).base)
        if topic is None:
            return
        user.former[group] = topic.facts
        for connection in user.connections:
            topic.live.pop(connection, None)
            connection.left(topic.log.name, position)
        self.release(topic)

    # Facts of a user

    def all_topic(self, user: User) -> Topic:
        """The topic of what is sent to everybody; held as long as the user is."""
        return self.topics[self.store.core.keys.all(user.tenant).base]

    def topic_of(self, user: User, name: str) -> Topic | None:
        """The topic of a user's log by its name; None when it is not held (a former group's)."""
        if name == "user":
            return user.topic
        if name == "all":
            return self.all_topic(user)
        group = name.removeprefix("group:")
        if not user.is_active(group):
            return None
        return self.topics.get(self.store.core.keys.group(user.tenant, group).base)

    def end(self, user: User, name: str) -> int:
        """The last position of a log that the user may see by now."""
        topic = self.topic_of(user, name)
        if topic is not None:
            return topic.position if topic.ready.done() else 0
        intervals = user.memberships.get(name.removeprefix("group:"))
        return max(intervals[-1]) if intervals else 0

    def spans(self, user: User, name: str, after: int, up_to: int) -> list[tuple[int, int]]:
        """The parts of a log that the user may see, `after` < position <= `up_to`."""
        if name.startswith("group:"):
            return clip(user.memberships.get(name.removeprefix("group:"), []), after, up_to)
        return [(after, up_to)] if after < up_to else []

    def may_see(self, user: User, log: Log, position: int) -> bool:
        """Whether a position of a log is (or was) the user's."""
        if f"{log.base}/{position}" in user.hidden:
            return False
        return bool(self.spans(user, log.name, position - 1, position))

    def names(self, user: User) -> list[str]:
        """Every log of a user."""
        return ["user", "all", *(f"group:{group}" for group in user.memberships)]

    def facts(self, user: User, name: str) -> Facts:
        """The arithmetic of one of the user's logs."""
        topic = self.topic_of(user, name)
        if topic is not None:
            return topic.facts
        return user.former.get(name.removeprefix("group:"), Facts(0, 0, []))

    def counts(self, user: User) -> Counts:
        """How much there is in the user's inbox. All of it is unseen: no state is kept yet."""
        total = version = 0
        bases: dict[str, str] = {}
        for name in self.names(user):
            facts, end = self.facts(user, name), self.end(user, name)
            total += sum(facts.between(*span) for span in self.spans(user, name, 0, end))
            version += end + len(facts.holes)
            bases[self._log(user, name).base] = name
        for mark in user.hidden:
            base, position = mark.rsplit("/", 1)
            name_of = bases.get(base)
            if name_of is not None:
                facts = self.facts(user, name_of)
                inside = self.spans(user, name_of, int(position) - 1, int(position))
                total -= sum(facts.between(*span) for span in inside)
        return Counts(max(total, 0), max(total, 0), version + len(user.hidden))

    def _log(self, user: User, name: str) -> Log:
        keys = self.store.core.keys
        if name == "user":
            return user.topic.log
        return (
            keys.all(user.tenant) if name == "all" else keys.group(user.tenant, name.removeprefix("group:"))
        )

    def log(self, user: User, name: str) -> Log:
        """One of the user's logs by its name."""
        return self._log(user, name)

    # Healing

    def heal_soon(self, topic: Topic) -> None:
        """Read what a topic missed from its log."""
        if topic.ready.done() and not topic.healing:
            topic.healing = True
            self._spawn(self._heal(topic))

    async def heal(self, topic: Topic) -> None:
        """Bring a topic to its log's end now."""
        if not topic.healing:
            topic.healing = True
            await self._heal(topic)

    async def _heal(self, topic: Topic) -> None:
        try:
            while True:
                wanted = topic.seen
                part = Part(topic.log.base, topic.position, END, HEAL_ENTRIES)
                (found,) = await read(self.store.core, topic.log.partition, [part])
                for entry in found.entries:
                    if entry.position > topic.position:
                        topic.append(entry)
                self._flush([topic])
                self.write()
                metrics.HEALED.inc(len(found.entries))
                if len(found.entries) < HEAL_ENTRIES:
                    # What is missing at the end was recalled; the facts say so.
                    (facts,) = await self.store.feeds.watch(self.name, topic.log.partition, [topic.log.base])
                    topic.holes, topic.floor = facts.holes, facts.floor
                    topic.position = max(topic.position, found.head)
                    if topic.seen <= max(wanted, topic.position):
                        # The log has the last word: what was heard of and is not there never was.
                        topic.seen = topic.position
                        return
        finally:
            topic.healing = False

    async def sweep(self) -> None:
        """Heal quiet tails, renew interest, and give up what nobody uses any more."""
        parts: dict[int, list[Topic]] = {}
        for topic in self.topics.values():
            if topic.ready.done() and not topic.healing:
                parts.setdefault(topic.log.partition, []).append(topic)
        await asyncio.gather(*(self._sweep(partition, topics) for partition, topics in parts.items()))
        await self._give_up_unused()

    async def _sweep(self, partition: int, topics: list[Topic]) -> None:
        for start in range(0, len(topics), SWEEP_LOGS):
            some = topics[start : start + SWEEP_LOGS]
            known = [(topic.log.base, topic.position) for topic in some]
            for index in await self.store.feeds.behind(self.name, partition, known):
                # It may have caught up through its feed meanwhile; then healing finds nothing.
                self.heal_soon(some[index])

    def forget(self) -> None:
        """Drop everything: it belonged to data that is gone. The connections are closed already."""
        self.topics.clear()
        self.users.clear()

    async def _give_up_unused(self) -> None:
        before = time.monotonic() - UNUSED_SECONDS
        unused = [
            topic for topic in self.topics.values() if not topic.holders and 0 < topic.unused_since < before
        ]
        for topic in unused:
            base = topic.log.base
            del self.topics[base]
            user = self.users.pop(base, None)
            if user is not None:
                self._release_logs(user)
        parts: dict[int, list[str]] = {}
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for topic in unused:
            self._leaving[topic.log.base] = done
            parts.setdefault(topic.log.partition, []).append(topic.log.base)
        try:
            await asyncio.gather(
                *(self.store.feeds.unwatch(self.name, partition, bases) for partition, bases in parts.items())
            )
        finally:
            for topic in unused:
                del self._leaving[topic.log.base]
            done.set_result(None)

    def _release_logs(self, user: User) -> None:
        for name in self.names(user)[1:]:
            topic = self.topic_of(user, name)
            if topic is not None:
                self.release(topic)

    # Writing

    def write(self) -> None:
        """Write everything queued, one write per socket."""
        dirty, self.dirty = self.dirty, []
        for connection in dirty:
            connection.write_queue()
