"""Reading logs: entries, spans that a user may see, and the arithmetic of dense positions."""

import bisect
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from tidings_workers.store.core import Core, pack

END: Final = 2**53 - 1
"""No log has a higher position."""


class Entry(NamedTuple):
    """One entry of a log. `content` is the notification's JSON; `expires` is ms or 0."""

    position: int
    content: bytes
    expires: int
    exclude: frozenset[str]

    def visible_to(self, user: str, now: int) -> bool:
        """Whether the user may see it at `now` (ms since the epoch)."""
        return (not self.expires or now < self.expires) and user not in self.exclude


class Part(NamedTuple):
    """What to read of a log: entries `after` < position <= `up_to`, `limit` of them at most."""

    base: str
    after: int
    up_to: int
    limit: int
    newest_first: bool = False


class Range(NamedTuple):
    """What was read: the log's head and floor at that moment, and the entries."""

    head: int
    floor: int
    entries: list[Entry]


class Facts(NamedTuple):
    """A log's arithmetic: positions `floor` < p <= `head` are there, but for `holes` (sorted).

    A hole is what was recalled, or what has expired by itself. `changes` counts all that ever happened
    to the log but appends: recalls, and for a user's log memberships and hidden marks.
    """

    head: int
    floor: int
    holes: list[int]
    changes: int = 0

    def between(self, after: int, up_to: int) -> int:
        """How many entries there are with `after` < position <= `up_to`."""
        after, up_to = max(after, self.floor), min(up_to, self.head)
        if up_to <= after:
            return 0
        missing = bisect.bisect_right(self.holes, up_to) - bisect.bisect_right(self.holes, after)
        return up_to - after - missing


def facts_of(head: Any, floor: Any, holes: Sequence[Any], changes: Any = 0) -> Facts:
    """Facts from Redis' replies."""
    return Facts(int(head or 0), int(floor or 0), sorted({int(hole) for hole in holes}), int(changes or 0))


def entry_of(identity: bytes, fields: Sequence[bytes]) -> Entry:
    """An entry from a script's reply (flat fields: n content [x expires e exclude])."""
    position = int(identity.split(b"-", 1)[0])
    _, content, *rest = fields
    if not rest:
        return Entry(position, content, 0, frozenset())
    _, expires, _, exclude = rest
    users = frozenset(exclude.decode().split(",")) if exclude else frozenset()
    return Entry(position, content, int(expires), users)


async def read(core: Core, partition: int, parts: Sequence[Part]) -> list[Range]:
    """Read parts of logs of one partition, in one script call."""
    answer = await core.run("read", partition, pack(parts))
    return [
        Range(int(head), int(floor), [entry_of(identity, fields) for identity, fields in entries])
        for head, floor, entries in answer
    ]
