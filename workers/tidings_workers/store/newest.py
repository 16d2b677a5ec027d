"""When the newest entries of logs were accepted, as far as this process has read it.

A position never gets a second entry, so a time holds as long as its log has the same head. The members of a
group read the same log, and most logs of a user with a thousand groups do not change between two pages.
"""

from collections.abc import Iterable, Sequence
from typing import Final

AS_KNOWN: Final = -1
"""In the answer of survey.lua: the entry at the head is the one that the caller knows."""
_LOGS: Final = 65_536
_UNKNOWN: Final = (0, 0)


Newest = tuple[int, int]
"""The head of a log, and when the entry there was accepted; zeros where it is not known."""


class NewestTimes:
    """The times (Unix ms) of the newest entries by the bases of logs, of the logs that were added last."""

    def __init__(self, limit: int = _LOGS) -> None:
        self._limit = limit
        self._known: dict[str, Newest] = {}
        self._epoch = ""

    def of(self, epoch: str, bases: Iterable[str]) -> list[Newest]:
        """The known heads and times of logs: none, if the data has another epoch than in the last call."""
        if epoch != self._epoch:
            self._known.clear()
            self._epoch = epoch
        return [self._known.get(base, _UNKNOWN) for base in bases]

    def add(self, base: str, head: int, accepted_at: int) -> None:
        """Add the time of the entry at the head of a log."""
        self._known.pop(base, None)
        self._known[base] = (head, accepted_at)
        if len(self._known) > self._limit:
            del self._known[next(iter(self._known))]

    def complete(
        self, bases: Sequence[str], asked: Sequence[Newest], heads: Sequence[int], times: Sequence[int]
    ) -> list[int]:
        """The times of an answer of survey.lua to a question with the heads that were known, `asked`."""
        completed = []
        for base, (_, known_at), head, time in zip(bases, asked, heads, times, strict=True):
            if time >= 0:
                completed.append(time)
            elif time == AS_KNOWN:
                completed.append(known_at)
            else:
                self.add(base, head, -time)
                completed.append(-time)
        return completed
