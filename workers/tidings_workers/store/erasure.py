"""Erasing a user: everything that the store keeps of one, in steps that never block and may be repeated.

What names the user elsewhere stays as long as the notifications themselves: a notification that was sent to
several keeps its record with its list of recipients, and is in the logs of the others.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from tidings.protocol import closing
from tidings_workers.store import intervals
from tidings_workers.store.core import Core
from tidings_workers.store.groups import Groups
from tidings_workers.store.keys import Log
from tidings_workers.store.packing import pack, text
from tidings_workers.store.presence import Sessions
from tidings_workers.store.rosters import unlist
from tidings_workers.store.settling import all_applied, all_finished, until
from tidings_workers.store.state import LogState
from tidings_workers.store.surveys import read_view, survey
from tidings_workers.store.view import View, read_hidden

# Measured on one core of a 2-core machine: a call that takes away so many takes Valkey 9.1 2 ms.
STEP: Final = 200
_GROUPS_AT_ONCE: Final = 50


class ErasedUser(Struct, frozen=True):
    """How many of each were erased.

    `notifications` of the own log, `marks`: notifications of all logs that were marked, `memberships` that
    were ended, `devices`, and `connections` that were closed.
    """

    notifications: int
    marks: int
    memberships: int
    devices: int
    connections: int


class EraseLog(Struct, array_like=True, frozen=True):
    """The request of erase_log.lua."""

    base: str
    tenant: str
    limit: int


class Erasure:
    """Erases users."""

    def __init__(self, core: Core, groups: Groups, sessions: Sessions) -> None:
        self._core = core
        self._groups = groups
        self._sessions = sessions

    async def erase(self, tenant: str, user: str) -> ErasedUser:
        """Erase a user, who may come back as somebody new; positions are never used again.

        What was accepted before, for the user or about a membership, is erased with the rest, and so the
        answer waits for it: raises StorageUnavailable when no dispatcher works or a gateway does not answer.
        To be repeated then: what was not erased yet counts in the answer of that time.
        """
        log = self._core.keys.user(tenant, user)
        await all_finished(self._core, range(self._core.partitions))
        await all_applied(self._core, range(self._core.partitions))
        connections = await self._sessions.disconnect(tenant, user, closing.DISCONNECTED)
        # What their devices acknowledged is stored before the gateways say that they are closed.
        await until(lambda: self._are_closed(connections), "a gateway does not close its connections")
        memberships = await self._leave_groups(tenant, user, log)
        if memberships:
            await all_applied(self._core, range(self._core.partitions))

        view = await read_view(self._core, log)
        logs = view.logs(self._core.keys, tenant, user)
        marks, versions = await self._weigh(view, list(logs.values()))
        await self._forget_times(log, {*logs, *view.states})
        await self._forget_hidden(log, self._core.keys.all(tenant))
        notifications = await self._take_away(tenant, log)
        while not (answer := await self._core.run("erase", log.partition, pack([log.base, versions])))[0]:
            notifications += await self._take_away(tenant, log)
        notifications += await self._take_away(tenant, log)
        return ErasedUser(notifications, marks, memberships, int(answer[1]), len(connections))

    async def _are_closed(self, connections: Sequence[Any]) -> bool:
        return not await self._sessions.unclosed(connections)

    async def _leave_groups(self, tenant: str, user: str, log: Log) -> int:
        """End every membership, the group's side first; the user's side follows by itself."""
        view = await read_view(self._core, log)
        active = [group for group, spans in view.memberships.items() if spans[-1][1] < 0]
        ended = 0
        for start in range(0, len(active), _GROUPS_AT_ONCE):
            answers = await asyncio.gather(
                *(
                    self._groups.change(tenant, group, (), (user,))
                    for group in active[start : start + _GROUPS_AT_ONCE]
                )
            )
            ended += sum(gone for _, gone in answers)
        await unlist(self._core, tenant, user, view.memberships)
        return ended

    async def _weigh(self, view: View, logs: Sequence[Log]) -> tuple[int, int]:
        """How many notifications were marked; and what logs that will be gone gave to the counts' version."""
        unmarked = LogState()
        states = [view.states.get(log.base, unmarked) for log in logs]
        marked = [[intervals.union(state.seen, state.archived)] for state in states]
        found = await survey(self._core, zip(logs, marked, strict=True))
        marks = versions = 0
        for log in logs:
            facts = found[log.base]
            marks += facts.live[0]
            if log.group is not None:
                spans = intervals.common(view.spans(log), intervals.up_to(facts.head))
                versions += intervals.size(spans) + facts.changes
        return marks, versions

    async def _forget_times(self, log: Log, bases: set[str]) -> None:
        call = self._core.connection.call
        await asyncio.gather(*(call("UNLINK", log.key("times", base)) for base in bases))

    async def _forget_hidden(self, log: Log, everybody: Log) -> None:
        """Of what was hidden only marks in the log of all stay: a user who comes back must not count them."""
        call, key = self._core.connection.call, log.key("hidden")
        marks = [text(mark) for mark in await call("ZRANGE", key, 0, -1)]
        gone = [mark for mark in marks if read_hidden(mark)[0] != everybody.base]
        for start in range(0, len(gone), STEP):
            await call("ZREM", key, *gone[start : start + STEP])

    async def _take_away(self, tenant: str, log: Log) -> int:
        """Take away what was put aside; answers how many notifications it was."""
        count = 0
        while True:
            entries, more = await self._core.run(
                "erase_log", log.partition, pack(EraseLog(log.base, tenant, STEP))
            )
            count += int(entries)
            if not more:
                return count
