"""Groups and their members.

A change is applied in the partition of the group before the answer, together with an ingress entry for the
partitions of the users. So a later send sees the change, and no part of it is lost.
"""

import asyncio
from collections.abc import Mapping, Sequence

from msgspec import Struct

from tidings_workers.store.core import Core
from tidings_workers.store.keys import Log, key_of, tenant_groups
from tidings_workers.store.packing import Packed, pack, text
from tidings_workers.store.paging import Page, page_of, read_cursor
from tidings_workers.store.rosters import rosters
from tidings_workers.store.view import read_memberships

_CHANGES_PER_CALL = 1_000


class GroupInfo(Struct, frozen=True):
    """A group: its number of members, and when it was created (Unix ms)."""

    id: str
    members: int
    created_at: int


class ChangeMembers(Packed, frozen=True):
    """The request of members.lua."""

    base: str
    tenant: str
    group: str
    add: Sequence[str]
    remove: Sequence[str]


class Groups:
    """Groups, their members, and the groups of a user."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def change(
        self, tenant: str, group: str, add: Sequence[str], remove: Sequence[str]
    ) -> tuple[int, int]:
        """Add members, then remove members. The first member creates the group.

        Returns the numbers of users who were added and removed; idempotent. A change of more than 1,000 users
        is applied in parts, each of them atomic. A send that is accepted after the answer sees the change.
        """
        log = self._core.keys.group(tenant, group)
        parts: list[tuple[Sequence[str], Sequence[str]]] = [(add, remove)]
        if len(add) + len(remove) > _CHANGES_PER_CALL:
            size = _CHANGES_PER_CALL
            parts = [(add[start : start + size], ()) for start in range(0, len(add), size)]
            parts += [((), remove[start : start + size]) for start in range(0, len(remove), size)]
        added = removed = 0
        for joining, leaving in parts:
            request = ChangeMembers(log.base, tenant, group, joining, leaving)
            joined, gone = await self._core.run("members", log.partition, pack(request), durable=True)
            added, removed = added + joined, removed + gone
        return added, removed

    async def get(self, tenant: str, group: str) -> GroupInfo | None:
        """A group; None when it does not exist."""
        log = self._core.keys.group(tenant, group)
        created, members = await asyncio.gather(
            self._core.call("HGET", log.root, "created"),
            self._core.call("ZCARD", log.key("members")),
        )
        return GroupInfo(group, members, int(created)) if created is not None else None

    async def delete(self, tenant: str, group: str) -> None:
        """Delete a group and end every membership in it; idempotent. Members keep their notifications."""
        log = self._core.keys.group(tenant, group)
        await self._core.run("disband", log.partition, log.base, tenant, group, durable=True)

    async def members(
        self, tenant: str, group: str, limit: int, cursor: bytes | None
    ) -> Page[tuple[str, int]]:
        """Members in the order they joined, each with when (Unix ms)."""
        log = self._core.keys.group(tenant, group)
        key = log.key("members")
        at = read_cursor(cursor)
        range_: tuple[str, ...]
        if at is None:
            range_ = ("-inf", "+inf", "BYSCORE")
        elif at.forward:
            range_ = (f"({at.edge}", "+inf", "BYSCORE")
        else:
            range_ = (f"({at.edge}", "-inf", "BYSCORE", "REV")
        raw = await self._core.call("ZRANGE", key, *range_, "LIMIT", 0, limit + 1, "WITHSCORES")
        rows = [(text(user), int(float(score))) for user, score in raw]
        return page_of(
            [(user, joined // 1000) for user, joined in rows], [str(joined) for _, joined in rows], at, limit
        )

    async def members_at(self, tenant: str, clocks: Mapping[str, int]) -> list[str]:
        """The users who were members of groups at a time of each group's clock, in the order of the groups.

        A user may be listed twice. Exact for a day; later, users who left since are missing.
        """
        return await rosters(self._core, tenant, clocks)

    async def members_of_deleted(
        self, partition: int, base: str, after: int, count: int
    ) -> list[tuple[str, int]]:
        """`count` members of a deleted group, in the order they joined, each with the next call's `after`.

        `base` names the list of the members; `after` is 0 in the first call.
        """
        key = key_of(partition, base)
        raw = await self._core.call(
            "ZRANGE", key, f"({after}", "+inf", "BYSCORE", "LIMIT", 0, count, "WITHSCORES"
        )
        return [(text(user), int(float(score))) for user, score in raw]

    async def forget_deleted(self, group: Log, members: str) -> None:
        """Drop the member list of a deleted group; after a day where an accepted send may need it."""
        await self._core.run("forget", group.partition, group.base, members)

    async def page(self, tenant: str, limit: int, cursor: bytes | None) -> Page[GroupInfo]:
        """All groups of a tenant, by id."""
        at = read_cursor(cursor)
        forward = at is None or at.forward
        edge = f"({at.edge}" if at else "-"
        range_ = (edge, "+", "BYLEX") if forward else (edge, "-", "BYLEX", "REV")
        parts = await asyncio.gather(
            *(
                self._core.call("ZRANGE", tenant_groups(partition, tenant), *range_, "LIMIT", 0, limit + 1)
                for partition in range(self._core.partitions)
            )
        )
        names = sorted((text(name) for part in parts for name in part), reverse=not forward)[: limit + 1]
        return page_of(await self._describe(tenant, names), names, at, limit)

    async def of_user(self, tenant: str, user: str, limit: int, cursor: bytes | None) -> Page[GroupInfo]:
        """The groups that a user is in, by id."""
        log = self._core.keys.user(tenant, user)
        raw = await self._core.call("HGETALL", log.key("groups"))
        at = read_cursor(cursor)
        forward = at is None or at.forward
        names = sorted(
            (group for group, intervals in read_memberships(raw).items() if intervals[-1][1] < 0),
            reverse=not forward,
        )
        if at is not None:
            names = [name for name in names if (name > at.edge if forward else name < at.edge)]
        names = names[: limit + 1]
        return page_of(await self._describe(tenant, names), names, at, limit)

    async def _describe(self, tenant: str, names: Sequence[str]) -> list[GroupInfo]:
        found = await asyncio.gather(*(self.get(tenant, name) for name in names))
        # A group that was deleted during the read is listed without members.
        return [info or GroupInfo(name, 0, 0) for name, info in zip(names, found, strict=True)]
