"""The users that a gateway has, each as the user's slot in the store says.

A user is attached with the first connection and kept a little after the last. The feeds report what
changes in the user's slot; the slot is read again after a feed lost something.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from tidings.protocol.frames import Resume
from tidings.protocol.names import group_of_log
from tidings_workers.gateway.following import Following, MembershipListener
from tidings_workers.gateway.interest import Interest, Spawn
from tidings_workers.gateway.states import Missed
from tidings_workers.gateway.topics import Topic
from tidings_workers.gateway.users import Subscriber, User
from tidings_workers.store import Change, SessionRefused, Store
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
from tidings_workers.store.marks import decode_change

# What is written to a feed is read a moment later.
_FEED_SECONDS: Final = 0.25
_LOOKS: Final = 2


class Listener(MembershipListener, Protocol):
    """Receives the changes that a directory detects."""

    def healed(self, topic: Topic[Subscriber]) -> None:
        """A topic took entries from its log."""

    def changed(self, topic: Topic[Subscriber], users: Iterable[User]) -> None:
        """A log that many read lost entries, and no feed reported which; `users` had left its group."""

    def marked(self, user: User, version: int, change: Change, origin: str) -> None:
        """The user's state changed; `origin` is the id of the connection that asked for it, or empty."""

    def erased(self, user: User) -> None:
        """Everything of the user was erased: close the connections.

        The directory relies on this: when it returns, each of them has called `release`.
        """


class Directory:
    """The users of one gateway."""

    def __init__(self, store: Store, name: str, spawn: Spawn, listener: Listener) -> None:
        self.users: dict[str, User] = {}
        self.interest = Interest(
            store, name, spawn, listener.healed, lambda topic: spawn(self.look_again(topic))
        )
        self._store = store
        self._keys = store.keys
        self._name = name
        self._spawn = spawn
        self._listener = listener
        self._following = Following(self._keys, self.interest, spawn, listener)

    # Attaching

    async def attach(
        self, tenant: str, name: str, device: str | None, arrival: Arrival
    ) -> tuple[User, Resume | None]:
        """The user, held for one more connection, and the device's positions if it has any.

        `release` gives the user back. Raises SessionRefused when the tenant allows the user no further
        connection.
        """
        log = self._keys.user(tenant, name)
        await self.interest.ended(log)
        topic = self.interest.topics.get(log.base)
        if topic is None:
            return await self._attach_first(log, tenant, name, device, arrival)
        topic.hold()
        try:
            attached = await self._store.feeds.attach(self._name, log, device, arrival)
            await asyncio.shield(topic.ready)
        except BaseException:
            self.interest.release(topic)
            raise
        self._admit(topic, attached)
        if attached.facts.head > topic.position:
            topic.heard_of(attached.facts.head)
            self.interest.heal_soon(topic)
        return self.users[log.base], attached.device

    async def _attach_first(
        self, log: Log, tenant: str, name: str, device: str | None, arrival: Arrival
    ) -> tuple[User, Resume | None]:
        topic = self.interest.new_topic(log)
        user: User | None = None
        try:
            everyone = await self.interest.hold(self._keys.all(tenant))
            # Known before the slot is read, so that no change of it is missed.
            user = self.users[log.base] = User(tenant, name, self._keys, topic, everyone)
            attached = await self._store.feeds.attach(self._name, log, device, arrival)
            user.memberships.replace_all(attached.view.memberships)
            user.take_view(attached.view)
            waiting, user.waiting = user.waiting or (), None
            for item in waiting:
                self._apply(user, item, attaching=True)
            await self._following.follow_all(user)
        except BaseException as error:
            if user is not None:
                self._following.release_all(user)
                if self.users.get(log.base) is user:
                    del self.users[log.base]
            self.interest.give_up(topic, error)
            raise
        self.interest.start(topic, attached.facts)
        self._admit(topic, attached)
        return user, attached.device

    def _admit(self, topic: Topic[Subscriber], attached: Attached) -> None:
        if not attached.admitted:
            self.interest.release(topic)
            raise SessionRefused

    def release(self, user: User) -> None:
        """One connection less. The user is kept a little longer, and dropped by `sweep`."""
        self.interest.release(user.topic)

    async def sweep(self) -> None:
        """Heal quiet tails, renew interest, and drop what has been unused for a while."""
        self._following.retry(self._is_known)
        await self.interest.sweep()
        unused = self.interest.unused()
        for topic in unused:
            self._drop(topic)
        await self.interest.end(unused)

    def _is_known(self, user: User) -> bool:
        return self.users.get(user.topic.log.base) is user

    def _drop(self, topic: Topic[Subscriber]) -> None:
        user = self.users.pop(topic.log.base, None)
        if user is not None:
            self._following.release_all(user)

    def forget_all(self) -> None:
        """Drop everything: the data that it belonged to was lost. The connections are closed already."""
        self.interest.topics.clear()
        self.users.clear()
        self._following.forget_all()

    def formers(self, topic: Topic[Subscriber]) -> Iterable[User]:
        """The users who have left the group of a topic."""
        return self._following.formers(topic)

    # What the feeds report

    def depart(self, topic: Topic[Subscriber], item: Departed) -> None:
        """Members of the topic's group left."""
        group = group_of_log(topic.log.name) or ""
        self._following.depart(self._departed(topic, group, item.users), group, item.position)

    def _departed(self, topic: Topic[Subscriber], group: str, names: list[str]) -> Iterator[User]:
        if not names:
            yield from [user for user in self.users.values() if user.groups.get(group) is topic]
        for name in names:
            user = self.users.get(self._keys.user(topic.log.tenant, name).base)
            if user is not None:
                yield user

    def take(self, user: User, item: FeedItem) -> None:
        """Take a change of the user's slot, or keep it while the slot is being read."""
        if user.waiting is not None:
            user.waiting.append(item)
        else:
            self._apply(user, item)

    def _apply(self, user: User, item: FeedItem, *, attaching: bool = False) -> None:
        """Apply a change of the user's slot. `attaching`: the logs of all groups are followed afterwards."""
        match item:
            case Joined() if attaching:
                user.memberships.join(item.group, item.position)
            case Joined():
                self._following.join(user, item.group, item.position)
            case Left():
                self._following.leave(user, item.group, item.position)
                user.memberships.forget_departures(item.group, item.position)
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
            self._listener.marked(user, item.version, change, item.origin)
        else:
            self._spawn(self.look_again(user.topic))

    def _erase(self, user: User) -> None:
        """Everything of the user was erased: nothing known of it here is valid."""
        # A client that reconnected during the erasure has to reconnect once more.
        self._listener.erased(user)
        if user.topic.is_held:
            # A connection is being attached.
            self._spawn(self.look_again(user.topic))
            return
        self.interest.take_out([user.topic])
        self._drop(user.topic)
        self._spawn(self.interest.end([user.topic]))

    # What the feeds lost

    async def look_again(self, topic: Topic[Subscriber]) -> None:
        """Read from the store what a log, or a user's slot, has become."""
        user = self.users.get(topic.log.base)
        if user is None:
            since = topic.changes
            (facts,) = await self._store.feeds.watch(self._name, topic.log.partition, [topic.log.base])
            if topic.correct(facts, since):
                self._listener.changed(topic, self.formers(topic))
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
        # What the feeds report while the slot is read may be newer than what is read.
        user.waiting = []
        try:
            since = user.topic.changes
            attached = await self._store.feeds.attach(self._name, user.topic.log, None)
            if attached.facts.head > user.topic.position and user.topic.ready.done():
                # A mark follows the notification that it marks.
                user.topic.heard_of(attached.facts.head)
                await self.interest.heal(user.topic)
            missed: Missed = ()
            if attached.view.version > user.state_version:
                missed = await self.journal(user, user.state_version, attached.view.version)
            if user.topic.correct(attached.facts, since):
                # It is not known which notification was recalled.
                missed = None
            user.take_view(attached.view)
            self._listener.missed(user, missed)
            for group, intervals in attached.view.memberships.items():
                self._following.correct(user, group, user.memberships.completed(group, intervals))
            for group in set(user.memberships) - attached.view.memberships.keys():
                self._following.correct(user, group, [])
        finally:
            waiting, user.waiting = user.waiting, None
            for item in waiting:
                self.take(user, item)

    async def reach(self, user: User, version: int) -> None:
        """Wait until the feeds have reported a version of the user's state; look for it if they do not."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FEED_SECONDS):
                while user.state_version < version:
                    await asyncio.wait([user.next_state()])
        # A look that was under way may have read the slot before that version.
        for _ in range(_LOOKS):
            if user.state_version < version:
                await self.look_again(user.topic)

    async def journal(self, user: User, after: int, up_to: int) -> Missed:
        """The changes of a user's state with `after` < version <= `up_to`."""
        found = await self._store.feeds.journal(user.topic.log, after)
        if found is None:
            return None
        return [(version, change) for version, change in found if version <= up_to]
