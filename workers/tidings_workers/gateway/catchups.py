"""Starts catch-ups and makes their subscribers live.

A subscriber becomes live in one synchronous step, when it was sent every log up to its end. So it misses no
position and receives none twice.
"""

import asyncio
from typing import Final

from tidings.protocol import closing, frames
from tidings_workers.gateway.catchup import Backlog, CatchUp
from tidings_workers.gateway.interest import Spawn
from tidings_workers.gateway.tails import Tail
from tidings_workers.gateway.users import Subscriber
from tidings_workers.store import Change, StorageUnavailable, Store
from tidings_workers.store.ids import milliseconds

# How many catch-ups read from the store at once.
READERS: Final = 64
# A page subscribes several times in a row, and each subscription gets its part of the replay.
PAUSE_SECONDS: Final = 0.1


class CatchUps:
    """The subscribers of one gateway that are catching up. No tail sends to them."""

    def __init__(self, store: Store, spawn: Spawn) -> None:
        self.running: dict[Subscriber, CatchUp] = {}
        # The catch-ups of `running` that have not started.
        self._paused: set[Subscriber] = set()
        self._store = store
        self._spawn = spawn
        self.reading = asyncio.Semaphore(READERS)

    def start(self, subscriber: Subscriber, backlog: Backlog) -> None:
        """Start a catch-up. The subscriber is live on return if there is nothing to send.

        While the subscriber's encoding does not carry the inbox, the catch-up waits for `unpause`.
        """
        subscriber.catch_up(backlog.cursors)
        catchup = CatchUp(self._store, subscriber, backlog, self.reading)
        self.running[subscriber] = catchup
        if not subscriber.outlet.wire.carries_inbox:
            self._paused.add(subscriber)
            return
        catchup.replay_from_memory()
        if not self._finish(catchup):
            self._spawn(self._run(catchup))

    def unpause(self, subscriber: Subscriber) -> None:
        """Start a catch-up that waits, if there is one. It replays after PAUSE_SECONDS."""
        if subscriber in self._paused:
            self._paused.discard(subscriber)
            catchup = self.running[subscriber]
            if not self._finish(catchup):
                self._spawn(self._run(catchup, PAUSE_SECONDS))

    def stop(self, subscriber: Subscriber) -> None:
        """Send nothing more to a subscriber, because its connection closes."""
        self.running.pop(subscriber, None)
        self._paused.discard(subscriber)
        subscriber.stop()

    def joined(self, subscriber: Subscriber, name: str, position: int, *, has_left: bool = False) -> None:
        """The user joined a group: send its log after a position.

        `has_left`: the user has left the group since. The log is sent to the end of the last membership.
        """
        if not subscriber.outlet.is_open:
            return
        catchup = self.running.get(subscriber)
        if catchup is not None:
            position = catchup.joined(name, position)
            if has_left:
                catchup.left(name)
            subscriber.follow(name, position)
        subscriber.outlet.send(frames.Joined(name, position))
        if catchup is None and subscriber.outlet.is_open:
            self._continue(subscriber, name, position, has_left=has_left)

    def left(self, subscriber: Subscriber, tail: Tail[Subscriber], position: int) -> None:
        """The user left a group: send nothing of its log after a position."""
        tail.stop(subscriber)
        name = tail.log.name
        if not subscriber.outlet.is_open or name not in subscriber.acknowledged:
            return
        catchup = self.running.get(subscriber)
        if catchup is not None:
            catchup.left(name)
        elif tail.position < position:
            # The user's feed was faster than the group's: the last entries of the membership follow.
            self._continue(subscriber, name, tail.position, has_left=True)
        else:
            subscriber.outlet.send(frames.Left(name, position))

    def _continue(self, subscriber: Subscriber, name: str, position: int, *, has_left: bool) -> None:
        """Send a live subscriber one log after a position, and the others from where they are."""
        cursors = {log: subscriber.cursor(log) for log in subscriber.acknowledged}
        departed = {name} if has_left else set()
        self.start(subscriber, Backlog(cursors | {name: position}, departed, replay=False))

    def counts(self, subscriber: Subscriber) -> frames.Counts:
        """The counts of the user's inbox, without entries that the subscriber was not sent yet.

        The client adds each notification of the catch-up to them.
        """
        catchup = self.running.get(subscriber)
        return subscriber.user.counts(milliseconds(), catchup.counted_up_to if catchup is not None else None)

    def defer(self, subscriber: Subscriber, version: int, change: Change) -> bool:
        """Defer a mark until the subscriber has caught up; False when it has already."""
        catchup = self.running.get(subscriber)
        if catchup is None:
            return False
        catchup.defer(version, change)
        return True

    def _finish(self, catchup: CatchUp) -> bool:
        """Make the subscriber live if it was sent everything; True when the catch-up is finished."""
        if not catchup.is_complete:
            return False
        catchup.conclude()
        # The last frames may have closed a slow consumer.
        if self.running.pop(catchup.subscriber, None) is not None:
            catchup.subscriber.go_live()
            catchup.send_changes()
        return True

    async def _run(self, catchup: CatchUp, pause: float = 0) -> None:
        outlet = catchup.subscriber.outlet
        try:
            await asyncio.sleep(pause)
            await catchup.replay()
            while not outlet.closed and not self._finish(catchup):
                await catchup.advance()
        except StorageUnavailable:
            outlet.close(closing.OVERLOADED, "the storage is unavailable")
        except BaseException:
            outlet.close(closing.OVERLOADED)
            raise
