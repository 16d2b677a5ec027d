"""Curves of groups and inboxes: members of a group, groups of a user, stored notifications."""

from functools import partial
from typing import Final

import uvloop

from bench import server
from bench.curves.curve import Curve, Point, Sizes, Spent, least, point
from bench.inbox.calls import dispatched, opened
from bench.inbox.world import TO_ALL, fill, join
from bench.notifications import CONTENT
from bench.server import Server
from tidings.protocol.notifications import CreateNotification, Target
from tidings_workers.store import InboxQuery, Store

_GROUP_SIZES: Final = (10, 100, 1_000, 10_000, 100_000)
_GROUPS: Final = (0, 10, 100, 1_000)
_STORED: Final = (1_000, 10_000, 100_000, 1_000_000)
_MEMBERS_PER_CALL: Final = 10_000
_PAGE: Final = InboxQuery(limit=50)
_PARTS: Final = ("valkey", "dispatcher")


def group_size(sizes: Sizes) -> Curve:
    """To add members to a group, and to send to it."""

    async def measure(running: Server) -> dict[str, list[Point]]:
        processes = {name: running.processes[name] for name in _PARTS}
        joins, sends = [], []
        async with opened(running) as store:
            for size in sizes.of(_GROUP_SIZES):
                group, members = f"group-{size}", [f"user-{number}" for number in range(size)]
                spent = Spent(processes)
                for start in range(0, size, _MEMBERS_PER_CALL):
                    some = members[start : start + _MEMBERS_PER_CALL]
                    await store.groups.change(running.tenant, group, some, [])
                await dispatched(store)
                joins.append(point(size, spent.per(size)))
                times = sizes.times(200)
                message = CreateNotification(to=Target(groups=(group,)), **CONTENT)
                spent = Spent(processes)
                for _ in range(times):
                    await store.sends.send(running.tenant, [message])
                sends.append(point(size, spent.per(times)))
        return {"add a member": joins, "send to the group": sends}

    with server.running(sizes.cores) as running:
        lines = uvloop.run(measure(running))
    return Curve("group-size", "Members of a group", "members", "µs of CPU", lines)


def groups_per_user(sizes: Sizes) -> Curve:
    """The counts and the first page of a user with this number of groups, three notifications in each."""

    async def measure(running: Server) -> dict[str, list[Point]]:
        counts, pages = [], []
        async with opened(running) as store:
            steps = sizes.of(_GROUPS)
            groups = [f"group-{number}" for number in range(steps[-1])]
            await join(
                store,
                running.tenant,
                {name: [f"user-{size}" for size in steps if size > at] for at, name in enumerate(groups)},
            )
            await fill(store, running.tenant, [Target(groups=(name,)) for name in groups] * 3)
            for size in steps:
                user = f"user-{size}"
                call = partial(store.inbox.counts, running.tenant, user)
                counts.append(point(size, await least(running, call, sizes.times(40))))
                listing = partial(store.inbox.page, running.tenant, user, _PAGE)
                pages.append(point(size, await least(running, listing, sizes.times(40))))
        return {"counts": counts, "first page": pages}

    with server.running(sizes.cores) as running:
        lines = uvloop.run(measure(running))
    return Curve("groups-per-user", "Groups of a user", "groups", "µs of CPU", lines)


def stored(sizes: Sizes) -> Curve:
    """The cost of an inbox of so many notifications: half are to all, half in the user's own log."""

    async def measure(running: Server) -> dict[str, list[Point]]:
        lines: dict[str, list[Point]] = {"send": [], "counts": [], "first page": []}
        processes = {"valkey": running.processes["valkey"]}
        there = 0
        async with opened(running) as store:
            for size in sizes.of(_STORED):
                more = size - there
                spent = Spent(processes)
                await _send(store, running.tenant, more)
                lines["send"].append(point(size, spent.per(more)))
                there = size
                call = partial(store.inbox.counts, running.tenant, "reader")
                lines["counts"].append(point(size, await least(running, call, sizes.times(40))))
                listing = partial(store.inbox.page, running.tenant, "reader", _PAGE)
                lines["first page"].append(point(size, await least(running, listing, sizes.times(40))))
        return lines

    with server.running(sizes.cores) as running:
        lines = uvloop.run(measure(running))
    return Curve("stored", "Stored notifications", "notifications", "µs of CPU", lines)


async def _send(store: Store, tenant: str, count: int) -> None:
    # In parts, so that this process does not keep a million targets.
    for start in range(0, count, 10_000):
        some = min(10_000, count - start)
        own = Target(users=("reader",))
        await fill(store, tenant, [TO_ALL, own] * (some // 2), shuffled=False)
