"""Entries of logs, and the arithmetic of dense positions."""

import bisect
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from tidings_workers.store.intervals import Bounds
from tidings_workers.store.packing import text

END: Final = 2**53 - 1
"""No log has a higher position."""


class Entry(NamedTuple):
    """One entry of a log. `content` is the notification's JSON; `expires` is ms or 0."""

    position: int
    content: bytes
    expires: int
    exclude: frozenset[str]

    def visible_to(self, user: str, now: int) -> bool:
        """Whether the user may see it at `now` (Unix ms)."""
        return (not self.expires or now < self.expires) and user not in self.exclude


class _Head(Struct):
    id: str
    category: str = ""


_id: Final = re.compile(rb'^\{"id":"([0-9a-f-]{36})"')


def id_of(content: bytes) -> str:
    """The id of a notification's JSON; the server writes it first."""
    found = _id.match(content)
    return found[1].decode() if found else msgspec.json.decode(content, type=_Head).id


def category_of(content: bytes) -> str:
    """The category of a notification's JSON, or ''."""
    return msgspec.json.decode(content, type=_Head).category


class Part(NamedTuple):
    """A part of a log to read: at most `limit` entries at these positions.

    `category` narrows it: an exact name, or a prefix that ends in a dot.
    """

    base: str
    positions: Bounds
    limit: int
    newest_first: bool = False
    category: str = ""


class Range(NamedTuple):
    """The entries that were read, and the head and floor of the log at that moment."""

    head: int
    floor: int
    entries: list[Entry]


class Departure(NamedTuple):
    """A user left a group at a position of its log. An empty `user`: all members left.

    `number` is that of the leaving by the group's clock, see `rosters`.
    """

    user: str
    position: int
    number: int


class Facts(NamedTuple):
    """The arithmetic of a log: it has the positions `floor` < p <= `head`, without its sorted `holes`.

    The entry of a hole was recalled, expired, or was retired. `changes` counts all events of the log without
    appends. `expiring` has (ms, position) of entries that will expire. `retired` is the highest position that
    was retired. `departed` has the last departures from the group in order, if it is a group's log.
    """

    head: int
    floor: int
    holes: list[int]
    changes: int = 0
    expiring: Sequence[tuple[int, int]] = ()
    retired: int = 0
    departed: Sequence[Departure] = ()

    def between(self, after: int, up_to: int) -> int:
        """The number of entries with `after` < position <= `up_to`."""
        after, up_to = max(after, self.floor), min(up_to, self.head)
        if up_to <= after:
            return 0
        missing = bisect.bisect_right(self.holes, up_to) - bisect.bisect_right(self.holes, after)
        return up_to - after - missing

    def present(self, positions: Bounds) -> int:
        """The number of entries at these positions."""
        # Skip the intervals below the floor.
        first = bisect.bisect_right(positions, self.floor) // 2 * 2
        return sum(self.between(positions[at], positions[at + 1]) for at in range(first, len(positions), 2))


def facts_of(
    head: Any,
    floor: Any,
    holes: Sequence[Any],
    changes: Any = 0,
    expiring: Sequence[Any] = (),
    retired: Any = 0,
    departed: Sequence[Any] = (),
) -> Facts:
    """Facts from the reply of `facts.lua` or `watch.lua`."""
    return Facts(
        int(head or 0),
        int(floor or 0),
        sorted({int(text(hole).split("|", 1)[0]) for hole in holes}),
        int(changes or 0),
        sorted((int(float(at)), int(position)) for position, at in _scored(expiring)),
        int(retired or 0),
        [_departure_of(text(member), int(float(number))) for member, number in _scored(departed)],
    )


def _departure_of(member: str, number: int) -> Departure:
    position, _, user = member.partition(":")
    return Departure(user, int(position), number)


def _scored(rows: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """The members of a sorted set with their scores, as pairs or alternating."""
    return map(tuple, rows) if rows and isinstance(rows[0], list) else _pairs(rows)


def _pairs(flat: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(flat[::2], flat[1::2], strict=True)


def entry_of(entry_id: bytes, fields: Sequence[bytes]) -> Entry:
    """An entry from a script's reply: flat fields, first `n` (content), then `x` and `e` if set."""
    position = int(entry_id.split(b"-", 1)[0])
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
    )


def category_matches(wanted: str, category: str) -> bool:
    """Whether a category is the wanted one, or begins with it when that ends in a dot."""
    return category.startswith(wanted) if wanted.endswith(".") else category == wanted
