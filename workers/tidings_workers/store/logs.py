"""Reading logs: entries, and the arithmetic of dense positions."""

import bisect
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from tidings_workers.store.core import Core
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Log
from tidings_workers.store.packing import pack, text

END: Final = 2**53 - 1
"""No log has a higher position."""


class Entry(NamedTuple):
    """One entry of a log. `content` is the notification's JSON; `expires` is ms or 0; `category` or ''."""

    position: int
    content: bytes
    expires: int
    exclude: frozenset[str]
    category: str = ""

    def visible_to(self, user: str, now: int) -> bool:
        """Whether the user may see it at `now` (ms since the epoch)."""
        return (not self.expires or now < self.expires) and user not in self.exclude


class _Head(Struct):
    id: str


_id: Final = re.compile(rb'^\{"id":"([0-9a-f-]{36})"')


def id_of(content: bytes) -> str:
    """The id of a notification's JSON; the server writes it first."""
    found = _id.match(content)
    return found[1].decode() if found else msgspec.json.decode(content, type=_Head).id


class Part(NamedTuple):
    """What to read of a log: entries at these positions, `limit` of them at most.

    `category` narrows it: an exact name, or a prefix that ends in a dot.
    """

    base: str
    positions: Bounds
    limit: int
    newest_first: bool = False
    category: str = ""


class Range(NamedTuple):
    """What was read: the log's head and floor at that moment, and the entries."""

    head: int
    floor: int
    entries: list[Entry]


class Facts(NamedTuple):
    """A log's arithmetic: positions `floor` < p <= `head` are there, but for `holes` (sorted).

    A hole is what was recalled, what has expired by itself, or what retention took. `changes` counts all
    that ever happened to the log but appends. `expiring`: (ms, position) of what will end by itself.
    `retired` is the highest position that retention took.
    """

    head: int
    floor: int
    holes: list[int]
    changes: int = 0
    expiring: Sequence[tuple[int, int]] = ()
    retired: int = 0

    def between(self, after: int, up_to: int) -> int:
        """How many entries there are with `after` < position <= `up_to`."""
        after, up_to = max(after, self.floor), min(up_to, self.head)
        if up_to <= after:
            return 0
        missing = bisect.bisect_right(self.holes, up_to) - bisect.bisect_right(self.holes, after)
        return up_to - after - missing

    def live(self, positions: Bounds) -> int:
        """How many entries there are at these positions."""
        # From the first interval that reaches above the floor: what lies below was long settled.
        first = bisect.bisect_right(positions, self.floor) // 2 * 2
        return sum(self.between(positions[at], positions[at + 1]) for at in range(first, len(positions), 2))


def facts_of(
    head: Any,
    floor: Any,
    holes: Sequence[Any],
    changes: Any = 0,
    expiring: Sequence[Any] = (),
    retired: Any = 0,
) -> Facts:
    """Facts from the reply of `facts.lua`."""
    rows = (
        [tuple(row) for row in expiring]
        if expiring and isinstance(expiring[0], list)
        else list(_pairs(expiring))
    )
    return Facts(
        int(head or 0),
        int(floor or 0),
        sorted({int(text(hole).split("|", 1)[0]) for hole in holes}),
        int(changes or 0),
        sorted((int(float(at)), int(position)) for position, at in rows),
        int(retired or 0),
    )


def _pairs(flat: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(flat[::2], flat[1::2], strict=True)


def entry_of(identity: bytes, fields: Sequence[bytes]) -> Entry:
    """An entry from a script's reply: flat fields, `n` content first, then what it has of `x`, `e`, `c`."""
    position = int(identity.split(b"-", 1)[0])
    content = fields[1]
    if len(fields) == 2:  # noqa: PLR2004 - one field and its value
        return Entry(position, content, 0, frozenset())
    rest = dict(_pairs(fields[2:]))
    exclude = rest.get(b"e")
    return Entry(
        position,
        content,
        int(rest.get(b"x", 0)),
        frozenset(exclude.decode().split(",")) if exclude else frozenset(),
        text(rest.get(b"c", b"")),
    )


async def read(core: Core, partition: int, parts: Sequence[Part]) -> list[Range]:
    """Read parts of logs of one partition, in one script call."""
    answer = await core.run("read", partition, pack(parts))
    return [
        Range(int(head), int(floor), [entry_of(identity, fields) for identity, fields in entries])
        for head, floor, entries in answer
    ]


class ExpiredEntry(NamedTuple):
    """An entry that expired: log, position, when it was accepted (ms), and its category or ''."""

    log: str
    position: int
    accepted_at: int
    category: str


class Logs:
    """Reading logs."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def read(self, log: Log, after: int, up_to: int, limit: int) -> Range:
        """The first `limit` entries with `after` < position <= `up_to`, in order."""
        (found,) = await read(self._core, log.partition, [Part(log.base, [after, up_to], limit)])
        return found

    async def expired(self, log: Log, after: int, up_to: int) -> list[ExpiredEntry]:
        """The entries with `after` < position <= `up_to` that expired, in order."""
        found = []
        for member in await self._core.run("ended", log.partition, pack([log.base, [after, up_to]])):
            position, at, category = text(member).split("|", 2)
            found.append(ExpiredEntry(log.name, int(position), int(at), category))
        return found

    async def excluding(self, log: Log, after: int, up_to: int) -> list[Entry]:
        """The entries with `after` < position <= `up_to` that exclude users, in order."""
        key = log.key("excludes")
        found = await self._core.connection.call("ZRANGE", key, f"({after}", up_to, "BYSCORE")
        if not found:
            return []
        parts = [Part(log.base, [int(position) - 1, int(position)], 1) for position in found]
        return [entry for range_ in await read(self._core, log.partition, parts) for entry in range_.entries]
