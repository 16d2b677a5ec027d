"""What clients acknowledged, kept for a moment and stored in one go.

Two things come of it: a device's positions move forward, and the notifications count one more user
whom they reached. Storing may be repeated: positions and marks only move forward.
"""

import asyncio
from typing import TYPE_CHECKING

from tidings.protocol.frames import Positions
from tidings_workers.gateway.hub import Hub
from tidings_workers.store import StorageUnavailable
from tidings_workers.store.feeds import Acknowledgement, Delivery

if TYPE_CHECKING:
    from tidings_workers.gateway.connection import Connection


class Acknowledgements:
    """The acknowledgements of one gateway that are not stored yet."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._devices: dict[tuple[str, str], Acknowledgement] = {}
        self._deliveries: list[Delivery] = []
        self._storing = asyncio.Lock()

    def waits_for(self, connection: "Connection") -> bool:
        """Whether something of the connection's device is not stored yet."""
        return (connection.user.topic.log.base, connection.device) in self._devices

    def add(self, connection: "Connection", positions: Positions) -> None:
        """Everything up to these positions arrived; cut to what the connection was sent."""
        user = connection.user
        cut: dict[str, int] = {}
        for name, position in positions.items():
            begun = connection.acknowledged.get(name)
            if begun is None:
                continue
            cut[name] = min(position, connection.cursor(name))
            if cut[name] > begun:
                connection.acknowledged[name] = cut[name]
                spans = user.spans(name, begun, cut[name])
                log = self._hub.log(user, name).base
                self._deliveries.append(Delivery(user.topic.log, user.tenant, user.name, log, spans))
        if connection.device is None:
            return
        key = (user.topic.log.base, connection.device)
        waiting = self._devices.get(key)
        if waiting is not None:
            for name, position in waiting.positions.items():
                cut[name] = max(position, cut.get(name, 0))
        self._devices[key] = Acknowledgement(user.topic.log, connection.device, cut, anew=False)

    async def store(self) -> None:
        """Store what came since the last time; all of it is stored on return."""
        async with self._storing:
            devices, self._devices = self._devices, {}
            deliveries, self._deliveries = self._deliveries, []
            feeds = self._hub.store.feeds
            try:
                if devices:
                    await feeds.acknowledge(list(devices.values()))
                if deliveries:
                    await feeds.deliver(deliveries)
            except StorageUnavailable:
                # Keep them for the next time; newer positions win.
                self._devices = devices | self._devices
                self._deliveries = deliveries + self._deliveries
                raise
