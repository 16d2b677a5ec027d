"""Reading the entries of logs."""

from collections.abc import Sequence
from typing import NamedTuple

from tidings_workers.store.core import Core
from tidings_workers.store.entries import Entry, Part, Range, entry_of
from tidings_workers.store.keys import Log
from tidings_workers.store.packing import pack, text


async def read(core: Core, partition: int, parts: Sequence[Part]) -> list[Range]:
    """Read parts of logs of one partition, in one script call."""
    answer = await core.run("read", partition, pack(parts))
    return [
        Range(int(head), int(floor), [entry_of(entry_id, fields) for entry_id, fields in entries])
        for head, floor, entries in answer
    ]


class ExpiredEntry(NamedTuple):
    """An entry that expired: log, position, when it was accepted (ms), and its category or ''."""

    log: str
    position: int
    accepted_at: int
    category: str


class Logs:
    """The logs of users, groups and tenants."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def read(self, log: Log, after: int, up_to: int, limit: int) -> Range:
        """The first `limit` entries with `after` < position <= `up_to`, in order."""
        (found,) = await read(self._core, log.partition, [Part(log.base, [after, up_to], limit)])
        return found

    async def expired(self, log: Log, after: int, up_to: int) -> list[ExpiredEntry]:
        """The entries with `after` < position <= `up_to` that expired, in order."""
        found = []
        for member in await self._core.run("expired", log.partition, pack([log.base, [after, up_to]])):
            position, at, category = text(member).split("|", 2)
            found.append(ExpiredEntry(log.name, int(position), int(at), category))
        return found

    async def excluding(self, log: Log, after: int, up_to: int) -> list[Entry]:
        """The entries with `after` < position <= `up_to` that exclude users, in order."""
        key = log.key("excludes")
        found = await self._core.call("ZRANGE", key, f"({after}", up_to, "BYSCORE")
        if not found:
            return []
        parts = [Part(log.base, [int(position) - 1, int(position)], 1) for position in found]
        return [entry for range_ in await read(self._core, log.partition, parts) for entry in range_.entries]
