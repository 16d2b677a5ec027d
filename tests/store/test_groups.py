"""Memberships are intervals of a group's log, and lists of members and groups are stable while read."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from tests.support.dispatching import waiting
from tests.support.sending import eventually, every_item, notification
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import Page, Store

GROUPS = ("team", "club", "crew")
USERS = tuple(f"u{number}" for number in range(8))
STEPS = 250

T = TypeVar("T")
Read = Callable[[int, bytes | None], Awaitable[Page[T]]]


class Model:
    """The expected members of a tenant's groups, and their notifications."""

    def __init__(self) -> None:
        self.members: dict[str, dict[str, None]] = {group: {} for group in GROUPS}
        self.received: dict[str, list[tuple[str, str]]] = {user: [] for user in USERS}

    def change(self, group: str, add: list[str], remove: list[str]) -> tuple[int, int]:
        """Add, then remove; how many of each had an effect."""
        members = self.members[group]
        joined = [user for user in dict.fromkeys(add) if user not in members]
        members.update(dict.fromkeys(joined))
        left = [user for user in dict.fromkeys(remove) if user in members]
        for user in left:
            del members[user]
        return len(joined), len(left)

    def send(self, group: str, title: str, exclude: list[str]) -> int:
        """Deliver to the members; their number."""
        recipients = [user for user in self.members[group] if user not in exclude]
        for user in recipients:
            self.received[user].append((f"group:{group}", title))
        return len(recipients)


@pytest.mark.parametrize("seed", range(3))
async def test_random_sequences(store: Store, dispatcher: Dispatcher, seed: int) -> None:
    """After any sequence of joins, leaves, sends and deletions each user has the sends of the memberships."""
    chance, model = random.Random(seed), Model()
    for number in range(STEPS):
        group = chance.choice(GROUPS)
        action = chance.random()
        if action < 0.45:
            add, remove = (
                chance.sample(USERS, chance.randint(0, 3)),
                chance.sample(USERS, chance.randint(0, 2)),
            )
            assert await store.groups.change("demo", group, add, remove) == model.change(group, add, remove)
            if not set(add) & set(remove) and chance.random() < 0.3:
                assert await store.groups.change("demo", group, add, remove) == (0, 0)
        elif action < 0.97:
            exclude = chance.sample(USERS, chance.choice((0, 0, 1, 8)))
            accepted = await store.sends.send(
                "demo", [notification(str(number), groups=[group], exclude=exclude)]
            )
            record = await store.sends.notification("demo", accepted.ids[0])
            assert record is not None
            assert record.recipients == model.send(group, str(number), exclude)
        else:
            await store.groups.delete("demo", group)
            assert await store.groups.get("demo", group) is None
            model.members[group].clear()

    await eventually(lambda: waiting(store), 0)
    for user in USERS:
        found = [(item.log, title) for item, title in await every_item(store, user)]
        assert sorted(found) == sorted(model.received[user])
        assert (await store.inbox.counts("demo", user)).unseen == len(found)
        in_groups = [name for name in sorted(GROUPS) if user in model.members[name]]
        assert await _groups_of(store, user) == in_groups
    for group in GROUPS:
        page = await store.groups.members("demo", group, 50, None)
        assert [user for user, _ in page.items] == list(model.members[group])
        info = await store.groups.get("demo", group)
        assert (info.members if info else 0) == len(model.members[group])


async def _groups_of(store: Store, user: str) -> list[str]:
    return [info.id for info in (await store.groups.of_user("demo", user, 50, None)).items]


async def test_order_within_a_log(store: Store, dispatcher: Dispatcher) -> None:
    """A user who leaves and joins repeatedly gets the log in order, each position once."""
    expected = []
    for number in range(40):
        inside = number % 3 != 0
        await store.groups.change("demo", "team", ["ana"] if inside else [], [] if inside else ["ana"])
        await store.groups.change("demo", "team", ["bob"], [])
        await store.sends.send("demo", [notification(str(number), groups=["team"])])
        if inside:
            expected.append((number + 1, str(number)))

    async def seen() -> list[tuple[int, str]]:
        return [(item.position, title) for item, title in await every_item(store, "ana", limit=7)]

    await eventually(seen, expected[::-1])


async def test_ten_thousand_in_one_call(store: Store, dispatcher: Dispatcher) -> None:
    """Ten thousand members join and leave in one call, counted exactly; repeated calls change nothing."""
    members = [f"m{number}" for number in range(10_000)]
    assert await store.groups.change("demo", "big", members, []) == (10_000, 0)
    assert await store.groups.change("demo", "big", members, []) == (0, 0)
    info = await store.groups.get("demo", "big")
    assert info is not None
    assert info.members == 10_000
    others = [f"o{number}" for number in range(3_000)]
    assert await store.groups.change("demo", "big", others, members[:7_000]) == (3_000, 7_000)
    assert await store.groups.change("demo", "big", others, members[:7_000]) == (0, 0)
    found = [
        user for user, _ in await walk(lambda limit, at: store.groups.members("demo", "big", limit, at), 200)
    ]
    assert found == members[7_000:] + others
    await eventually(lambda: _groups_of(store, members[9_999]), ["big"])
    await eventually(lambda: _groups_of(store, members[0]), [])
    await eventually(lambda: _groups_of(store, others[-1]), ["big"])


async def walk(read: Read[T], limit: int) -> list[T]:
    """All items of a list, page by page; the way back must have the same pages."""
    pages = [await read(limit, None)]
    while (cursor := pages[-1].next) is not None:
        pages.append(await read(limit, cursor))
    assert pages[0].previous is None
    back = pages[-1]
    for page in pages[-2::-1]:
        assert back.previous is not None
        back = await read(limit, back.previous)
        assert back.items == page.items
    assert back.previous is None
    return [item for page in pages for item in page.items]


@pytest.mark.parametrize("limit", [1, 7, 45, 200])
async def test_lists_both_ways(store: Store, dispatcher: Dispatcher, limit: int) -> None:
    """Lists of members, groups and a user's groups are complete and in order, at any page size, both ways."""
    names = [f"g{number:02}" for number in range(45)]
    await asyncio.gather(*(store.groups.change("demo", name, ["ana", name], []) for name in names))
    await store.groups.change("other", "elsewhere", ["ana"], [])
    await store.groups.change("demo", "team", names, [])
    await eventually(lambda: _groups_of(store, "ana"), names)

    found = await walk(lambda size, at: store.groups.page("demo", size, at), limit)
    assert [(info.id, info.members) for info in found] == [*((name, 2) for name in names), ("team", 45)]
    found = await walk(lambda size, at: store.groups.of_user("demo", "ana", size, at), limit)
    assert [(info.id, info.members) for info in found] == [(name, 2) for name in names]
    members = await walk(lambda size, at: store.groups.members("demo", "team", size, at), limit)
    assert [user for user, _ in members] == names
    assert [joined for _, joined in members] == sorted(joined for _, joined in members)


async def test_members_change_while_read(store: Store) -> None:
    """A permanent member is listed once, although others join and leave between pages."""
    steady = [f"s{number}" for number in range(60)]
    leaving = [f"p{number}" for number in range(60)]
    mixed = [user for pair in zip(steady, leaving, strict=True) for user in pair]
    await store.groups.change("demo", "team", mixed, [])
    seen: list[str] = []
    cursor: bytes | None = None
    for turn in range(1_000):
        page = await store.groups.members("demo", "team", 5, cursor)
        seen += [user for user, _ in page.items]
        if page.next is None:
            break
        cursor = page.next
        joining = [f"new{turn}"] if turn < 10 else []
        await store.groups.change("demo", "team", joining, leaving[turn * 2 : turn * 2 + 2])
    assert [user for user in seen if user in steady] == steady
    assert len(seen) == len(set(seen))


async def test_empty_lists(store: Store) -> None:
    """An unused list is an empty page, and deleting an unknown group has no effect."""
    assert await store.groups.members("demo", "team", 50, None) == Page([], None, None)
    assert await store.groups.page("demo", 50, None) == Page([], None, None)
    assert await store.groups.of_user("demo", "ana", 50, None) == Page([], None, None)
    assert await store.groups.get("demo", "team") is None
    await store.groups.delete("demo", "team")
    assert await store.groups.change("demo", "team", [], ["ana"]) == (0, 0)
    assert await store.groups.get("demo", "team") is None
