"""The inbox as a whole: lists, marks and counts of a full inbox, and of a user with many groups."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import uvloop
from msgspec import Struct

from bench import server
from bench.inbox import listing, marking, requests
from bench.inbox.calls import opened, timed
from bench.inbox.world import COMMON, TO_ALL, fill, join, to_groups_and_all
from bench.measurement import Bench, Measurement
from bench.scale import Scale
from bench.server import Server
from tidings.protocol.notifications import Target
from tidings_workers.store import InboxQuery, Store

COUNTS: Final = "counts"
COUNTS_BY_CATEGORY: Final = "counts by category"
COUNTS_OF_GAPS: Final = "counts with thousands of gaps"
PAGE_OF_GAPS: Final = "list, first page with thousands of gaps"
COUNTS_OF_GROUPS: Final = "counts with many groups"
PAGE_OF_GROUPS: Final = "list, first page with many groups"

_READER: Final = "reader"
# Each of these is a mark of most of the inbox, position by position.
_CATEGORY_CALLS: Final = 5
_SKIMMERS: Final = 3
_OTHER_TENANT: Final = "ten"


def inbox(bench: Bench) -> Sequence[Measurement]:
    """Fill the inboxes, then measure calls of the store, requests and connections."""
    with server.running(bench.cores) as running:
        world = _World.of(bench.scale)
        measured, left = uvloop.run(_calls(bench, running, world))
        measured += requests.over_http(bench, running, _READER, left)
        measured += [
            requests.connecting(bench, running, name, users, groups)
            for name, users, groups in (
                (requests.CONNECT_SOME, world.in_some, bench.scale.some_groups),
                (requests.CONNECT_MANY, world.in_many, bench.scale.many_groups),
            )
        ]
    return measured


class _World(Struct, frozen=True):
    """The groups and the users with filled inboxes.

    `clearers` mark everything, in a full inbox and in one of ten, `sorters` everything of a category, and
    `skimmers` have read every second one of the newest. `in_some` and `in_many` are members of some and of
    many groups.
    """

    groups: list[str]
    clearers: list[str]
    sorters: list[str]
    skimmers: list[str]
    in_some: list[str]
    in_many: list[str]

    @classmethod
    def of(cls, scale: Scale) -> "_World":
        return cls(
            [f"group-{index}" for index in range(scale.inbox_groups)],
            [f"clearer-{index}" for index in range(scale.calls)],
            [f"sorter-{index}" for index in range(min(scale.calls, _CATEGORY_CALLS))],
            [f"skimmer-{index}" for index in range(min(scale.calls, _SKIMMERS))],
            [f"some-{index}" for index in range(scale.calls)],
            [f"many-{index}" for index in range(scale.calls)],
        )


async def _calls(bench: Bench, running: Server, world: _World) -> tuple[list[Measurement], list[str]]:
    """All calls of the store, and those of the reader's unread items."""
    scale, tenant = bench.scale, running.tenant
    async with opened(running) as store:
        await _populate(store, tenant, scale, world)
        targets = to_groups_and_all(world.groups, scale.inbox_items)
        targets += [Target(users=(_READER,))] * scale.inbox_own
        sent = await fill(store, tenant, targets)
        to_all = [identity for target, identity in sent if target == TO_ALL][::-1]

        measured = await _marks(store, running, scale, world, to_all)
        unread = len(sent) - scale.calls
        measured += await listing.lists(store, running, _READER, len(sent), unread, scale.calls)
        between = to_all[1 : 2 * scale.calls : 2]
        skimmer, *others = world.skimmers
        for user in world.skimmers:
            await marking.every_second(store, tenant, user, to_all[: 2 * scale.gaps])
        measured += await _counts_and_pages(store, running, scale, world)
        measured.append(await marking.one_by_one(store, running, marking.ONE_OF_GAPS, skimmer, between))
        rest = (await store.inbox.counts(tenant, others[0])).unread
        clearing = [(tenant, user) for user in others]
        measured.append(
            await marking.everything(store, running, marking.ALL_OF_GAPS, clearing, marking.ALL_READ, rest)
        )
    return measured, between


async def _populate(store: Store, tenant: str, scale: Scale, world: _World) -> None:
    members = [_READER, *world.clearers, *world.sorters, *world.skimmers]
    await join(store, tenant, dict.fromkeys(world.groups, members))
    await join(store, _OTHER_TENANT, dict.fromkeys(world.groups, world.clearers))
    await fill(store, _OTHER_TENANT, to_groups_and_all(world.groups, 10))
    for prefix, count, users in (
        ("some", scale.some_groups, world.in_some),
        ("many", scale.many_groups, world.in_many),
    ):
        groups = [f"{prefix}-{index}" for index in range(count)]
        await join(store, tenant, dict.fromkeys(groups, users))
        await fill(store, tenant, [Target(groups=(group,)) for group in groups] * scale.group_items)


async def _marks(
    store: Store, running: Server, scale: Scale, world: _World, to_all: Sequence[str]
) -> list[Measurement]:
    full = [(running.tenant, user) for user in world.clearers]
    ten = [(_OTHER_TENANT, user) for user in world.clearers]
    sorters = [(running.tenant, user) for user in world.sorters]
    by_category = (await store.inbox.counts(*sorters[0], by_category=True)).categories or {}
    common = by_category[COMMON].unread
    return [
        await marking.one_by_one(store, running, marking.ONE, _READER, to_all[: 2 * scale.calls : 2]),
        await marking.everything(store, running, marking.ALL_OF_TEN, ten, marking.ALL_READ, 10),
        await marking.everything(store, running, marking.ALL, full, marking.ALL_READ, scale.inbox_items),
        await marking.everything(store, running, marking.CATEGORY, sorters, marking.COMMON_READ, common),
    ]


async def _counts_and_pages(store: Store, running: Server, scale: Scale, world: _World) -> list[Measurement]:
    tenant, page, grouped = running.tenant, InboxQuery(limit=50), world.in_many[0]
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        COUNTS: partial(store.inbox.counts, tenant, _READER),
        COUNTS_BY_CATEGORY: partial(store.inbox.counts, tenant, _READER, by_category=True),
        COUNTS_OF_GAPS: partial(store.inbox.counts, tenant, world.skimmers[0]),
        PAGE_OF_GAPS: partial(store.inbox.page, tenant, world.skimmers[0], page),
        COUNTS_OF_GROUPS: partial(store.inbox.counts, tenant, grouped),
        PAGE_OF_GROUPS: partial(store.inbox.page, tenant, grouped, page),
    }
    return [await timed(name, running, [call] * scale.calls) for name, call in calls.items()]
