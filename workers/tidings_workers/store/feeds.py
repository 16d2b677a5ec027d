"""Feeds, interest and devices, for a gateway.

A feed carries entries, but may lose some; the log is authoritative. Interest is registered before a head is
read, so an entry after that head is in the feed, or is found missing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from tidings.protocol import limits
from tidings_workers.store.attaching import Arrival, Attached, Attaching
from tidings_workers.store.changes import Change, decode_change
from tidings_workers.store.core import Core
from tidings_workers.store.entries import Facts, facts_of
from tidings_workers.store.errors import DataLost
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.keys import GATEWAYS, Log, feed
from tidings_workers.store.packing import Packed, pack
from tidings_workers.store.presence import KEPT_SECONDS

FEED_SECONDS: Final = 15


class Acknowledgement(NamedTuple):
    """The positions of a device. `start` replaces the stored positions instead of moving them forward.

    `initial`: the positions of further logs for a device that the store does not know.
    """

    log: Log
    device: str
    positions: Mapping[str, int]
    start: bool
    initial: Mapping[str, int] = MappingProxyType({})


class Delivery(NamedTuple):
    """A user's device acknowledged these spans (after, up to) of a log.

    `only_later`: only the positions behind every position that was delivered to the user before count.
    """

    user: Log
    tenant: str
    name: str
    log_base: str
    spans: list[tuple[int, int]]
    only_later: bool = False


class DeliveredItem(Packed, frozen=True):
    """An item of delivered.lua. `logs`: of each its base, the acknowledged spans, and `only_later`."""

    base: str
    tenant: str
    user: str
    logs: list[tuple[str, list[tuple[int, int]], bool]]


class DevicePositions(Packed, frozen=True):
    """An item of acknowledge.lua: positions by log; `start` replaces those that the device had.

    `initial` are the positions of further logs for a device that is new.
    """

    base: str
    device: str
    positions: dict[str, int]
    start: bool
    initial: dict[str, int]


class Acknowledge(Packed, frozen=True):
    """The request of acknowledge.lua; a user keeps the positions of `limit` devices."""

    now: int
    limit: int
    items: list[DevicePositions]
    epoch: str


class Feeds:
    """The feeds of gateways, the logs in them, and the devices of users."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._attaching = Attaching(core)

    async def open(self, gateway: str, partitions: Sequence[int]) -> None:
        """Create the feeds of a gateway. Each expires 15 s after its last renewal."""
        call = self._core.call
        futures = []
        for partition in partitions:
            key = feed(partition, gateway)
            futures.append(call("XADD", key, "MAXLEN", 1, "*", "f", pack([])))
            futures.append(call("PEXPIRE", key, FEED_SECONDS * 1000))
        await asyncio.gather(*futures)

    async def renew(self, gateway: str, read: Mapping[int, str]) -> list[int]:
        """Renew feeds and trim items up to these ids. Returns the partitions whose feeds had expired."""
        call = self._core.call
        keys = {partition: feed(partition, gateway) for partition in read}
        answers = await asyncio.gather(
            *(call("PEXPIRE", key, FEED_SECONDS * 1000) for key in keys.values()),
            *(call("XTRIM", keys[partition], "MINID", feed_id) for partition, feed_id in read.items()),
            call("ZADD", GATEWAYS, milliseconds(), gateway),
            call("ZREMRANGEBYSCORE", GATEWAYS, 0, milliseconds() - KEPT_SECONDS * 1000),
        )
        return [partition for partition, kept in zip(keys, answers, strict=False) if not kept]

    async def close(self, gateway: str) -> None:
        """Delete the feeds of a gateway that stops, and its heartbeat."""
        call = self._core.call
        feeds = [feed(partition, gateway) for partition in range(self._core.partitions)]
        await asyncio.gather(*(call("DEL", key) for key in feeds), call("ZREM", GATEWAYS, gateway))

    async def watch(self, gateway: str, partition: int, bases: Sequence[str]) -> list[Facts]:
        """Register interest in logs, then read their facts."""
        answer = await self._core.run("watch", partition, pack([gateway, bases]))
        return [facts_of(*facts) for facts in answer]

    async def unwatch(self, gateway: str, partition: int, bases: Sequence[str]) -> None:
        """End interest in logs."""
        await self._core.run("unwatch", partition, pack([gateway, bases]))

    async def attach(
        self, gateway: str, log: Log, device: str | None, arrival: Arrival | None = None
    ) -> Attached:
        """Register interest in a user's log, and a new connection; read the data of the user's partition."""
        return await self._attaching.attach(gateway, log, device, arrival)

    async def journal(self, log: Log, after: int) -> list[tuple[int, Change]] | None:
        """The marks after a version of the user's state, in order. None when the journal lacks some."""
        call = self._core.call
        version, raw = await asyncio.gather(
            call("HGET", log.root, "marks"), call("LRANGE", log.key("marks"), 0, -1)
        )
        rows = [row.split(b" ", 2) for row in raw]
        found = [(int(number), decode_change(change)) for number, _, change in rows if int(number) > after]
        return found if len(found) >= int(version or 0) - after else None

    async def compare(
        self, gateway: str, partition: int, logs: Sequence[tuple[str, int, int]]
    ) -> tuple[dict[int, int], list[int]]:
        """Compare (base, position, changes) with the logs, and renew interest in them.

        Returns the later heads of logs by their indexes, and the indexes of logs with other changes. Raises
        DataLost when a log ends before a position that it once had.
        """
        behind, changed = await self._core.run("heads", partition, pack([gateway, logs]))
        heads = {number - 1: head for number, head in zip(behind[::2], behind[1::2], strict=True)}
        for index, head in heads.items():
            base, position, _ = logs[index]
            if head < position:
                raise DataLost(f"the log {base} no longer has position {position}")
        return heads, [number - 1 for number in changed]

    async def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Count acknowledged entries on the receipts of their notifications, once per user."""
        parts: dict[int, dict[str, DeliveredItem]] = {}
        for item in deliveries:
            row = parts.setdefault(item.user.partition, {}).setdefault(
                item.user.base, DeliveredItem(item.user.base, item.tenant, item.name, [])
            )
            row.logs.append((item.log_base, item.spans, item.only_later))
        await asyncio.gather(
            *(
                self._core.run("delivered", partition, pack(list(rows.values())))
                for partition, rows in parts.items()
            )
        )

    async def acknowledge(self, acknowledgements: Sequence[Acknowledgement]) -> None:
        """Move the positions of devices forward. Of over 20 devices, the least recently used is removed."""
        parts: dict[int, list[DevicePositions]] = {}
        for item in acknowledgements:
            device = DevicePositions(
                item.log.base, item.device, dict(item.positions), item.start, dict(item.initial)
            )
            parts.setdefault(item.log.partition, []).append(device)
        now = milliseconds()
        await asyncio.gather(
            *(
                self._core.run(
                    "acknowledge",
                    partition,
                    pack(Acknowledge(now, limits.DEVICES_PER_USER, rows, self._core.epoch)),
                )
                for partition, rows in parts.items()
            )
        )
