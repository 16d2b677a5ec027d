"""Brings subscribers to the ends of their logs, and makes them live there.

A subscriber becomes live in one synchronous step, when it has been sent every log up to its end. So there
is no position that it misses or receives twice.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from tidings.protocol import closing, frames
from tidings_workers.gateway.catchup import CatchUp
from tidings_workers.gateway.interest import Spawn
from tidings_workers.gateway.topics import Topic
from tidings_workers.gateway.users import Subscriber
from tidings_workers.store import Change, StorageUnavailable, Store
from tidings_workers.store.keys import milliseconds

# Catch-ups that read from the store at once.
READERS: Final = 64


class CatchUps:
    """The subscribers of one gateway that are catching up, so that no topic sends to them."""

    def __init__(self, store: Store, spawn: Spawn) -> None:
        self.running: dict[Subscriber, CatchUp] = {}
        self._store = store
        self._spawn = spawn
        self._reading = asyncio.Semaphore(READERS)

    def start(
        self,
        subscriber: Subscriber,
        cursors: dict[str, int],
        departed: set[str],
        *,
        replay: bool,
        states: Sequence[frames.Stated] = (),
    ) -> None:
        """Begin at these cursors, which name every log that the client was sent the start of.

        The subscriber is live on return if there is nothing to send. For the rest see `CatchUp`.
        """
        subscriber.catch_up(cursors)
        catchup = CatchUp(self._store, subscriber, cursors, departed, states, self._reading, replay=replay)
        self.running[subscriber] = catchup
        if not self._finish(catchup):
            self._spawn(self._run(catchup))

    def stop(self, subscriber: Subscriber) -> None:
        """The subscriber's connection is closing: nothing more is sent to it."""
        self.running.pop(subscriber, None)
        subscriber.stop()

    def joined(self, subscriber: Subscriber, name: str, position: int) -> None:
        """The user became a member of a group: its log starts here after a position."""
        if not subscriber.outlet.is_open:
            return
        subscriber.outlet.send(frames.Joined(name, position))
        catchup = self.running.get(subscriber)
        if catchup is not None:
            # A cursor may be left from an earlier membership, whose rest is still to be sent.
            catchup.cursors.setdefault(name, position)
            catchup.departed.discard(name)
            subscriber.acknowledged.setdefault(name, position)
        elif subscriber.outlet.is_open:
            cursors = {log: subscriber.cursor(log) for log in subscriber.acknowledged}
            self.start(subscriber, cursors | {name: position}, set(), replay=False)

    def left(self, subscriber: Subscriber, topic: Topic[Subscriber], position: int) -> None:
        """The user left a group: nothing after a position is sent."""
        topic.stop(subscriber)
        name = topic.log.name
        if not subscriber.outlet.is_open or name not in subscriber.acknowledged:
            return
        catchup = self.running.get(subscriber)
        if catchup is not None:
            catchup.departed.add(name)
        else:
            subscriber.outlet.send(frames.Left(name, position))

    def counts(self, subscriber: Subscriber) -> frames.Counts:
        """The counts of the user's inbox, as far as the subscriber was sent it.

        The client adds what it receives until it has caught up.
        """
        catchup = self.running.get(subscriber)
        return subscriber.user.counts(milliseconds(), catchup.reach if catchup is not None else None)

    def hold(self, subscriber: Subscriber, version: int, change: Change) -> bool:
        """Send a mark when the subscriber has caught up; False when it has."""
        catchup = self.running.get(subscriber)
        if catchup is None:
            return False
        catchup.hold(version, change)
        return True

    def _finish(self, catchup: CatchUp) -> bool:
        """Make the subscriber live if there is nothing left to send; True when there is nothing to do."""
        if not catchup.is_complete:
            return False
        catchup.conclude()
        # A slow consumer may have been closed by what was sent.
        if self.running.pop(catchup.subscriber, None) is not None:
            catchup.subscriber.go_live()
            catchup.send_changes()
        return True

    async def _run(self, catchup: CatchUp) -> None:
        outlet = catchup.subscriber.outlet
        try:
            await catchup.replay()
            while not outlet.closed and not self._finish(catchup):
                await catchup.advance()
        except StorageUnavailable:
            outlet.close(closing.OVERLOADED, "the storage is away")
        except BaseException:
            outlet.close(closing.OVERLOADED)
            raise
