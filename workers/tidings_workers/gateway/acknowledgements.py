"""Collects the acknowledgements of clients and stores them in batches.

Storing moves the positions of devices forward and counts the user in the notifications' `delivered`. It may
be repeated: positions and counts only move forward.
"""

import asyncio
from typing import Final

from tidings.protocol.frames import Positions
from tidings_workers.gateway.users import Subscriber, User, UserLog
from tidings_workers.store import StorageUnavailable
from tidings_workers.store.feeds import Acknowledgement, Delivery, Feeds

# How many positions of a log a resume acknowledges at most when the store has none of the device.
_RESUMED: Final = 200


class Acknowledgements:
    """The acknowledgements of one gateway that are not stored yet."""

    def __init__(self, feeds: Feeds) -> None:
        self._feeds = feeds
        self._devices: dict[tuple[str, str], Acknowledgement] = {}
        self._deliveries: list[Delivery] = []
        self._storing = asyncio.Lock()

    def has_pending(self, subscriber: Subscriber) -> bool:
        """Whether an acknowledgement of the connection's device is not stored yet."""
        return (subscriber.user.tail.log.base, subscriber.device) in self._devices

    def add(self, subscriber: Subscriber, positions: Positions) -> None:
        """The client received everything up to these positions. Positions above what it was sent are cut."""
        user = subscriber.user
        own = user.tail.log
        cut: dict[str, int] = {}
        for name, position in positions.items():
            before = subscriber.acknowledged.get(name)
            if before is None:
                continue
            cut[name] = min(position, subscriber.cursor(name))
            if cut[name] > before:
                subscriber.acknowledge(name, cut[name])
                log = user.log(name)
                spans = log.spans(before, cut[name])
                self._deliveries.append(Delivery(own, user.tenant, user.name, log.log.base, spans))
        if subscriber.device is None:
            return
        self._keep(Acknowledgement(own, subscriber.device, cut, start=False))

    def add_resumed(self, user: User, log: UserLog, known: int | None, position: int) -> None:
        """A client resumes behind a position of a log: it received everything up to there.

        The gateway that had its last acknowledgements may have crashed before it stored them. `known`: the
        position of its device in the store. Without one, the start of the client's first connection is
        unknown. Then only later positions than all that were delivered to the user count, at most _RESUMED.
        """
        after = max(0, position - _RESUMED) if known is None else known
        spans = log.spans(after, position)
        if spans:
            own = user.tail.log
            self._deliveries.append(
                Delivery(own, user.tenant, user.name, log.log.base, spans, only_later=known is None)
            )

    def _keep(self, acknowledgement: Acknowledgement) -> None:
        """Keep it for the next `flush`. Of two positions of a device in a log, the higher one is kept."""
        key = (acknowledgement.log.base, acknowledgement.device)
        waiting = self._devices.get(key)
        if waiting is not None:
            positions = dict(waiting.positions)
            for name, position in acknowledgement.positions.items():
                positions[name] = max(position, positions.get(name, 0))
            acknowledgement = acknowledgement._replace(positions=positions)
        self._devices[key] = acknowledgement

    async def flush(self) -> None:
        """Store the acknowledgements that were added. All of them are stored on return.

        On StorageUnavailable they are kept for the next call.
        """
        async with self._storing:
            devices, self._devices = self._devices, {}
            deliveries, self._deliveries = self._deliveries, []
            try:
                if devices:
                    await self._feeds.acknowledge(list(devices.values()))
                if deliveries:
                    await self._feeds.deliver(deliveries)
            except StorageUnavailable:
                for acknowledgement in devices.values():
                    self._keep(acknowledgement)
                self._deliveries = deliveries + self._deliveries
                raise
