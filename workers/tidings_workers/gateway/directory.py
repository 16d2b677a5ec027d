"""The users that a gateway has, and the logs that it follows for them.

A user is attached with the first connection and kept a little after the last. What of the user's slot
changes comes through the feeds; what a feed lost is read again.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from tidings.protocol import closing
from tidings.protocol.frames import Resume
from tidings_workers.gateway.interest import Interest, Spawn
from tidings_workers.gateway.topics import Topic
from tidings_workers.gateway.users import User
from tidings_workers.store import Change, SessionRefused, StorageUnavailable, Store
from tidings_workers.store.feeds import (
    Arrival,
    Attached,
    Departed,
    Erased,
    FeedItem,
    Hidden,
    Joined,
    Left,
    Marked,
)
from tidings_workers.store.keys import Log
from tidings_workers.store.logs import END
from tidings_workers.store.marks import decode_change

# What is written to a feed is read a moment later.
_FEED_SECONDS: Final = 0.25
_LOOKS: Final = 2

Missed = Sequence[tuple[int, Change]] | None
"""Changes of state by their versions; None when they can't be told one by one."""


class Teller(Protocol):
    """Who tells the connections what a directory found out."""

    def healed(self, topic: Topic) -> None:
        """A log was brought to its end."""

    def changed(self, topic: Topic) -> None:
        """A log that many read lost entries, and no feed told which."""

    def marked(self, user: User, version: int, change: Change, origin: str) -> None:
        """The user's state changed; `origin` is the connection that asked for it, if one did."""

    def missed(self, user: User, changes: Missed) -> None:
        """More happened to what is the user's than the feeds told, this of it to the state."""


class Directory:
    """The users of one gateway. `spawn` runs a coroutine under supervision."""

    def __init__(self, store: Store, name: str, spawn: Spawn, teller: Teller) -> None:
        self.users: dict[str, User] = {}
        self.interest = Interest(
            store, name, spawn, teller.healed, lambda topic: spawn(self.look_again(topic))
        )
        self._store = store
        self._name = name
        self._spawn = spawn
        self._teller = teller
        # Groups that could not be followed because the storage was away.
        self._unfollowed: dict[tuple[User, str], None] = {}

    # Coming and going

    async def attach(
        self, tenant: str, name: str, device: str | None, arrival: Arrival
    ) -> tuple[User, Resume | None]:
        """The user, held for one more connection, and where the device stands if it is known.

        Raises SessionRefused when the tenant allows the user no further connection.
        """
        log = self._store.core.keys.user(tenant, name)
        await self.interest.gone(log)
        topic = self.interest.topics.get(log.base)
        if topic is None:
            return await self._attach_first(log, tenant, name, device, arrival)
        topic.holders += 1
        try:
            attached = await self._store.feeds.attach(self._name, log, device, arrival)
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
            attached = await self._store.feeds.attach(self._name, log, device, arrival)
            user.memberships = {
                group: user.ended(group, known) for group, known in attached.view.memberships.items()
            }
            user.know(attached.view)
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

    def _learn(self, user: User, item: FeedItem) -> None:
        """Take a change that came while the user's slot was being read."""
        match item:
            case Joined():
                user.join(item.group, item.position)
            case Left():
                user.leave(item.group, item.position)
                user.arrive(item.group, item.position)
            case Hidden():
                user.hide(item.log, item.position)
            case Erased():
                self._spawn(self.look_again(user.topic))
            case Marked() if item.version > user.state_version:
                if not user.take_change(item.version, decode_change(item.change)):
                    self._spawn(self.look_again(user.topic))

    async def _follow_logs(self, user: User) -> None:
        keys = self._store.core.keys
        user.all = await self.interest.hold(keys.all(user.tenant))
        groups = list(user.memberships)
        results = await asyncio.gather(
            *(self._follow(user, group) for group in groups),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                self._release_logs(user)
                raise result

    async def _follow(self, user: User, group: str) -> None:
        """Follow the log of a group, and tell the open connections.

        Of one that the user has left, perhaps a moment after joining, what was the user's still counts.
        """
        topic = await self.interest.hold(self._store.core.keys.group(user.tenant, group))
        active = user.is_active(group)
        if group in (user.groups if active else user.former):
            # Somebody was faster.
            self.interest.release(topic)
            return
        if not active:
            _remember(user, group, topic)
            if user.spans(topic.log.name, 0, END):
                # Nobody was told of a joining, nor of what came while a member.
                self._teller.missed(user, None)
            return
        user.groups[group] = topic
        former = user.former.pop(group, None)
        if former is not None:
            _forget(user, former)
            self.interest.release(former)
        position = user.memberships[group][-1][0]
        for connection in list(user.connections):
            connection.joined(topic.log.name, position)

    async def _join(self, user: User, group: str) -> None:
        try:
            await self._follow(user, group)
        except StorageUnavailable:
            self._unfollowed[user, group] = None

    def leave(self, user: User, group: str, position: int) -> None:
        """The user is no longer a member after a position."""
        if not user.leave(group, position):
            return
        topic = user.groups.pop(group, None)
        if topic is None:
            return
        _remember(user, group, topic)
        for connection in list(user.connections):
            topic.live.pop(connection, None)
            connection.left(topic.log.name, position)

    def _release_logs(self, user: User) -> None:
        self.interest.release(user.all)
        for topic in user.groups.values():
            self.interest.release(topic)
        for topic in user.former.values():
            _forget(user, topic)
            self.interest.release(topic)
        user.groups.clear()
        user.former.clear()

    async def sweep(self) -> None:
        """Heal quiet tails, renew interest, and give up what nobody uses any more."""
        unfollowed, self._unfollowed = self._unfollowed, {}
        for user, group in unfollowed:
            if self.users.get(user.topic.log.base) is user:
                self._spawn(self._join(user, group))
        await self.interest.sweep()
        unused = self.interest.unused()
        for topic in unused:
            self._drop(topic)
        await self.interest.end(unused)

    def _drop(self, topic: Topic) -> None:
        user = self.users.pop(topic.log.base, None)
        if user is not None:
            self._release_logs(user)

    def _erase(self, user: User) -> None:
        """Everything of the user was erased: nothing known of it here holds any more."""
        for connection in list(user.connections):
            # One that came back in the middle of it begins again.
            connection.close(closing.REBALANCED)
        if user.topic.holders:
            # Somebody is just being attached.
            self._spawn(self.look_again(user.topic))
            return
        self.interest.take_out([user.topic])
        self._drop(user.topic)
        self._spawn(self.interest.end([user.topic]))

    def forget(self) -> None:
        """Drop everything: it belonged to data that is gone. The connections are closed already."""
        self.interest.topics.clear()
        self.users.clear()
        self._unfollowed.clear()

    # What the feeds bring

    def join(self, user: User, item: Joined) -> None:
        """The user became a member."""
        if user.join(item.group, item.position):
            self._spawn(self._join(user, item.group))

    def depart(self, topic: Topic, item: Departed) -> None:
        """Members left: at once, so that nothing sent afterwards reaches them."""
        group = topic.log.name.removeprefix("group:")
        for user in self._departed(topic, item.users):
            user.depart(group, item.position)
            # At the same position it may be older than a new joining; then `Left` decides.
            if user.is_active(group) and user.memberships[group][-1][0] < item.position:
                self.leave(user, group, item.position)

    def _departed(self, topic: Topic, names: list[str]) -> Iterator[User]:
        tenant = topic.log.base.split("/")[1]
        if not names:
            group = topic.log.name.removeprefix("group:")
            yield from [user for user in self.users.values() if user.groups.get(group) is topic]
        for name in names:
            user = self.users.get(self._store.core.keys.user(tenant, name).base)
            if user is not None:
                yield user

    # What the feeds lost

    async def look_again(self, topic: Topic) -> None:
        """Read from the store what a log, or a user's slot, has become."""
        user = self.users.get(topic.log.base)
        if user is None:
            since = topic.changes
            (facts,) = await self._store.feeds.watch(self._name, topic.log.partition, [topic.log.base])
            if topic.correct(facts, since):
                self._teller.changed(topic)
        elif user.looking is not None:
            await asyncio.wait([user.looking])
        elif user.waiting is None:
            user.looking = asyncio.get_running_loop().create_future()
            try:
                await self._look_at(user)
            finally:
                user.looking.set_result(None)
                user.looking = None

    async def _look_at(self, user: User) -> None:
        # What comes meanwhile may be newer than what is read.
        user.waiting = []
        try:
            since = user.topic.changes
            attached = await self._store.feeds.attach(self._name, user.topic.log, None)
            if attached.facts.head > user.topic.position and user.topic.ready.done():
                # What was marked comes after what it was done to.
                user.topic.seen = max(user.topic.seen, attached.facts.head)
                await self.interest.heal(user.topic)
            missed: Missed = ()
            if attached.view.version > user.state_version:
                missed = await self.journal(user, user.state_version, attached.view.version)
            if user.topic.correct(attached.facts, since):
                # Which one was recalled is no longer known.
                missed = None
            user.know(attached.view)
            self._teller.missed(user, missed)
            for group, intervals in attached.view.memberships.items():
                self._correct(user, group, user.ended(group, intervals))
            for group in user.memberships.keys() - attached.view.memberships.keys():
                self._correct(user, group, [])
        finally:
            waiting, user.waiting = user.waiting, None
            for item in waiting:
                self.take(user, item)

    def take(self, user: User, item: FeedItem) -> None:
        """Take a change of the user's slot, or keep it while the slot is being read."""
        if user.waiting is not None:
            user.waiting.append(item)
            return
        match item:
            case Joined():
                self.join(user, item)
            case Left():
                self.leave(user, item.group, item.position)
                user.arrive(item.group, item.position)
            case Hidden():
                user.hide(item.log, item.position)
            case Erased():
                self._erase(user)
            case Marked():
                self._mark(user, item)

    def _mark(self, user: User, item: Marked) -> None:
        if item.version <= user.state_version:
            return
        change = decode_change(item.change)
        if user.take_change(item.version, change):
            self._teller.marked(user, item.version, change, item.origin)
        else:
            self._spawn(self.look_again(user.topic))

    async def reach(self, user: User, version: int) -> None:
        """Wait until the feeds have brought a version of the user's state; look for it if they do not."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FEED_SECONDS):
                while user.state_version < version:
                    await asyncio.wait([user.next_state()])
        # A look that was under way may have come before it.
        for _ in range(_LOOKS):
            if user.state_version < version:
                await self.look_again(user.topic)

    async def journal(self, user: User, after: int, up_to: int) -> Missed:
        """The changes of a user's state with `after` < version <= `up_to`."""
        found = await self._store.feeds.journal(user.topic.log, after)
        if found is None:
            return None
        return [(version, change) for version, change in found if version <= up_to]

    def _correct(self, user: User, group: str, intervals: list[tuple[int, int]]) -> None:
        """The store has the last word on a membership."""
        known = user.memberships.get(group, [])
        if known == intervals:
            return
        if user.is_active(group):
            start = known[-1][0]
            end = dict(intervals).get(start, start)
            if end >= 0:
                self.leave(user, group, end)
        if not intervals:
            return
        user.memberships[group] = intervals
        if group not in user.groups and (user.is_active(group) or group not in user.former):
            self._spawn(self._join(user, group))


def _remember(user: User, group: str, topic: Topic) -> None:
    """Keep the log of a group that the user has left."""
    user.former[group] = topic
    topic.formers = topic.formers or {}
    topic.formers[user] = None


def _forget(user: User, topic: Topic) -> None:
    if topic.formers is not None:
        topic.formers.pop(user, None)
