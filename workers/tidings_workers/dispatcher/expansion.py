"""Expands ingress entries to the steps that carry them out.

A step names the operations of each target partition, and its number rises within its entry. Steps made again
are the same: a plan with the users of a compound notification is stored before the first copy is written, and
the members of a deleted group were moved to a list of their own when it was deleted.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any, Final, NamedTuple

import msgspec

from tidings.protocol.notifications import Target
from tidings_workers.store import Store, intervals
from tidings_workers.store.ids import partition_of_id
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import PROBE, Log, Record
from tidings_workers.store.operations import (
    Arrived,
    Compound,
    Disband,
    Hide,
    Membership,
    Move,
    Operation,
    Probe,
    Recall,
    Step,
    Work,
)
from tidings_workers.store.rosters import NOW

STEP_USERS: Final = 500
# How many intervals of a shared log are counted in one step.
_SPANS: Final = 200
# Range of the step numbers of one operation: more than a plan can have users.
_NUMBERS: Final = 1_000_000_000

_Part = tuple[int, dict[int, list[list[Any]]], Callable[[], Awaitable[None]] | None]

_target: Final = msgspec.json.Decoder(Target)


class _Content(msgspec.Struct):
    expires_at: datetime | None = None
    category: str = ""


_content: Final = msgspec.json.Decoder(_Content)


class _Plan(NamedTuple):
    """The copies that a compound notification still needs.

    `done`: how many users have theirs. `users`: all users of the plan, when this process has just made it;
    None when the plan has to be read.
    """

    content: str
    expires: int
    category: str
    done: int
    users: list[str] | None


class Expansion:
    """Makes the steps for the entries of one source partition."""

    def __init__(self, store: Store, partition: int) -> None:
        self._groups = store.groups
        self._keys = store.keys
        self._copies_index = store.copies
        self._ingress = store.ingress
        self._logs = store.logs
        self._plans = store.plans
        self._partition = partition

    async def steps(self, batch: Sequence[Work]) -> AsyncIterator[Step]:
        """The steps of entries, in order. The plans of the whole batch are made first, concurrently."""
        compounds = {
            operation: work.id
            for work in batch
            for operation in work.operations
            if isinstance(operation, Compound)
        }
        made = await asyncio.gather(*(self._plan(compound, entry) for compound, entry in compounds.items()))
        plans = dict(zip(compounds, made, strict=True))
        for work in batch:
            for index, operation in enumerate(work.operations):
                async for number, operations, finish in self._expand(operation, plans):
                    yield Step(work.id, index * _NUMBERS + number, operations, finish)

    def _expand(self, operation: Operation, plans: dict[Compound, _Plan | None]) -> AsyncIterator[_Part]:
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
            case Arrived():
                return self._arrived(operation)

    async def _plan(self, compound: Compound, entry: int) -> _Plan | None:
        """The stored plan, made now if there is none; None when no work is left or the entry is set aside."""
        try:
            return await self._stored_plan(compound)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            await self._ingress.set_aside(self._partition, entry, msgspec.json.encode(compound), error)
            return None

    async def _stored_plan(self, compound: Compound) -> _Plan | None:
        plans, tenant, identity = self._plans, compound.tenant, compound.id
        found, done = await asyncio.gather(
            plans.record(self._partition, tenant, identity),
            plans.progress(self._partition, tenant, identity),
        )
        if found is None:
            return None
        status, record = found
        users: list[str] | None = None
        if status == "a":
            union = await self._union(tenant, _target.decode(record.to), compound.cuts)
            status = await plans.make(self._partition, tenant, identity, union)
            if status == "new":
                users = union
        if status not in {"new", "x"}:
            return None
        content = _content.decode(record.content)
        expires = round(content.expires_at.timestamp() * 1000) if content.expires_at else 0
        return _Plan(record.content.decode(), expires, content.category, done, users)

    async def _union(self, tenant: str, target: Target, cuts: Sequence[int]) -> list[str]:
        """Every user of a target once: its named users, then the members of its groups at their cuts."""
        groups = dict.fromkeys(target.groups)
        known = dict(zip(groups, cuts, strict=False))
        union = dict.fromkeys(target.users)
        moments = {group: known.get(group, NOW) for group in groups}
        if moments:
            union.update(dict.fromkeys(await self._groups.members_at(tenant, moments)))
        for user in target.exclude:
            union.pop(user, None)
        return list(union)

    async def _copies(self, compound: Compound, plan: _Plan | None) -> AsyncIterator[_Part]:
        if plan is None:
            return
        tenant, identity, plans = compound.tenant, compound.id, self._plans
        done, recalled = plan.done, False

        async def advance(reached: int) -> None:
            nonlocal recalled
            recalled = await plans.advance(self._partition, tenant, identity, reached)

        async for users in self._planned(compound, done, plan.users):
            if recalled:
                return
            done += len(users)
            operations = {
                partition: [["n", bases, identity, plan.content, plan.expires, plan.category]]
                for partition, bases in self._by_partition(tenant, users).items()
            }
            yield done, operations, partial(advance, done)
        yield done + 1, {}, self._later(plans.stored, tenant, identity)

    def _later(self, call: Callable[..., Awaitable[None]], *arguments: Any) -> Callable[[], Awaitable[None]]:
        return lambda: call(self._partition, *arguments)

    async def _planned(
        self, notification: Compound | Recall, start: int, known: list[str] | None = None
    ) -> AsyncIterator[list[str]]:
        """The users of a plan from index `start` on, STEP_USERS at a time."""
        tenant, identity = notification.tenant, notification.id
        while True:
            if known is not None:
                users = known[start : start + STEP_USERS]
            else:
                users = await self._plans.users(self._partition, tenant, identity, start, STEP_USERS)
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
        group, position = operation.group, operation.position
        yield (
            1,
            self._memberships(operation.tenant, operation.users, group, position, joined=operation.joined),
            None,
        )

    def _memberships(
        self, tenant: str, users: Sequence[str], group: str, position: int, *, joined: bool
    ) -> dict[int, list[list[Any]]]:
        return {
            partition: [["m", base, group, joined, position] for base in bases]
            for partition, bases in self._by_partition(tenant, users).items()
        }

    async def _hide(self, operation: Hide) -> AsyncIterator[_Part]:
        operations = {
            partition: [["h", base, operation.log, operation.position] for base in bases]
            for partition, bases in self._by_partition(operation.tenant, operation.users).items()
        }
        yield 1, operations, self._later(self._plans.stored, operation.tenant, operation.id)

    async def _recall(self, operation: Recall) -> AsyncIterator[_Part]:
        done = 0
        async for users in self._planned(operation, 0):
            done += len(users)
            operations = {
                partition: [["r", base, operation.id, operation.late] for base in bases]
                for partition, bases in self._by_partition(operation.tenant, users).items()
            }
            yield done, operations, None

    async def _disband(self, operation: Disband) -> AsyncIterator[_Part]:
        done = 0
        async for users in self._members(self._partition, operation.members, STEP_USERS):
            done += len(users)
            operations = self._memberships(
                operation.tenant, users, operation.group, operation.position, joined=False
            )
            yield done, operations, None
        group = self._keys.group(operation.tenant, operation.group)
        yield done + 1, {}, lambda: self._groups.forget_deleted(group, operation.members)

    async def _probe(self, operation: Probe) -> AsyncIterator[_Part]:
        yield 1, {operation.target: [["p", PROBE, operation.token]]}, None

    async def _arrived(self, operation: Arrived) -> AsyncIterator[_Part]:
        number = 0
        for (base, kind, users), group in groupby(operation.moves, _same_users):
            log = self._keys.of(base)
            moves = list(group)
            # Numbers follow from positions, not from the entries found: a recall must not shift the steps.
            if not log.is_own:
                for start in range(0, len(moves), _SPANS):
                    number += 1
                    row = await self._moved(log, kind, users, moves[start : start + _SPANS])
                    yield number, {log.partition: [row]}, None
                continue
            for move in moves:
                after = move.after
                while (found := await self._copies_index.next_after(log, after)) is not None:
                    if found > move.up_to:
                        break
                    after = (found - 1) // STEP_USERS * STEP_USERS
                    up_to = min(after + STEP_USERS, move.up_to)
                    after = max(after, move.after)
                    copies = await self._copies_index.between(log, after, up_to, move.kind)
                    yield number + up_to - move.after, self._copied(move, copies), None
                    after = up_to
                number += move.up_to - move.after

    async def _moved(self, log: Log, kind: str, users: Sequence[str], moves: Sequence[Move]) -> list[Any]:
        """A row for moves of the same users over a shared log, less the users whom some entries exclude."""
        bounds: Bounds = []
        for move in moves:
            intervals.add(bounds, move.after, move.up_to)
        excluded = []
        for entry in await self._logs.excluding(log, bounds[0], bounds[-1]):
            count = sum(user in entry.exclude for user in users)
            if count and intervals.contains(bounds, entry.position):
                excluded.append([entry.position, count])
        return ["t", log.base, kind, bounds, len(users), excluded]

    @staticmethod
    def _copied(move: Move, copies: Sequence[str]) -> dict[int, list[list[Any]]]:
        """Rows for a move over a user's copies of compound notifications: their records count it."""
        operations: dict[int, list[list[Any]]] = {}
        for identity in copies:
            partition = partition_of_id(identity)
            if partition is not None:
                row = ["v", Record(partition, move.tenant, identity).base, move.kind, len(move.users)]
                operations.setdefault(partition, []).append(row)
        return operations

    def _by_partition(self, tenant: str, users: Sequence[str]) -> dict[int, list[str]]:
        bases: dict[int, list[str]] = {}
        for user in users:
            log = self._keys.user(tenant, user)
            bases.setdefault(log.partition, []).append(log.base)
        return bases


def _same_users(move: Move) -> tuple[str, str, list[str]]:
    return move.log, move.kind, move.users
