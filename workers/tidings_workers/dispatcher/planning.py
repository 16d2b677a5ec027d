"""Plans of compound notifications: the users who get a copy, stored once before the first copy is written."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from tidings.protocol.notifications import Target
from tidings_workers.store import Store
from tidings_workers.store.operations import Compound
from tidings_workers.store.rosters import NOW

_target: Final = msgspec.json.Decoder(Target)


class _Content(msgspec.Struct):
    expires_at: datetime | None = None
    category: str = ""


_content: Final = msgspec.json.Decoder(_Content)


class Plan(NamedTuple):
    """The copies that a compound notification still needs.

    `done`: how many users have theirs. `users`: all users of the plan, when this process has just made it;
    None when the plan has to be read.
    """

    content: str
    expires: int
    category: str
    done: int
    users: list[str] | None


class Planning:
    """Makes and reads the plans of one source partition."""

    def __init__(self, store: Store, partition: int) -> None:
        self._groups = store.groups
        self._ingress = store.ingress
        self._plans = store.plans
        self._partition = partition

    async def plan(self, compound: Compound, entry: int) -> Plan | None:
        """The stored plan, made now if there is none; None when no work is left or the entry is set aside."""
        try:
            return await self._stored_plan(compound)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            await self._ingress.set_aside(self._partition, entry, msgspec.json.encode(compound), error)
            return None

    async def _stored_plan(self, compound: Compound) -> Plan | None:
        plans, tenant, notification_id = self._plans, compound.tenant, compound.id
        found, done = await asyncio.gather(
            plans.record(self._partition, tenant, notification_id),
            plans.progress(self._partition, tenant, notification_id),
        )
        if found is None:
            return None
        status, record = found
        users: list[str] | None = None
        if status == "a":
            union = await self._union(tenant, _target.decode(record.to), compound.cuts)
            status = await plans.make(self._partition, tenant, notification_id, union)
            if status == "new":
                users = union
        if status not in {"new", "x"}:
            return None
        content = _content.decode(record.content)
        expires = round(content.expires_at.timestamp() * 1000) if content.expires_at else 0
        return Plan(record.content.decode(), expires, content.category, done, users)

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
