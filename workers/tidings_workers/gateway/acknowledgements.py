"""What clients acknowledged, kept for a moment and stored in one call.

Storing it moves a device's positions forward, and counts the user as one that the notifications reached. It
may be repeated: positions and counts only move forward.
"""

import asyncio

from tidings.protocol.frames import Positions
from tidings_workers.gateway.users import Subscriber
from tidings_workers.store import StorageUnavailable
from tidings_workers.store.feeds import Acknowledgement, Delivery, Feeds


class Acknowledgements:
    """The acknowledgements of one gateway that are not stored yet."""

    def __init__(self, feeds: Feeds) -> None:
        self._feeds = feeds
        self._devices: dict[tuple[str, str], Acknowledgement] = {}
        self._deliveries: list[Delivery] = []
        self._storing = asyncio.Lock()

    def waits_for(self, subscriber: Subscriber) -> bool:
        """Whether an acknowledgement of the connection's device is not stored yet."""
        return (subscriber.user.topic.log.base, subscriber.device) in self._devices

    def add(self, subscriber: Subscriber, positions: Positions) -> None:
        """Everything up to these positions was received; cut to what the connection was sent."""
        user = subscriber.user
        own = user.topic.log
        cut: dict[str, int] = {}
        for name, position in positions.items():
            before = subscriber.acknowledged.get(name)
            if before is None:
                continue
            cut[name] = min(position, subscriber.cursor(name))
            if cut[name] > before:
                subscriber.acknowledged[name] = cut[name]
                log = user.log(name)
                spans = log.spans(before, cut[name])
                self._deliveries.append(Delivery(own, user.tenant, user.name, log.log.base, spans))
        if subscriber.device is None:
            return
        key = (own.base, subscriber.device)
        waiting = self._devices.get(key)
        if waiting is not None:
            for name, position in waiting.positions.items():
                cut[name] = max(position, cut.get(name, 0))
        self._devices[key] = Acknowledgement(own, subscriber.device, cut, anew=False)

    async def store(self) -> None:
        """Store what was added since the last time; all of it is stored on return."""
        async with self._storing:
            devices, self._devices = self._devices, {}
            deliveries, self._deliveries = self._deliveries, []
            try:
                if devices:
                    await self._feeds.acknowledge(list(devices.values()))
                if deliveries:
                    await self._feeds.deliver(deliveries)
            except StorageUnavailable:
                # Keep them for the next time; newer positions win.
                self._devices = devices | self._devices
                self._deliveries = deliveries + self._deliveries
                raise
