"""Sends changes to connections: notifications, counts, marks, recalls, memberships.

Bytes that many receive are built once. Frames that differ per user are sent in slices, so that other work
runs in between.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from tidings.protocol import closing
from tidings.protocol.frames import Counts, ServerFrame, Stated
from tidings_workers import metrics
from tidings_workers.gateway.catchups import CatchUps
from tidings_workers.gateway.held_changes import HeldChanges
from tidings_workers.gateway.interest import Spawn
from tidings_workers.gateway.pending_writes import PendingWrites
from tidings_workers.gateway.states import Missed, state_frame
from tidings_workers.gateway.tails import Tail
from tidings_workers.gateway.users import Subscriber, User
from tidings_workers.store import Change
from tidings_workers.store.ids import milliseconds

# How many connections are sent frames that differ per user before other work runs.
_SLICE: Final = 200

MakeFrame = Callable[[int, Counts], ServerFrame]
"""Makes the frame for a connection, from the user's state version and counts."""


class Updates:
    """Sends changes to the connections of one gateway. Implements the directory's `Listener`."""

    def __init__(
        self, catchups: CatchUps, held: HeldChanges, pending_writes: PendingWrites, spawn: Spawn
    ) -> None:
        self._catchups = catchups
        self._held = held
        self._pending_writes = pending_writes
        self._spawn = spawn

    # Listener of the directory

    def healed(self, tail: Tail[Subscriber]) -> None:
        """See `Listener`."""
        self.flush([tail])
        self._pending_writes.write()

    def changed(self, tail: Tail[Subscriber], users: Iterable[User]) -> None:
        """See `Listener`. Entries were removed, but not which: every client reloads its inbox."""
        if tail.log.topic is not None:
            return
        concerned = {subscriber.user for subscriber in tail.live} | set(users)
        self.send_counts([each for user in concerned for each in user.subscribers], reload=True)

    def state_changed(self, user: User, version: int, change: Change) -> None:
        """See `Listener`. A connection with a mark in progress gets later changes after its answer."""

        def make(_: int, counts: Counts) -> Stated:
            return state_frame(change, version, counts)

        def send_later(subscriber: Subscriber, counts: Counts | None) -> None:
            if not self._catchups.defer(subscriber, version, change):
                self._send(subscriber, version, make, counts)

        live = []
        for each in user.subscribers:
            if self._held.is_holding(each):
                counts = self._catchups.counts(each)
                self._held.add(each, version, counts, partial(send_later, each), is_change=True)
            elif not self._catchups.defer(each, version, change):
                live.append(each)
        self.send_each(live, make)

    def missed(self, user: User, changes: Missed) -> None:
        """See `Listener`."""
        if changes is None:
            self.send_counts(list(user.subscribers), reload=True)
        for version, change in changes or ():
            self.state_changed(user, version, change)

    def joined(self, user: User, log: str, position: int) -> None:
        """See `MembershipListener`."""
        for subscriber in list(user.subscribers):
            self._catchups.joined(subscriber, log, position)

    def joined_and_left(self, user: User, log: str, position: int) -> None:
        """See `MembershipListener`."""
        for subscriber in list(user.subscribers):
            self._catchups.joined(subscriber, log, position, has_left=True)

    def left(self, user: User, tail: Tail[Subscriber], position: int) -> None:
        """See `MembershipListener`."""
        for subscriber in list(user.subscribers):
            self._catchups.left(subscriber, tail, position)

    def erased(self, user: User) -> None:
        """See `Listener`."""
        for subscriber in list(user.subscribers):
            subscriber.outlet.close(closing.REBALANCED)

    # Sending

    def flush(self, tails: Iterable[Tail[Subscriber]]) -> None:
        """Queue the new entries of tails for their live subscribers."""
        now = milliseconds()
        sent = sum(tail.flush(now) for tail in tails)
        if sent:
            metrics.DELIVERED.inc(sent)

    def send_counts(self, subscribers: Sequence[Subscriber], *, reload: bool = False) -> None:
        """Send each the counts of its user's inbox; with `reload`, the client reads the inbox again."""
        self.send_each(
            subscribers,
            lambda version, counts: Stated(counts=counts, state_version=version, changes=(), reload=reload),
        )

    def send_each(self, subscribers: Sequence[Subscriber], make: MakeFrame) -> None:
        """Send each a frame that differs per user."""
        self._send_some(subscribers[:_SLICE], make)
        if len(subscribers) > _SLICE:
            self._spawn(self._send_rest(subscribers, make))

    async def _send_rest(self, subscribers: Sequence[Subscriber], make: MakeFrame) -> None:
        for start in range(_SLICE, len(subscribers), _SLICE):
            await asyncio.sleep(0)
            self._send_some(subscribers[start : start + _SLICE], make)

    def _send_some(self, subscribers: Sequence[Subscriber], make: MakeFrame) -> None:
        counts: dict[User, Counts] = {}
        for subscriber in subscribers:
            user = subscriber.user
            version = user.state_version
            if not subscriber.outlet.is_open:
                continue
            if self._held.is_holding(subscriber):
                send = partial(self._send, subscriber, version, make)
                self._held.add(subscriber, version, self._catchups.counts(subscriber), send, is_change=False)
                continue
            if subscriber in self._catchups.running:
                self._send(subscriber, version, make, None)
                continue
            if user not in counts:
                counts[user] = user.counts(milliseconds())
            subscriber.outlet.send(make(version, counts[user]))

    def _send(self, subscriber: Subscriber, version: int, make: MakeFrame, counts: Counts | None) -> None:
        if subscriber.outlet.is_open:
            subscriber.outlet.send(make(version, counts or self._catchups.counts(subscriber)))
