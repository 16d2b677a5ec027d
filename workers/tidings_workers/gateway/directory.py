"""The users of a gateway, each with the data of the user that the store has.

The first connection of a user attaches the user; some time after the last has closed the user is dropped.
Feeds report changes of these data. When a feed lost items, the data are read again.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from tidings.protocol.frames import Resume
from tidings_workers.gateway.following import Following, MembershipListener
from tidings_workers.gateway.interest import Interest, Spawn
from tidings_workers.gateway.states import Missed
from tidings_workers.gateway.tails import Tail
from tidings_workers.gateway.users import Subscriber, User
from tidings_workers.store import Change, ConnectionLimitReached, Store
from tidings_workers.store.attaching import Arrival, Attached
from tidings_workers.store.changes import decode_change
from tidings_workers.store.entries import Departure
from tidings_workers.store.feed_items import Departed, Erased, FeedItem, Hidden, Joined, Left, Marked
from tidings_workers.store.keys import Log

# How long to wait for a feed item before the user's data are read. Feeds usually arrive within milliseconds.
_FEED_SECONDS: Final = 0.25
_REREADS: Final = 2


class Listener(MembershipListener, Protocol):
    """Receives the changes that a directory detects."""

    def healed(self, tail: Tail[Subscriber]) -> None:
        """Healing appended entries to a tail."""

    def changed(self, tail: Tail[Subscriber], users: Iterable[User]) -> None:
        """Entries of a shared log were removed and no feed reported which. `users` had left its group."""

    def state_changed(self, user: User, version: int, change: Change) -> None:
        """The user's state changed to a version."""

    def missed(self, user: User, changes: Missed) -> None:
        """The feeds lost changes of the user: these marks, or unknown changes when None."""

    def erased(self, user: User) -> None:
        """The user was erased: close the user's connections.

        Contract: when this returns, each connection has called `Directory.release`.
        """


class Directory:
    """The users of one gateway."""

    def __init__(self, store: Store, name: str, spawn: Spawn, listener: Listener) -> None:
        self.users: dict[str, User] = {}
        self.interest = Interest(store, name, spawn, listener.healed, lambda tail: spawn(self.reread(tail)))
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
        """Attach a connection: the user, and the positions of the device if the store has any.

        `release` undoes it. Raises StorageUnavailable, and ConnectionLimitReached when the tenant allows the
        user no further connection.
        """
        log = self._keys.user(tenant, name)
        await self.interest.wait_unwatched(log)
        tail = self.interest.tails.get(log.base)
        if tail is None:
            return await self._attach_first(log, tenant, name, device, arrival)
        tail.acquire()
        try:
            attached = await self._store.feeds.attach(self._name, log, device, arrival)
            await asyncio.shield(tail.ready)
        except BaseException:
            self.interest.release(tail)
            raise
        self._admit(tail, attached)
        if attached.facts.head > tail.position:
            tail.report_head(attached.facts.head)
            self.interest.heal_soon(tail)
        return self.users[log.base], attached.device

    async def _attach_first(
        self, log: Log, tenant: str, name: str, device: str | None, arrival: Arrival
    ) -> tuple[User, Resume | None]:
        tail = self.interest.new_tail(log)
        user: User | None = None
        try:
            everyone = await self.interest.acquire(self._keys.all(tenant))
            # Add the user before the data are read, so that no change of it is missed.
            user = self.users[log.base] = User(tenant, name, self._keys, tail, everyone)
            attached = await self._store.feeds.attach(self._name, log, device, arrival)
            user.memberships.replace_all(attached.view.memberships)
            user.apply_view(attached.view)
            waiting, user.deferred_items = user.deferred_items or (), None
            for item in waiting:
                self._apply(user, item, attaching=True)
            await self._following.follow_all(user)
        except BaseException as error:
            if user is not None:
                self._following.release_all(user)
                if self.users.get(log.base) is user:
                    del self.users[log.base]
            self.interest.fail(tail, error)
            raise
        self.interest.start(tail, attached.facts)
        self._admit(tail, attached)
        return user, attached.device

    def _admit(self, tail: Tail[Subscriber], attached: Attached) -> None:
        if not attached.admitted:
            self.interest.release(tail)
            raise ConnectionLimitReached

    async def follow_new(self, user: User) -> None:
        """Return when the logs of all groups of a user are followed. Raises StorageUnavailable."""
        await self._following.follow_new(user)

    def release(self, user: User) -> None:
        """Undo one `attach`. `sweep` drops the user later, if no connection follows."""
        self.interest.release(user.tail)

    async def sweep(self) -> None:
        """Heal tails that are behind, renew interest, and drop unused tails and users.

        Raises DataLost when a log is shorter than its tail, and StorageUnavailable.
        """
        self._following.retry(self._is_known)
        await self.interest.sweep()
        unused = self.interest.remove_unused()
        for tail in unused:
            self._drop(tail)
        await self.interest.unwatch(unused)

    def _is_known(self, user: User) -> bool:
        return self.users.get(user.tail.log.base) is user

    def _drop(self, tail: Tail[Subscriber]) -> None:
        user = self.users.pop(tail.log.base, None)
        if user is not None:
            self._following.release_all(user)

    def clear(self) -> None:
        """Drop all users and tails, because the epoch changed. Their connections are closed already."""
        self.interest.tails.clear()
        self.users.clear()
        self._following.clear()

    def former_members(self, tail: Tail[Subscriber]) -> Iterable[User]:
        """The users who have left the group of a tail."""
        return self._following.former_members(tail)

    # Feed items

    def depart(self, tail: Tail[Subscriber], item: Departed) -> None:
        """Members left the group of a tail."""
        group = tail.log.group or ""
        departures = [Departure(user, item.position, item.number) for user in item.users or ("",)]
        tail.note_departures(departures)
        self._following.depart(self._departed(tail, group, item.users), group, departures[0])

    def _departed(self, tail: Tail[Subscriber], group: str, names: list[str]) -> Iterator[User]:
        if not names:
            yield from [user for user in self.users.values() if user.groups.get(group) is tail]
        for name in names:
            user = self.users.get(self._keys.user(tail.log.tenant, name).base)
            if user is not None:
                yield user

    def process(self, user: User, item: FeedItem) -> None:
        """Apply a change of the user's data, or keep it until the data were read."""
        if user.deferred_items is not None:
            user.deferred_items.append(item)
        else:
            self._apply(user, item)

    def _apply(self, user: User, item: FeedItem, *, attaching: bool = False) -> None:
        """Apply a change of the user's data. `attaching`: the caller follows the groups' logs afterwards."""
        match item:
            case Joined() if attaching:
                user.memberships.join(item.group, item.position, item.number)
            case Joined():
                self._following.join(user, item.group, item.position, item.number)
            case Left():
                self._following.leave(user, item.group, item.position, item.number)
            case Hidden():
                user.hide(item.log_base, item.position)
            case Erased():
                self._erase(user)
            case Marked():
                self._mark(user, item)

    def _mark(self, user: User, item: Marked) -> None:
        if item.version <= user.state_version:
            return
        change = decode_change(item.change)
        if user.apply_change(item.version, change):
            self._listener.state_changed(user, item.version, change)
        else:
            self._spawn(self.reread(user.tail))

    def _erase(self, user: User) -> None:
        """The user was erased: close the connections and drop what this gateway has of the user."""
        # A client that reconnected during the erasure reconnects once more.
        self._listener.erased(user)
        if user.tail.is_in_use:
            # A connection is being attached.
            self._spawn(self.reread(user.tail))
            return
        self.interest.remove([user.tail])
        self._drop(user.tail)
        self._spawn(self.interest.unwatch([user.tail]))

    # Lost feed items

    async def reread(self, tail: Tail[Subscriber]) -> None:
        """Read the facts of a log, or all data of a user, from the store."""
        user = self.users.get(tail.log.base)
        if user is None:
            since = tail.changes
            (facts,) = await self._store.feeds.watch(self._name, tail.log.partition, [tail.log.base])
            if tail.replace_facts(facts, since):
                self._listener.changed(tail, self.former_members(tail))
        elif user.rereading is not None:
            await asyncio.wait([user.rereading])
        elif user.deferred_items is None:
            user.rereading = asyncio.get_running_loop().create_future()
            try:
                await self._reread_user(user)
            finally:
                user.rereading.set_result(None)
                user.rereading = None

    async def _reread_user(self, user: User) -> None:
        # Changes that the feeds report from here on may be newer than the data that are read.
        user.deferred_items = []
        try:
            since = user.tail.changes
            attached = await self._store.feeds.attach(self._name, user.tail.log, None)
            if attached.facts.head > user.tail.position and user.tail.ready.done():
                # A client receives a notification before a mark of it.
                user.tail.report_head(attached.facts.head)
                await self.interest.heal(user.tail)
            missed: Missed = ()
            if attached.view.version > user.state_version:
                missed = await self.journal(user, user.state_version, attached.view.version)
            if user.tail.replace_facts(attached.facts, since):
                # Which notification was recalled is unknown, so clients reload.
                missed = None
            user.apply_view(attached.view)
            self._listener.missed(user, missed)
            for group, intervals in attached.view.memberships.items():
                self._following.replace_memberships(user, group, intervals)
            for group in set(user.memberships) - attached.view.memberships.keys():
                self._following.replace_memberships(user, group, [])
        finally:
            waiting, user.deferred_items = user.deferred_items, None
            for item in waiting:
                self.process(user, item)

    async def wait_for_version(self, user: User, version: int) -> None:
        """Wait up to _FEED_SECONDS until the feeds report a version of the state, else read the data."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FEED_SECONDS):
                while user.state_version < version:
                    await asyncio.wait([user.next_version()])
        # A read that was in progress may have seen the data before that version.
        for _ in range(_REREADS):
            if user.state_version < version:
                await self.reread(user.tail)

    async def journal(self, user: User, after: int, up_to: int) -> Missed:
        """The changes of a user's state with `after` < version <= `up_to`."""
        found = await self._store.feeds.journal(user.tail.log, after)
        if found is None:
            return None
        return [(version, change) for version, change in found if version <= up_to]
