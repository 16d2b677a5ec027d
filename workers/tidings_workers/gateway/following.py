"""The groups' logs that a gateway follows for its users.

A membership counts here as soon as the group's log is followed. After its end the log is kept: the part of
it that was the user's still counts, and may be recalled.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from tidings_workers.gateway.interest import Interest, Spawn
from tidings_workers.gateway.memberships import Intervals
from tidings_workers.gateway.states import Missed
from tidings_workers.gateway.topics import Topic
from tidings_workers.gateway.users import Subscriber, User
from tidings_workers.store import StorageUnavailable
from tidings_workers.store.keys import Keys
from tidings_workers.store.logs import END


class MembershipListener(Protocol):
    """Receives what changed in the memberships of a user."""

    def joined(self, user: User, log: str, position: int) -> None:
        """The log of a group is followed for a new member: it starts after a position."""

    def left(self, user: User, topic: Topic[Subscriber], position: int) -> None:
        """The user's membership of a group ended at a position: nothing after it is sent."""

    def missed(self, user: User, changes: Missed) -> None:
        """Changes that the feeds did not report: these of the state, or others when None."""


class Following:
    """The memberships of one gateway's users, with the topics that are held for them."""

    def __init__(self, keys: Keys, interest: Interest, spawn: Spawn, listener: MembershipListener) -> None:
        self._keys = keys
        self._interest = interest
        self._spawn = spawn
        self._listener = listener
        # Users who have left a group, by its topic.
        self._formers: dict[Topic[Subscriber], dict[User, None]] = {}
        # Groups that could not be followed because the storage was away.
        self._unfollowed: dict[tuple[User, str], None] = {}

    def formers(self, topic: Topic[Subscriber]) -> Iterable[User]:
        """The users who have left the group of a topic."""
        return self._formers.get(topic, ())

    async def follow_all(self, user: User) -> None:
        """Follow the logs of all groups of a user. After a failure `release_all` has to follow."""
        results = await asyncio.gather(
            *(self._follow(user, group) for group in list(user.memberships)), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def release_all(self, user: User) -> None:
        """Follow no log of a user any longer, except for the user's own."""
        self._interest.release(user.all)
        for topic in user.groups.values():
            self._interest.release(topic)
        for topic in user.former.values():
            self._forget(user, topic)
        user.groups.clear()
        user.former.clear()

    def join(self, user: User, group: str, position: int) -> None:
        """The user became a member after a position."""
        if user.memberships.join(group, position):
            self._spawn(self._join(user, group))

    def leave(self, user: User, group: str, position: int) -> None:
        """The user's membership ended at a position."""
        if not user.memberships.leave(group, position):
            return
        topic = user.groups.pop(group, None)
        if topic is not None:
            self._remember(user, group, topic)
            self._listener.left(user, topic, position)

    def depart(self, users: Iterable[User], group: str, position: int) -> None:
        """The group's feed reports that members left: at once, so that nothing sent later reaches them."""
        for user in users:
            user.memberships.note_departure(group, position)
            # At the same position it may be older than a new joining; then the user's own feed decides.
            if user.memberships.is_active(group) and user.memberships.start(group) < position:
                self.leave(user, group, position)

    def correct(self, user: User, group: str, intervals: Intervals) -> None:
        """Replace our intervals by the store's."""
        known = user.memberships.of(group)
        if known == intervals:
            return
        if user.memberships.is_active(group):
            start = user.memberships.start(group)
            end = dict(intervals).get(start, start)
            if end >= 0:
                self.leave(user, group, end)
        if not intervals:
            return
        user.memberships.replace(group, intervals)
        if group not in user.groups and (user.memberships.is_active(group) or group not in user.former):
            self._spawn(self._join(user, group))

    def retry(self, is_known: Callable[[User], bool]) -> None:
        """Follow what could not be followed before, for the users that are still known."""
        unfollowed, self._unfollowed = self._unfollowed, {}
        for user, group in unfollowed:
            if is_known(user):
                self._spawn(self._join(user, group))

    def forget_all(self) -> None:
        """Drop everything: the data that it belonged to was lost."""
        self._formers.clear()
        self._unfollowed.clear()

    async def _join(self, user: User, group: str) -> None:
        try:
            await self._follow(user, group)
        except StorageUnavailable:
            self._unfollowed[user, group] = None

    async def _follow(self, user: User, group: str) -> None:
        """Follow the log of a group. If the user has left it by then, its part still counts."""
        topic = await self._interest.hold(self._keys.group(user.tenant, group))
        active = user.memberships.is_active(group)
        if group in (user.groups if active else user.former):
            # Another call was faster.
            self._interest.release(topic)
            return
        if not active:
            self._remember(user, group, topic)
            if user.memberships.spans(group, 0, END):
                # The client saw neither the join nor the notifications of that membership.
                self._listener.missed(user, None)
            return
        user.groups[group] = topic
        former = user.former.pop(group, None)
        if former is not None:
            self._forget(user, former)
        self._listener.joined(user, topic.log.name, user.memberships.start(group))

    def _remember(self, user: User, group: str, topic: Topic[Subscriber]) -> None:
        user.former[group] = topic
        self._formers.setdefault(topic, {})[user] = None

    def _forget(self, user: User, topic: Topic[Subscriber]) -> None:
        users = self._formers.get(topic)
        if users is not None:
            users.pop(user, None)
            if not users:
                del self._formers[topic]
        self._interest.release(topic)
