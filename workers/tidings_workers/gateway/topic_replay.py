"""Replays to one subscription the entries of its topic that it missed, with backpressure.

Each subscription replays on its own, so a long one delays neither the inbox nor another topic.
"""

import asyncio
from typing import NamedTuple

from tidings.protocol import closing
from tidings.protocol.frames import CaughtUp, Gap
from tidings_workers import metrics
from tidings_workers.gateway.catchup import PAGE_ENTRIES, PART_BYTES, parts
from tidings_workers.gateway.interest import Interest
from tidings_workers.gateway.subscription import Subscription
from tidings_workers.gateway.tails import Tail
from tidings_workers.store import StorageUnavailable, Store
from tidings_workers.store.entries import Entry
from tidings_workers.store.ids import milliseconds


class Start(NamedTuple):
    """Where a subscription starts. `replay`: entries up to the present end are sent as replayed."""

    position: int
    replay: bool
    gap: Gap | None = None


class TopicReplay:
    """Finds the starts of subscriptions, and sends what follows them. `reading` limits concurrent reads."""

    def __init__(self, store: Store, interest: Interest, reading: asyncio.Semaphore) -> None:
        self._store = store
        self._interest = interest
        self._reading = reading

    async def start(self, tail: Tail[Subscription], after: int | None, rewind: int | None) -> Start:
        """The start after a position, before the last entries, or at the end. Raises StorageUnavailable."""
        if after is not None:
            return await self._start_after(tail, after)
        if rewind is None:
            return Start(tail.position, replay=False)
        position = tail.position
        if rewind:
            assert tail.log.topic is not None  # noqa: S101 - the tail of a topic
            found = await self._store.topics.entries(
                tail.log.tenant, tail.log.topic, rewind, None, only_live=True
            )
            if found.items:
                position = min(tail.position, found.items[-1].position - 1)
        return Start(position, replay=True)

    async def _start_after(self, tail: Tail[Subscription], after: int) -> Start:
        if after > tail.position:
            # The client received this position from another gateway: read the log up to it.
            tail.report_head(after)
            if tail.healing is not None:
                await asyncio.wait([tail.healing])
            if after > tail.position:
                await self._interest.heal(tail)
        if after > tail.position:
            return data_lost(tail)
        removed_up_to = min(max(tail.floor, tail.retired), tail.position)
        if after >= removed_up_to:
            return Start(after, replay=True)
        lost = await self._store.retention.lost(tail.log, [after, removed_up_to])
        if lost is None:
            return Start(max(after, tail.floor), replay=True)
        gap = Gap(tail.log.name, lost.first, lost.last, lost.missed, "expired", lost.in_archive)
        return Start(max(after, tail.floor), replay=True, gap=gap)

    async def run(self, subscription: Subscription, *, replay: bool) -> None:
        """Send everything up to the end of the topic; the subscription is live then, unless it finished."""
        tail, outlet = subscription.tail, subscription.outlet
        try:
            if replay:
                self._send_from_memory(subscription)
                await self._send(subscription, tail.position, replayed=True)
                if not subscription.is_finished:
                    outlet.send(CaughtUp({tail.log.name: subscription.sent}))
            while not subscription.is_finished and not subscription.go_live():
                await self._send(subscription, tail.position, replayed=False)
        except StorageUnavailable:
            outlet.close(closing.OVERLOADED, "the storage is unavailable")
        except BaseException:
            outlet.close(closing.OVERLOADED)
            raise

    @staticmethod
    def _send_from_memory(subscription: Subscription) -> None:
        """Send the missing entries if memory has them and they are few, as after a restart."""
        tail, outlet, after = subscription.tail, subscription.outlet, subscription.sent
        if tail.recent is None or after >= tail.position:
            return
        frames = tail.recent.replay(tail.log.name, outlet.wire, after, tail.position)
        if frames is None or len(frames) > PART_BYTES:
            return
        outlet.write(frames)
        metrics.DELIVERED.inc(tail.position - after)
        subscription.cursor = tail.position

    async def _send(self, subscription: Subscription, target: int, *, replayed: bool) -> None:
        while subscription.sent < target:
            entries, complete = await self._page(subscription, target)
            for part in parts(entries):
                await subscription.outlet.writable()
                if subscription.is_finished:
                    return
                self._write(subscription, part, replayed=replayed)
                subscription.cursor = part[-1].position
            if complete:
                subscription.cursor = target

    async def _page(self, subscription: Subscription, target: int) -> tuple[list[Entry], bool]:
        """The next entries, from memory if possible, and whether they reach the target."""
        tail, after = subscription.tail, subscription.sent
        cached = tail.recent.between(after, target) if tail.recent is not None else None
        if cached is not None:
            return cached, True
        async with self._reading:
            found = await self._store.logs.read(tail.log, after, target, PAGE_ENTRIES)
        return found.entries, len(found.entries) < PAGE_ENTRIES

    @staticmethod
    def _write(subscription: Subscription, entries: list[Entry], *, replayed: bool) -> None:
        outlet, name, now = subscription.outlet, subscription.tail.log.name, milliseconds()
        frames = [
            outlet.wire.notification(name, entry.position, entry.content, replayed=replayed)
            for entry in entries
            if not entry.expires or entry.expires > now
        ]
        if frames:
            outlet.write(b"".join(frames))
            metrics.DELIVERED.inc(len(frames))


def data_lost(tail: Tail[Subscription]) -> Start:
    """The start of a client whose position is of another epoch: the end of the topic, with a gap."""
    end = tail.position
    return Start(end, replay=True, gap=Gap(tail.log.name, min(1, end), end, None, "epoch"))
