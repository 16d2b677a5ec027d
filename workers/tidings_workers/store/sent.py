"""Walking through the notifications that a tenant has sent.

The list of a partition is a stream. One entry has all sends that one call of a script accepted, so a send is
found by the id of its entry and its number there.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from tidings_workers.store.core import Core
from tidings_workers.store.keys import tenant_sends
from tidings_workers.store.packing import text

# An entry has up to 250 ids.
_ENTRIES_READ: Final = 50
_ID_LENGTH: Final = 36

_categories: Final = msgspec.msgpack.Decoder(list[str])


class Edge(Struct, array_like=True, frozen=True):
    """A boundary through the sends of a tenant: per partition, ids below it are older, the others newer.

    `past`: the same for the archive, as the digits of an id; '' if there is no boundary.
    """

    forward: bool
    below: dict[int, str]
    past: str = ""


class _Send(NamedTuple):
    entry: str
    number: int
    id: str
    category: str


class SentWalk:
    """Reads the sends of a tenant in one partition, newest or oldest first.

    `boundary`: a place ``<entry>/<number>``. Sends below it are older than every send that was taken (newest
    first), or were taken already. Without a number it is the start of the entry.
    """

    def __init__(self, core: Core, tenant: str, partition: int, edge: Edge | None) -> None:
        self.partition = partition
        self.boundary = edge.below.get(partition, "0-1") if edge else ""
        self._sends: deque[_Send] = deque()
        self._core = core
        self._key = tenant_sends(partition, tenant)
        self._forward = edge is None or edge.forward
        self._last = ""
        self._ended = False

    @property
    def needs_read(self) -> bool:
        """Whether the next notification is known only after another read."""
        return not self._sends and not self._ended

    def peek(self) -> int | None:
        """The id of the next notification as a number, which rises with the time of acceptance."""
        return int(self._sends[0].id.replace("-", ""), 16) if self._sends else None

    @property
    def category(self) -> str:
        """The category of the next notification, or ''."""
        return self._sends[0].category

    @property
    def next_id(self) -> str:
        """The id of the next notification."""
        return self._sends[0].id

    def take(self) -> str:
        """Pass the next notification; returns its id."""
        send = self._sends.popleft()
        self.boundary = _place(send.entry, send.number if self._forward else send.number + 1)
        return send.id

    async def read(self) -> None:
        """Read the next entries."""
        call, (entry, number) = self._core.call, _parse(self.boundary)
        if self._forward:
            edge = f"({self._last}" if self._last else entry or "+"
            found = await call("XREVRANGE", self._key, edge, "-", "COUNT", _ENTRIES_READ)
        else:
            edge = f"({self._last}" if self._last else entry
            found = await call("XRANGE", self._key, edge, "+", "COUNT", _ENTRIES_READ)
        for entry_id, fields in found:
            values = fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))
            sends = list(_sends_of(text(entry_id), values))
            if not self.boundary:
                # Sends that are accepted later are newer: the boundary is the current end of this partition.
                self.boundary = _place(text(entry_id), len(sends))
            elif text(entry_id) == entry:
                sends = sends[:number] if self._forward else sends[number:]
            self._sends.extend(reversed(sends) if self._forward else sends)
        self._ended = len(found) < _ENTRIES_READ
        if found:
            self._last = text(found[-1][0])
        self.boundary = self.boundary or "0-1"


def _sends_of(entry: str, values: Mapping[bytes, Any]) -> Iterator[_Send]:
    """The sends of an entry: `i` has their ids, `c` the category of a single one, `l` those of several."""
    ids, packed = text(values[b"i"]), values.get(b"l")
    categories = _categories.decode(packed) if packed else None
    category = text(values.get(b"c", b""))
    for number, start in enumerate(range(0, len(ids), _ID_LENGTH)):
        yield _Send(
            entry, number, ids[start : start + _ID_LENGTH], categories[number] if categories else category
        )


def _place(entry: str, number: int) -> str:
    return f"{entry}/{number}"


def _parse(place: str) -> tuple[str, int]:
    entry, _, number = place.partition("/")
    return entry, int(number or 0)
