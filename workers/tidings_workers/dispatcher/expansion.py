"""Expands ingress entries to the steps that carry them out.

A step names the operations of each target partition, and its number rises within its entry. Steps made again
are the same: a plan with the users of a compound notification is stored before the first copy is written, and
the members of a deleted group were moved to a list of their own when it was deleted.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Any, Final

from tidings_workers.dispatcher.planning import Plan, Planning
from tidings_workers.store import Store, intervals
from tidings_workers.store.ids import partition_of_id
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Log, Record
from tidings_workers.store.operations import (
    AnswerProbe,
    AppendCopies,
    ByPartition,
    Compound,
    CountMoves,
    CountOnLog,
    CountOnRecord,
    Disband,
    Hide,
    HidePosition,
    Membership,
    Move,
    Operation,
    Probe,
    Recall,
    RecallCopy,
    SetMembership,
    Step,
    Work,
)

STEP_USERS: Final = 500
# How many intervals of a shared log are counted in one step.
_SPANS: Final = 200
# Range of the step numbers of one operation: more than a plan can have users.
_NUMBERS: Final = 1_000_000_000

_Part = tuple[int, ByPartition, Callable[[], Awaitable[None]] | None]


class Expansion:
    """Makes the steps for the entries of one source partition."""

    def __init__(self, store: Store, partition: int) -> None:
        self._groups = store.groups
        self._keys = store.keys
        self._store_copies = store.copies
        self._ingress = store.ingress
        self._logs = store.logs
        self._plans = store.plans
        self._planning = Planning(store, partition)
        self._partition = partition

    async def steps(self, batch: Sequence[Work]) -> AsyncIterator[Step]:
        """The steps of entries, in order. The plans of the whole batch are made first, concurrently."""
        compounds = {
            operation: work.id
            for work in batch
            for operation in work.operations
            if isinstance(operation, Compound)
        }
        made = await asyncio.gather(
            *(self._planning.plan(compound, entry) for compound, entry in compounds.items())
        )
        plans = dict(zip(compounds, made, strict=True))
        for work in batch:
            for index, operation in enumerate(work.operations):
                async for number, operations, finish in self._expand(operation, plans):
                    yield Step(work.id, index * _NUMBERS + number, operations, finish)

    def _expand(self, operation: Operation, plans: dict[Compound, Plan | None]) -> AsyncIterator[_Part]:
        match operation:
            case Compound():
                return self._copies(operation, plans[operation])
            case Membership():
                return self._membership(operation)
            case Hide():
                return self._hide(operation)
            case Recall():
                return self._recall(operation)
            case Disband():
                return self._disband(operation)
            case Probe():
                return self._probe(operation)
            case CountMoves():
                return self._count_moves(operation)

    async def _copies(self, compound: Compound, plan: Plan | None) -> AsyncIterator[_Part]:
        if plan is None:
            return
        tenant, notification_id, plans = compound.tenant, compound.id, self._plans
        done, recalled = plan.done, False

        async def advance(reached: int) -> None:
            nonlocal recalled
            recalled = await plans.advance(self._partition, tenant, notification_id, reached)

        async for users in self._planned(compound, done, plan.users):
            if recalled:
                return
            done += len(users)
            operations: ByPartition = {
                partition: [AppendCopies(bases, notification_id, plan.content, plan.expires, plan.category)]
                for partition, bases in self._by_partition(tenant, users).items()
            }
            yield done, operations, partial(advance, done)
        yield done + 1, {}, self._later(plans.stored, tenant, notification_id)

    def _later(self, call: Callable[..., Awaitable[None]], *arguments: Any) -> Callable[[], Awaitable[None]]:
        return lambda: call(self._partition, *arguments)

    async def _planned(
        self, notification: Compound | Recall, start: int, known: list[str] | None = None
    ) -> AsyncIterator[list[str]]:
        """The users of a plan from index `start` on, STEP_USERS at a time."""
        tenant, notification_id = notification.tenant, notification.id
        while True:
            if known is not None:
                users = known[start : start + STEP_USERS]
            else:
                users = await self._plans.users(self._partition, tenant, notification_id, start, STEP_USERS)
            if users:
                yield users
            start += len(users)
            if len(users) < STEP_USERS:
                return

    async def _members(self, partition: int, base: str, size: int) -> AsyncIterator[list[str]]:
        after = 0
        while members := await self._groups.members_of_deleted(partition, base, after, size):
            yield [user for user, _ in members]
            after = members[-1][1]
            if len(members) < size:
                return

    async def _membership(self, operation: Membership) -> AsyncIterator[_Part]:
        yield (
            1,
            self._memberships(operation, operation.users, joined=operation.joined, number=operation.number),
            None,
        )

    def _memberships(
        self, operation: Membership | Disband, users: Sequence[str], *, joined: bool, number: int
    ) -> ByPartition:
        group, position = operation.group, operation.position
        return {
            partition: [SetMembership(base, group, joined, position, number) for base in bases]
            for partition, bases in self._by_partition(operation.tenant, users).items()
        }

    async def _hide(self, operation: Hide) -> AsyncIterator[_Part]:
        operations: ByPartition = {
            partition: [HidePosition(base, operation.log_base, operation.position) for base in bases]
            for partition, bases in self._by_partition(operation.tenant, operation.users).items()
        }
        yield 1, operations, self._later(self._plans.stored, operation.tenant, operation.id)

    async def _recall(self, operation: Recall) -> AsyncIterator[_Part]:
        done = 0
        async for users in self._planned(operation, 0):
            done += len(users)
            operations: ByPartition = {
                partition: [RecallCopy(base, operation.id, operation.late) for base in bases]
                for partition, bases in self._by_partition(operation.tenant, users).items()
            }
            yield done, operations, None

    async def _disband(self, operation: Disband) -> AsyncIterator[_Part]:
        done = 0
        # The list is named by the number of the deletion (see disband.lua).
        number = int(operation.members.rpartition("/")[2])
        async for users in self._members(self._partition, operation.members, STEP_USERS):
            done += len(users)
            yield done, self._memberships(operation, users, joined=False, number=number), None
        group = self._keys.group(operation.tenant, operation.group)
        yield done + 1, {}, lambda: self._groups.forget_deleted(group, operation.members)

    async def _probe(self, operation: Probe) -> AsyncIterator[_Part]:
        yield 1, {operation.target: [AnswerProbe("probe", operation.token)]}, None

    async def _count_moves(self, operation: CountMoves) -> AsyncIterator[_Part]:
        number = 0
        for (base, kind, users), group in groupby(operation.moves, _same_users):
            log = self._keys.of(base)
            moves = list(group)
            # Numbers follow from positions, not from the entries found: a recall must not shift the steps.
            if not log.is_own:
                for start in range(0, len(moves), _SPANS):
                    number += 1
                    count = await self._moved(log, kind, users, moves[start : start + _SPANS])
                    yield number, {log.partition: [count]}, None
                continue
            for move in moves:
                after = move.after
                while (found := await self._store_copies.next_after(log, after)) is not None:
                    if found > move.up_to:
                        break
                    after = (found - 1) // STEP_USERS * STEP_USERS
                    up_to = min(after + STEP_USERS, move.up_to)
                    after = max(after, move.after)
                    copies = await self._store_copies.between(log, after, up_to, move.kind)
                    yield number + up_to - move.after, self._copied(move, copies), None
                    after = up_to
                number += move.up_to - move.after

    async def _moved(self, log: Log, kind: str, users: Sequence[str], moves: Sequence[Move]) -> CountOnLog:
        """Moves of the same users over a shared log, less the users whom some entries exclude."""
        bounds: Bounds = []
        for move in moves:
            intervals.add(bounds, move.after, move.up_to)
        fewer: list[tuple[int, int]] = []
        for entry in await self._logs.excluding(log, bounds[0], bounds[-1]):
            count = sum(user in entry.exclude for user in users)
            if count and intervals.contains(bounds, entry.position):
                fewer.append((entry.position, count))
        return CountOnLog(log.base, kind, bounds, len(users), fewer)

    @staticmethod
    def _copied(move: Move, copies: Sequence[str]) -> ByPartition:
        """A move over a user's copies of compound notifications: their records count it."""
        operations: ByPartition = {}
        for notification_id in copies:
            partition = partition_of_id(notification_id)
            if partition is not None:
                record = Record(partition, move.tenant, notification_id).base
                count = CountOnRecord(record, move.kind, len(move.users))
                operations.setdefault(partition, []).append(count)
        return operations

    def _by_partition(self, tenant: str, plan: Sequence[str]) -> dict[int, list[str]]:
        bases: dict[int, list[str]] = {}
        for name in plan:
            log = self._keys.planned(tenant, name)
            bases.setdefault(log.partition, []).append(log.base)
        return bases


def _same_users(move: Move) -> tuple[str, str, list[str]]:
    return move.log_base, move.kind, move.users
