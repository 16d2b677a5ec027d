"""All topics and users of one gateway: what came, for whom, and what is missing.

Feed items are taken in batches. Each topic turns its part of a batch into bytes once; each
connection concerned gets them queued, and everything queued for a socket goes out as one write.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from tidings.protocol.frames import Counts, Recalled, Resume
from tidings_workers import metrics
from tidings_workers.gateway.interest import Interest, Spawn
from tidings_workers.gateway.topics import Topic
from tidings_workers.gateway.users import User
from tidings_workers.store import SessionRefused, StorageUnavailable, Store
from tidings_workers.store.feeds import (
    Appended,
    Arrival,
    Attached,
    Departed,
    FeedItem,
    Hidden,
    Kicked,
    Removed,
)
from tidings_workers.store.feeds import Joined as JoinedItem
from tidings_workers.store.feeds import Left as LeftItem
from tidings_workers.store.keys import Log, milliseconds
from tidings_workers.store.logs import END, Entry, Facts, Part, read

if TYPE_CHECKING:
    from tidings_workers.gateway.connection import Connection

_NOBODY: Final = frozenset[str]()


class Hub:
    """The topics and users of one gateway.

    `spawn` runs a coroutine under supervision; `kicked` closes connections that the store let go of.
    """

    def __init__(self, store: Store, name: str, spawn: Spawn, kicked: Callable[[Kicked], None]) -> None:
        self.store = store
        self.users: dict[str, User] = {}
        # Connections on their way to the present: live on no topic.
        self.catching_up: dict[Connection, None] = {}
        self.dirty: list[Connection] = []
        self.interest = Interest(
            store, name, spawn, self._healed, lambda topic: spawn(self._look_again(topic))
        )
        self._name = name
        self._spawn = spawn
        self._kicked = kicked
        # Groups that could not be followed because the storage was away.
        self._unfollowed: dict[tuple[User, str], None] = {}

    # Users

    async def attach(
        self, tenant: str, name: str, device: str | None, arrival: Arrival
    ) -> tuple[User, Resume | None]:
        """The user, held for one more connection, and where the device stands if it is known.

        Raises SessionRefused when the tenant allows the user no further connection.
        """
        log = self.store.core.keys.user(tenant, name)
        await self.interest.gone(log)
        topic = self.interest.topics.get(log.base)
        if topic is None:
            return await self._attach_first(log, tenant, name, device, arrival)
        topic.holders += 1
        try:
            attached = await self.store.feeds.attach(self._name, log, device, arrival)
            await asyncio.shield(topic.ready)
        except BaseException:
            self.interest.release(topic)
            raise
        self._admit(topic, attached)
        if attached.facts.head > topic.position:
            topic.seen = max(topic.seen, attached.facts.head)
            self.interest.heal_soon(topic)
        return self.users[log.base], attached.device

    async def _attach_first(
        self, log: Log, tenant: str, name: str, device: str | None, arrival: Arrival
    ) -> tuple[User, Resume | None]:
        topic = self.interest.new_topic(log)
        # There before its memberships are read, so that no change of them is missed.
        user = self.users[log.base] = User(tenant, name, topic)
        try:
            attached = await self.store.feeds.attach(self._name, log, device, arrival)
            user.memberships, user.hidden = attached.memberships, set(attached.hidden)
            waiting, user.waiting = user.waiting or (), None
            for item in waiting:
                self._learn(user, item)
            await self._follow_logs(user)
        except BaseException as error:
            del self.users[log.base]
            self.interest.give_up(topic, error)
            raise
        self.interest.start(topic, attached.facts)
        self._admit(topic, attached)
        return user, attached.device

    def _admit(self, topic: Topic, attached: Attached) -> None:
        if not attached.admitted:
            self.interest.release(topic)
            raise SessionRefused

    @staticmethod
    def _learn(user: User, item: FeedItem) -> None:
        """Take a change that came while the memberships were being read."""
        match item:
            case JoinedItem():
                user.join(item.group, item.position)
            case LeftItem():
                user.leave(item.group, item.position)
            case Hidden():
                user.hidden.add(f"{item.log}/{item.position}")

    async def _follow_logs(self, user: User) -> None:
        keys = self.store.core.keys
        user.all = await self.interest.hold(keys.all(user.tenant))
        groups = list(user.memberships)
        results = await asyncio.gather(
            *(
                self._follow(user, group) if user.is_active(group) else self._look(user, group)
                for group in groups
            ),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                self._release_logs(user)
                raise result

    async def _look(self, user: User, group: str) -> None:
        log = self.store.core.keys.group(user.tenant, group)
        (part,) = await read(self.store.core, log.partition, [Part(log.base, END, END, 1)])
        user.former[group] = Facts(part.head, part.floor, [])

    async def _follow(self, user: User, group: str) -> None:
        """Follow the log of a group that the user is in, and tell the open connections."""
        topic = await self.interest.hold(self.store.core.keys.group(user.tenant, group))
        if not user.is_active(group) or group in user.groups:
            # It was left meanwhile, or an earlier joining was faster.
            self.interest.release(topic)
            return
        user.groups[group] = topic
        user.former.pop(group, None)
        position = user.memberships[group][-1][0]
        for connection in list(user.connections):
            connection.joined(topic.log.name, position)

    async def _join(self, user: User, group: str) -> None:
        try:
            await self._follow(user, group)
        except StorageUnavailable:
            self._unfollowed[user, group] = None

    def _leave(self, user: User, group: str, position: int) -> None:
        if not user.leave(group, position):
            return
        topic = user.groups.pop(group, None)
        if topic is None:
            return
        user.former[group] = topic.facts
        for connection in list(user.connections):
            topic.live.pop(connection, None)
            connection.left(topic.log.name, position)
        self.interest.release(topic)

    def _release_logs(self, user: User) -> None:
        self.interest.release(user.all)
        for topic in user.groups.values():
            self.interest.release(topic)
        user.groups.clear()

    async def sweep(self) -> None:
        """Heal quiet tails, renew interest, and give up what nobody uses any more."""
        unfollowed, self._unfollowed = self._unfollowed, {}
        for user, group in unfollowed:
            if self.users.get(user.topic.log.base) is user and user.is_active(group):
                self._spawn(self._join(user, group))
        await self.interest.sweep()
        unused = self.interest.unused()
        for topic in unused:
            user_gone = self.users.pop(topic.log.base, None)
            if user_gone is not None:
                self._release_logs(user_gone)
        await self.interest.end(unused)

    def forget(self) -> None:
        """Drop everything: it belonged to data that is gone. The connections are closed already."""
        self.interest.topics.clear()
        self.users.clear()
        self._unfollowed.clear()

    # What the feeds bring

    def take(self, items: Iterable[FeedItem]) -> None:
        """Take a batch of feed items and queue what it makes for every connection concerned."""
        touched: dict[Topic, None] = {}
        for item in items:
            if isinstance(item, Kicked):
                self._kicked(item)
                continue
            topic = self.interest.topics.get(item.base)
            if topic is None:
                continue
            if isinstance(item, Appended):
                exclude = frozenset(item.exclude.split(",")) if item.exclude else _NOBODY
                if topic.take(Entry(item.position, item.content.encode(), item.expires, exclude)):
                    touched[topic] = None
                else:
                    self.interest.heal_soon(topic)
                continue
            # The rest is rare, and comes after what was sent before it.
            self._flush(touched)
            touched.clear()
            topic.changes += not isinstance(item, Departed)
            self._take_change(topic, item)
        self._flush(touched)

    def _flush(self, topics: Iterable[Topic]) -> None:
        now = milliseconds()
        sent = sum(topic.flush(now) for topic in topics)
        if sent:
            metrics.DELIVERED.inc(sent)

    def _take_change(self, topic: Topic, item: FeedItem) -> None:
        user = self.users.get(item.base)
        if user is not None and user.waiting is not None and not isinstance(item, Removed):
            user.waiting.append(item)
            return
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

    async def _look_again(self, topic: Topic) -> None:
        """A feed lost a change: read from the store what it was."""
        user = self.users.get(topic.log.base)
        if user is None:
            (facts,) = await self.store.feeds.watch(self._name, topic.log.partition, [topic.log.base])
            topic.correct(facts)
        elif user.waiting is None:
            # What comes meanwhile may be newer than what is read.
            user.waiting = []
            try:
                attached = await self.store.feeds.attach(self._name, topic.log, None)
                topic.correct(attached.facts)
                user.hidden.update(attached.hidden)
                for group, intervals in attached.memberships.items():
                    self._correct(user, group, intervals)
                for group in user.memberships.keys() - attached.memberships.keys():
                    self._correct(user, group, [])
            finally:
                waiting, user.waiting = user.waiting, None
                for item in waiting:
                    self._take_change(topic, item)

    def _correct(self, user: User, group: str, intervals: list[tuple[int, int]]) -> None:
        """The store has the last word on a membership."""
        known = user.memberships.get(group, [])
        if known == intervals:
            return
        if user.is_active(group):
            start = known[-1][0]
            end = dict(intervals).get(start, start)
            if end >= 0:
                self._leave(user, group, end)
        if not intervals:
            return
        was_active = user.is_active(group)
        user.memberships[group] = intervals
        if user.is_active(group) and not was_active:
            self._spawn(self._join(user, group))

    def _recall(self, topic: Topic, position: int, identity: str) -> None:
        if not topic.ready.done() or position > topic.position or not topic.removed(position):
            return
        name = topic.log.name
        for connection in [*topic.live, *self.catching_up]:
            user = connection.user
            if user.followed(name) is not topic or connection.cursor(name) < position:
                continue
            hidden = f"{topic.log.base}/{position}" in user.hidden
            if user.spans(name, position - 1, position) and not hidden:
                connection.send(Recalled(identity, name, position, self.counts(user)))

    def _depart(self, topic: Topic, item: Departed) -> None:
        """Members left: at once, so that nothing sent afterwards reaches them."""
        group = topic.log.name.removeprefix("group:")
        for user in self._departed(topic, item.users):
            # At the same position it may be older than a new joining; then `Left` decides.
            if user.is_active(group) and user.memberships[group][-1][0] < item.position:
                self._leave(user, group, item.position)

    def _departed(self, topic: Topic, names: list[str]) -> Iterator[User]:
        tenant = topic.log.base.split("/")[1]
        if not names:
            group = topic.log.name.removeprefix("group:")
            yield from [user for user in self.users.values() if user.groups.get(group) is topic]
        for name in names:
            user = self.users.get(self.store.core.keys.user(tenant, name).base)
            if user is not None:
                yield user

    def _healed(self, topic: Topic) -> None:
        """What healing took goes out."""
        self._flush([topic])
        self.write()

    def counts(self, user: User) -> Counts:
        """How much there is in the user's inbox. All of it is unseen: no state is kept yet."""
        total = version = 0
        bases: dict[str, str] = {}
        for name in user.names():
            facts, end = user.facts(name), user.end(name)
            total += sum(facts.between(*span) for span in user.spans(name, 0, end))
            version += end + len(facts.holes)
            bases[self.log(user, name).base] = name
        for mark in user.hidden:
            base, position = mark.rsplit("/", 1)
            name_of = bases.get(base)
            if name_of is not None:
                facts = user.facts(name_of)
                inside = user.spans(name_of, int(position) - 1, int(position))
                total -= sum(facts.between(*span) for span in inside)
        return Counts(max(total, 0), max(total, 0), version + len(user.hidden))

    def log(self, user: User, name: str) -> Log:
        """One of the user's logs by its name."""
        topic = user.followed(name)
        if topic is not None:
            return topic.log
        return self.store.core.keys.group(user.tenant, name.removeprefix("group:"))

    # Writing

    def write(self) -> None:
        """Write everything queued, one write per socket."""
        dirty, self.dirty = self.dirty, []
        for connection in dirty:
            connection.write_queue()
