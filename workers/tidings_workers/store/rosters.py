"""The members of groups at a moment of their clocks: the users whom an accepted send reaches.

The clock of a group gives each joining and each leaving its own number, in order. A cut is the number that
the clock had when a send was accepted. Numbers of two groups are never compared.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final

import msgspec

from tidings_workers.store.core import Core
from tidings_workers.store.keys import Log, key_of
from tidings_workers.store.packing import pack, text

# A cut above every clock.
NOW: Final = 2**53 - 1

_GROUPS_PER_CALL: Final = 500
# The members that one command reads of a large group, and the most that a small group has: one call reads
# several small groups whole. Either takes Valkey a few milliseconds.
_PAGE: Final = 10_000
_SMALL: Final = 5_000
_ROSTERS_PER_CALL: Final = 4

_stays: Final = msgspec.msgpack.Decoder(list[tuple[int, int]])


async def cuts(core: Core, tenant: str, groups: Iterable[str]) -> dict[str, int]:
    """The present numbers of the clocks of these groups; 0 for a group that never had a member."""
    partitions: dict[int, list[str]] = {}
    for group in groups:
        partitions.setdefault(core.keys.group(tenant, group).partition, []).append(group)
    calls = [
        (partition, names[start : start + _GROUPS_PER_CALL])
        for partition, names in partitions.items()
        for start in range(0, len(names), _GROUPS_PER_CALL)
    ]
    answers = await asyncio.gather(
        *(
            core.run("cuts", partition, pack([core.keys.group(tenant, name).base for name in names]))
            for partition, names in calls
        )
    )
    return {
        name: int(clock)
        for (_, names), clocks in zip(calls, answers, strict=True)
        for name, clock in zip(names, clocks, strict=True)
    }


async def rosters(core: Core, tenant: str, moments: Mapping[str, int]) -> list[str]:
    """The members of these groups at their cuts, in the order of the groups; a user may occur twice.

    This is exact for a day. After that, users who left since the cut are missing.
    """
    logs = [core.keys.group(tenant, group) for group in moments]
    partitions: dict[int, list[tuple[str, int]]] = {}
    for log, cut in zip(logs, moments.values(), strict=True):
        partitions.setdefault(log.partition, []).append((log.base, cut))
    calls = [
        (partition, asked[start : start + _ROSTERS_PER_CALL])
        for partition, asked in partitions.items()
        for start in range(0, len(asked), _ROSTERS_PER_CALL)
    ]
    answers = await asyncio.gather(
        *(core.run("roster", partition, pack([_SMALL, asked])) for partition, asked in calls)
    )
    found = {
        base: users
        for (_, asked), answer in zip(calls, answers, strict=True)
        for (base, _), users in zip(asked, answer, strict=True)
    }
    members: list[str] = []
    for log, cut in zip(logs, moments.values(), strict=True):
        users = found[log.base]
        if isinstance(users, list):
            members += map(text, users)
        else:
            async for part in members_at(core, log, cut):
                members += part
    return members


async def members_at(core: Core, group: Log, cut: int) -> AsyncIterator[list[str]]:
    """The members of a large group at a cut, in parts; a user may be in several parts."""
    call = core.call
    # The order matters: a user who leaves, or a group that is deleted, during this is in a later list.
    async for rows in _page(core, group.key("members"), "-inf", cut):
        yield [user for user, _ in rows]
    first, deleted = await asyncio.gather(
        _read(core, group.key("left"), f"({cut}", "+inf"),
        call("ZRANGE", group.key("deleted"), f"({cut}", "+inf", "BYSCORE"),
    )
    async for rows in _page(core, group.key("left"), f"({cut}", "+inf", first):
        users = [user for user, _ in rows]
        packed = await call("HMGET", group.key("stays"), *users)
        yield [user for user, stays in zip(users, packed, strict=True) if stays and _covers(stays, cut)]
    for members in deleted:
        async for rows in _page(core, key_of(group.partition, text(members)), "-inf", cut):
            yield [user for user, _ in rows]


def _covers(stays: bytes, cut: int) -> bool:
    return any(joined <= cut < left for joined, left in _stays.decode(stays))


_Rows = list[tuple[str, int]]


async def _page(
    core: Core, key: str, low: str, high: int | str, first: _Rows | None = None
) -> AsyncIterator[_Rows]:
    """The members of a sorted set with their scores, which are unique, in parts and in order."""
    rows = first if first is not None else await _read(core, key, low, high)
    while rows:
        yield rows
        if len(rows) < _PAGE:
            return
        rows = await _read(core, key, f"({rows[-1][1]}", high)


async def _read(core: Core, key: str, low: str, high: int | str) -> _Rows:
    raw: list[Any] = await core.call("ZRANGE", key, low, high, "BYSCORE", "LIMIT", 0, _PAGE, "WITHSCORES")
    return [(text(user), int(float(score))) for user, score in raw]


async def unlist(core: Core, tenant: str, user: str, groups: Iterable[str]) -> None:
    """Remove a user from what these groups keep of leavers, so that no send reaches the user as one."""
    partitions: dict[int, list[str]] = {}
    for group in groups:
        log = core.keys.group(tenant, group)
        partitions.setdefault(log.partition, []).append(log.base)
    await asyncio.gather(
        *(
            core.run("unlist", partition, pack([user, bases[start : start + _GROUPS_PER_CALL]]))
            for partition, bases in partitions.items()
            for start in range(0, len(bases), _GROUPS_PER_CALL)
        )
    )
