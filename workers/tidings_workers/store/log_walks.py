"""Merging logs: entries of several logs in order of acceptance, read in few calls.

The number of entries needed from each log is not known before the merge. So the first read takes an equal
share of each log. Each further read of a log takes twice as many entries as the one before.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, TypeVar

from tidings_workers.store import intervals
from tidings_workers.store.core import Core
from tidings_workers.store.entries import Entry, Part, id_of
from tidings_workers.store.ids import milliseconds_of_id
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Log
from tidings_workers.store.logs import read
from tidings_workers.store.merging import Merge

# The fewest entries to read of a log, and the most in one call.
_LEAST: Final = 4
# Another call costs as much as a hundred entries, so the first read takes more than an equal share of each
# log.
_SHARES: Final = 3
_MOST: Final = 100
_LOGS_PER_CALL: Final = 200
# The number of intervals that one call searches.
_INTERVALS: Final = 400


class LogWalk:
    """Reads some positions of one log, in one direction. `category` as in `Part`."""

    def __init__(self, log: Log, positions: Bounds, category: str, *, newest_first: bool) -> None:
        self.log = log
        self.newest_first = newest_first
        self.buffer: deque[Entry] = deque()
        self._category = category
        self._remaining = positions
        self._given = 0

    @property
    def needs_read(self) -> bool:
        """Whether the next entry is known only after another read."""
        return not self.buffer and bool(self._remaining)

    def peek(self) -> int | None:
        """The time (ms) when the next entry was accepted; None if no entry is left."""
        return accepted_at(self.buffer[0]) if self.buffer else None

    def part(self, count: int) -> Part:
        """The next part to read: at most `count` entries, or twice as many as the last part had."""
        some = self._remaining[-2 * _INTERVALS :] if self.newest_first else self._remaining[: 2 * _INTERVALS]
        limit = min(max(count, 2 * self._given), _MOST)
        return Part(self.log.base, some, limit, self.newest_first, self._category)

    def add(self, part: Part, entries: Sequence[Entry]) -> None:
        """Add the entries that were read of a part. The next part begins after them."""
        self.buffer.extend(entries)
        self._given = len(entries)
        ended = len(entries) < part.limit
        if self.newest_first:
            passed = part.positions[0] if ended else entries[-1].position - 1
            self._remaining = intervals.below(self._remaining, passed)
        else:
            passed = part.positions[-1] if ended else entries[-1].position
            self._remaining = intervals.above(self._remaining, passed)


W = TypeVar("W", bound=LogWalk)
ReadParts = Callable[[Sequence[W], int], Awaitable[None]]
"""Reads the next part of each walk: at least so many entries, if there are as many."""

Keep = Callable[[Log, Entry], bool]
"""Whether an entry of a log belongs to the result."""


async def merge(core: Core, walks: Sequence[LogWalk], wanted: int, keep: Keep) -> list[tuple[Log, Entry]]:
    """Up to `wanted` entries to keep; see `merge_of`. They are read from Redis."""
    return await merge_of(walks, wanted, keep, partial(_read, core))


async def merge_of(
    walks: Sequence[W], wanted: int, keep: Keep, read_parts: ReadParts[W]
) -> list[tuple[Log, Entry]]:
    """Up to `wanted` entries to keep, in the direction of the walks, which is the same for all.

    They are in order of acceptance, within a millisecond by the order of `walks`, and each log stays in
    its own order.
    """
    share = min(max(_LEAST, _SHARES * wanted // max(len(walks), 1)), wanted, _MOST)
    newest_first = not walks or walks[0].newest_first
    merged = Merge(walks, lambda unread: read_parts(unread, share), newest_first=newest_first)
    taken: list[tuple[Log, Entry]] = []
    while len(taken) < wanted and (walk := await merged.first()) is not None:
        entry = walk.buffer.popleft()
        if keep(walk.log, entry):
            taken.append((walk.log, entry))
    return taken


async def _read(core: Core, walks: Sequence[LogWalk], count: int) -> None:
    """Read the next part of each walk, with one call per partition and 200 logs."""
    partitions: dict[int, list[LogWalk]] = {}
    for walk in walks:
        partitions.setdefault(walk.log.partition, []).append(walk)
    calls = [
        (partition, some[start : start + _LOGS_PER_CALL])
        for partition, some in partitions.items()
        for start in range(0, len(some), _LOGS_PER_CALL)
    ]
    parts = [[walk.part(count) for walk in some] for _, some in calls]
    answers = await asyncio.gather(
        *(read(core, partition, asked) for (partition, _), asked in zip(calls, parts, strict=True))
    )
    for (_, some), asked, answer in zip(calls, parts, answers, strict=True):
        for walk, part, found in zip(some, asked, answer, strict=True):
            walk.add(part, found.entries)


def accepted_at(entry: Entry) -> int:
    """When an entry was accepted (ms). Within a millisecond only the order of the log counts."""
    return milliseconds_of_id(id_of(entry.content))
