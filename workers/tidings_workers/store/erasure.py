"""The erasure of a user: all data of the user, in short steps that may be repeated.

Other data that name the user are kept as long as the notifications themselves: a notification to several
users keeps its record with the list of recipients, and its entries in the logs of the others.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from tidings.protocol import closing
from tidings_workers.archive import ArchiveError
from tidings_workers.store import intervals
from tidings_workers.store.core import Core
from tidings_workers.store.groups import Groups
from tidings_workers.store.keys import Log
from tidings_workers.store.packing import Packed, pack, text
from tidings_workers.store.presence import Connections
from tidings_workers.store.rosters import unlist
from tidings_workers.store.settling import all_applied, all_finished, until
from tidings_workers.store.state import LogState
from tidings_workers.store.surveys import read_view, survey
from tidings_workers.store.view import Share, View, read_hidden

# Measured with Valkey 9.1 on one core of a 2-core machine: a call that removes so many takes 2 ms.
STEP: Final = 200
_GROUPS_AT_ONCE: Final = 50


class ErasedUser(Struct, frozen=True):
    """The numbers of an erasure.

    `notifications` removed from the user's log, `marks`: marked notifications of all logs, `memberships` that
    the user left, `devices` removed, and `connections` closed. `complete` is false while the archive, which
    does not answer, may have data of the user: the erasure has to be repeated.
    """

    notifications: int
    marks: int
    memberships: int
    devices: int
    connections: int
    complete: bool = True


class EraseLog(Packed, frozen=True):
    """The request of erase_log.lua."""

    base: str
    tenant: str
    limit: int


class Erasure:
    """Erases users."""

    def __init__(self, core: Core, groups: Groups, connections: Connections) -> None:
        self._core = core
        self._groups = groups
        self._connections = connections

    async def erase(self, tenant: str, user: str) -> ErasedUser:
        """Erase a user. The same id may be used again as a new user; positions are not used again.

        First this waits until dispatchers have stored every send and membership that was accepted before, so
        that these are erased too. Raises StorageUnavailable when no dispatcher works, or when a gateway does
        not close its connections; call it again then. A call counts what it erased itself.
        """
        log = self._core.keys.user(tenant, user)
        await all_finished(self._core, range(self._core.partitions))
        await all_applied(self._core, range(self._core.partitions))
        connections = await self._connections.disconnect(tenant, user, closing.DISCONNECTED)
        # A gateway stores the acknowledgements of its connections before it reports that they are closed.
        await until(lambda: self._are_closed(connections), "a gateway does not close its connections")
        memberships = await self._leave_groups(tenant, user, log)
        if memberships:
            await all_applied(self._core, range(self._core.partitions))

        view = await read_view(self._core, log)
        shares = view.shares(self._core.keys, tenant, user)
        marks, versions = await self._count(view, shares)
        await self._remove_times(log, {*shares, *view.states})
        await self._remove_hidden(log, self._core.keys.all(tenant))
        notifications = await self._remove_erased(tenant, log)
        while not (answer := await self._core.run("erase", log.partition, pack([log.base, versions])))[0]:
            notifications += await self._remove_erased(tenant, log)
        notifications += await self._remove_erased(tenant, log)
        complete = await self._erase_history(tenant, user, log)
        return ErasedUser(notifications, marks, memberships, int(answer[1]), len(connections), complete)

    async def _erase_history(self, tenant: str, user: str, log: Log) -> bool:
        """Erase the user in the archive. Returns whether nothing is left there."""
        archive = self._core.archive
        if archive is None:
            return True
        try:
            # A batch that has read entries of the user before can't store them after this.
            await archive.claim(log.partition)
            while not await archive.erase_user(tenant, user):
                pass
        except ArchiveError:
            return False
        return True

    async def _are_closed(self, connections: Sequence[Any]) -> bool:
        return not await self._connections.unclosed(connections)

    async def _leave_groups(self, tenant: str, user: str, log: Log) -> int:
        """Leave every group. Dispatchers carry the change to the user's side."""
        view = await read_view(self._core, log)
        active = [group for group, spans in view.memberships.items() if spans[-1][1] < 0]
        left = 0
        for start in range(0, len(active), _GROUPS_AT_ONCE):
            answers = await asyncio.gather(
                *(
                    self._groups.change(tenant, group, (), (user,))
                    for group in active[start : start + _GROUPS_AT_ONCE]
                )
            )
            left += sum(removed for _, removed in answers)
        await unlist(self._core, tenant, user, view.memberships)
        return left

    async def _count(self, view: View, shares: Mapping[str, Share]) -> tuple[int, int]:
        """The number of marked notifications, and the share of groups' logs in the counts version."""
        unmarked = LogState()
        states = [view.states.get(base, unmarked) for base in shares]
        marked = [intervals.union(state.seen, state.archived) for state in states]
        found = await survey(self._core, list(shares.values()), (marked,))
        versions = sum(
            intervals.size_up_to(share.spans, known.head) + known.changes
            for share, known in zip(shares.values(), found.logs, strict=True)
            if share.log.group is not None
        )
        return found.numbers[0], versions

    async def _remove_times(self, log: Log, bases: set[str]) -> None:
        call = self._core.call
        await asyncio.gather(*(call("UNLINK", log.key("times", base)) for base in bases))

    async def _remove_hidden(self, log: Log, everybody: Log) -> None:
        """Remove hidden positions but those in the log of all: a new user of this id must not count them."""
        call, key = self._core.call, log.key("hidden")
        hidden = [text(member) for member in await call("ZRANGE", key, 0, -1)]
        removed = [member for member in hidden if read_hidden(member)[0] != everybody.base]
        for start in range(0, len(removed), STEP):
            await call("ZREM", key, *removed[start : start + STEP])

    async def _remove_erased(self, tenant: str, log: Log) -> int:
        """Remove the entries that were set aside by `erase`. Returns their number."""
        count = 0
        while True:
            entries, more = await self._core.run(
                "erase_log", log.partition, pack(EraseLog(log.base, tenant, STEP))
            )
            count += int(entries)
            if not more:
                return count
