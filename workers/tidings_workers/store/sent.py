"""Walking through the notifications that a tenant has sent."""

import asyncio
from collections import deque
from typing import Final

from msgspec import Struct

from tidings_workers.store.core import Core
from tidings_workers.store.keys import tenant_sends
from tidings_workers.store.packing import text

_SENT_READ: Final = 200


class Edge(Struct, array_like=True, frozen=True):
    """A boundary through the sends of a tenant: per partition, ids below it are older, the others newer."""

    forward: bool
    below: dict[int, str]


class SentWalk:
    """Reads the sends of a tenant in one partition, newest or oldest first.

    `boundary`: ids below it are older than every send that was taken (newest first), or were taken already.
    """

    def __init__(self, core: Core, tenant: str, partition: int, edge: Edge | None) -> None:
        self.partition = partition
        self.boundary = edge.below.get(partition, "0-1") if edge else ""
        self._entries: deque[tuple[str, str, str]] = deque()
        self._core = core
        self._key = tenant_sends(partition, tenant)
        self._forward = edge is None or edge.forward
        self._last = ""
        self._ended = False

    @property
    def needs_read(self) -> bool:
        """Whether the next notification is known only after another read."""
        return not self._entries and not self._ended

    def peek(self) -> int | None:
        """The id of the next notification as a number, which rises with the time of acceptance."""
        return int(self._entries[0][1].replace("-", ""), 16) if self._entries else None

    @property
    def category(self) -> str:
        """The category of the next notification, or ''."""
        return self._entries[0][2]

    def take(self) -> str:
        """Pass the next notification; returns its id."""
        entry, notification_id, _ = self._entries.popleft()
        self.boundary = entry if self._forward else _following(entry)
        return notification_id

    async def read(self) -> None:
        """Read the next entries."""
        call = self._core.call
        if self._forward:
            edge = f"({self._last or self.boundary}" if self._last or self.boundary else "+"
            found = await call("XREVRANGE", self._key, edge, "-", "COUNT", _SENT_READ)
        else:
            edge = f"({self._last}" if self._last else self.boundary
            found = await call("XRANGE", self._key, edge, "+", "COUNT", _SENT_READ)
        for entry_id, fields in found:
            values = fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))
            self._entries.append((text(entry_id), text(values[b"i"]), text(values.get(b"c", b""))))
        self._ended = len(found) < _SENT_READ
        if found:
            self._last = text(found[-1][0])
        if not self.boundary:
            # Sends that are accepted later are newer: the boundary is the current end of this partition.
            self.boundary = _following(self._entries[0][0]) if found else "0-1"


def _following(entry: str) -> str:
    """The least id above this one."""
    time, number = entry.split("-")
    return f"{time}-{int(number) + 1}"


async def refill(walks: list[SentWalk]) -> None:
    """Read the next entries of these walks."""
    await asyncio.gather(*(walk.read() for walk in walks))
