"""The logs of groups that a gateway follows for its users.

A membership counts as soon as the group's log is followed. After the user has left, the log stays followed:
the entries of the membership still count, and may be recalled.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from tidings_workers.gateway.interest import Interest, Spawn
from tidings_workers.gateway.memberships import Intervals, ended
from tidings_workers.gateway.tails import Tail
from tidings_workers.gateway.users import Subscriber, User
from tidings_workers.store import StorageUnavailable
from tidings_workers.store.entries import END, Departure
from tidings_workers.store.keys import Keys


class MembershipListener(Protocol):
    """Receives changes of a user's memberships."""

    def joined(self, user: User, log: str, position: int) -> None:
        """The log of a group is followed for a new member; the user sees entries after `position`."""

    def left(self, user: User, tail: Tail[Subscriber], position: int) -> None:
        """The user left a group: send nothing of its log after `position`."""

    def joined_and_left(self, user: User, log: str, position: int) -> None:
        """The log of a group is followed, and the user has left the group since.

        The user sees the entries after `position` up to the end of the last membership.
        """


class Following:
    """Keeps the memberships of a gateway's users current, and follows the logs of their groups."""

    def __init__(self, keys: Keys, interest: Interest, spawn: Spawn, listener: MembershipListener) -> None:
        self._keys = keys
        self._interest = interest
        self._spawn = spawn
        self._listener = listener
        # By tail of a group: users who have left it.
        self._former_members: dict[Tail[Subscriber], dict[User, None]] = {}
        # Groups that could not be followed because the storage was unavailable.
        self._failed: dict[tuple[User, str], None] = {}

    def former_members(self, tail: Tail[Subscriber]) -> Iterable[User]:
        """The users who have left the group of a tail."""
        return self._former_members.get(tail, ())

    async def follow_all(self, user: User) -> None:
        """Follow the logs of all groups of a user. After an error the caller calls `release_all`."""
        user.unfollowed.update(dict.fromkeys(user.memberships, 0))
        results = await asyncio.gather(
            *(self._follow(user, group) for group in list(user.unfollowed)), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def release_all(self, user: User) -> None:
        """Release every tail of a user, except for the user's own."""
        self._interest.release(user.all)
        for tail in user.groups.values():
            self._interest.release(tail)
        for tail in user.former_groups.values():
            self._remove_former(user, tail)
        user.groups.clear()
        user.former_groups.clear()
        user.unfollowed.clear()

    def join(self, user: User, group: str, position: int, number: int) -> None:
        """The user joined a group after `position`; `number` by the group's clock."""
        if user.memberships.join(group, position, number):
            self._begin(user, group, position)

    def leave(self, user: User, group: str, position: int, number: int = 0) -> None:
        """The user left a group at `position`; `number` by the group's clock, or 0."""
        if user.memberships.leave(group, position, number):
            self._end(user, group, position)

    def depart(self, users: Iterable[User], group: str, departure: Departure) -> None:
        """The group's feed reports that users left. Apply it at once, so that no later send reaches them."""
        for user in users:
            position = user.memberships.depart(group, (departure,))
            if position is not None:
                self._end(user, group, position)

    def _end(self, user: User, group: str, position: int) -> None:
        tail = user.groups.pop(group, None)
        if tail is not None:
            self._add_former(user, group, tail)
            self._listener.left(user, tail, position)

    def replace_memberships(self, user: User, group: str, intervals: Intervals) -> None:
        """Replace the intervals of a user's memberships in a group by those in the store.

        The store lacks the end of the last one while the dispatcher has not carried out a departure.
        """
        tail = user.groups.get(group) or user.former_groups.get(group)
        if tail is not None:
            intervals = ended(intervals, tail.departures_of(user.name))
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
        after = user.memberships.end(group)
        user.memberships.replace(group, intervals)
        new = user.memberships.spans(group, after, END)
        if new and group not in user.groups:
            self._begin(user, group, new[0][0])

    def retry(self, is_known: Callable[[User], bool]) -> None:
        """Follow the groups that could not be followed before, for users that are still attached."""
        failed, self._failed = self._failed, {}
        for user, group in failed:
            if is_known(user):
                self._spawn(self._follow_soon(user, group))

    async def follow_new(self, user: User) -> None:
        """Return when the groups that the user joined are followed. Raises StorageUnavailable."""
        while user.unfollowed:
            await self._follow(user, next(iter(user.unfollowed)))

    def clear(self) -> None:
        """Drop everything, because the epoch changed."""
        self._former_members.clear()
        self._failed.clear()

    def _begin(self, user: User, group: str, position: int) -> None:
        """Memberships of a group began after `position`, or one. The last may have ended."""
        tail = user.former_groups.get(group)
        if tail is None or group in user.unfollowed or _is_behind(tail, user, group):
            user.unfollowed.setdefault(group, position)
            self._spawn(self._follow_soon(user, group))
        else:
            user.memberships.depart(group, tail.departures_of(user.name))
            self._rejoin(user, group)
            self._report(user, group, tail, position)

    async def _follow_soon(self, user: User, group: str) -> None:
        try:
            await self._follow(user, group)
        except StorageUnavailable:
            self._failed[user, group] = None

    async def _follow(self, user: User, group: str) -> None:
        """Follow the log of an unfollowed group, also when the user has left the group since."""
        tail = await self._interest.acquire(self._keys.group(user.tenant, group))
        healed = -1
        try:
            # A live subscriber would be sent entries from before the membership.
            while group in user.unfollowed and _is_behind(tail, user, group):
                start = user.memberships.start(group)
                if start == healed:
                    break  # The log lost this position.
                tail.report_head(start)
                await self._interest.heal(tail)
                healed = start
        except BaseException:
            self._interest.release(tail)
            raise
        after = user.unfollowed.pop(group, None)
        if after is None or group in user.former_groups:
            # Another call has followed it, or the user was a member before.
            self._interest.release(tail)
        if after is None:
            return
        # The dispatcher may not have carried out a departure yet.
        user.memberships.depart(group, tail.departures_of(user.name))
        if group in user.former_groups:
            self._rejoin(user, group)
        elif user.memberships.is_active(group):
            user.groups[group] = tail
        else:
            self._add_former(user, group, tail)
        self._report(user, group, tail, after)

    def _rejoin(self, user: User, group: str) -> None:
        """Follow the log as that of a member, if the user is one again."""
        if user.memberships.is_active(group):
            tail = user.groups[group] = user.former_groups.pop(group)
            self._forget_former(user, tail)

    def _report(self, user: User, group: str, tail: Tail[Subscriber], position: int) -> None:
        if user.memberships.is_active(group):
            self._listener.joined(user, tail.log.name, position)
        elif user.memberships.spans(group, position, END):
            self._listener.joined_and_left(user, tail.log.name, position)

    def _add_former(self, user: User, group: str, tail: Tail[Subscriber]) -> None:
        user.former_groups[group] = tail
        self._former_members.setdefault(tail, {})[user] = None

    def _remove_former(self, user: User, tail: Tail[Subscriber]) -> None:
        self._forget_former(user, tail)
        self._interest.release(tail)

    def _forget_former(self, user: User, tail: Tail[Subscriber]) -> None:
        users = self._former_members.get(tail)
        if users is not None:
            users.pop(user, None)
            if not users:
                del self._former_members[tail]


def _is_behind(tail: Tail[Subscriber], user: User, group: str) -> bool:
    """Whether the tail has not reached the start of the user's membership."""
    return user.memberships.is_active(group) and tail.position < user.memberships.start(group)
