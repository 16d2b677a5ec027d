"""Marks of one user from many processes, with lost replies, and during all other changes."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import TypeVar

import msgspec
import pytest

from tests.support.dispatching import waiting
from tests.support.faults import FaultProxy
from tests.support.sending import eventually, notification, titles
from tidings.protocol.frames import Mark, State
from tidings.protocol.notifications import Action
from tidings.protocol.rest import MarkInbox, StateFilter
from tidings_workers.config import Settings
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.dispatcher.partition import PartitionWorker
from tidings_workers.store import InboxQuery, NotInInbox, StorageUnavailable, Store
from tidings_workers.store.entries import id_of
from tidings_workers.store.ids import partition_of_id
from tidings_workers.store.packing import pack
from tidings_workers.store.surveys import read_view

Receipts = tuple[int, int, int]
Answer = TypeVar("Answer")

SINGLE: tuple[State, ...] = ("read", "unseen", "archived", "unarchived")
WHOLE: tuple[State, ...] = ("seen", "read", "unread")


@asynccontextmanager
async def opened(settings: Settings, count: int) -> AsyncIterator[list[Store]]:
    """Stores of `count` processes."""
    async with AsyncExitStack() as stack:
        stores = []
        for number in range(count):
            store = await Store.open(settings, name=f"process-{number}")
            stack.push_async_callback(store.close)
            stores.append(store)
        yield stores


@asynccontextmanager
async def dispatching(store: Store) -> AsyncIterator[None]:
    """A dispatcher with every partition."""
    dispatcher = Dispatcher(store)
    await dispatcher.beat()
    try:
        yield
    finally:
        await dispatcher.close()


async def send(store: Store, *titles: str, to_all: bool = False, **target: Sequence[str]) -> list[str]:
    """Accept notifications; their ids."""
    users, groups = target.get("users", ()), target.get("groups", ())
    sent = [notification(title, users=users, groups=groups, to_all=to_all) for title in titles]
    return (await store.sends.send("demo", sent)).ids


async def join(store: Store, user: str, *groups: str) -> None:
    """Make a user a member of groups, and wait until the user's slot has it."""
    for group in groups:
        await store.groups.change("demo", group, [user], [])

    async def known() -> set[str]:
        view = await read_view(store._core, store.keys.user("demo", user))
        return set(groups) & {group for group, spans in view.memberships.items() if spans[-1][1] < 0}

    await eventually(known, set(groups))


async def listed(store: Store, user: str, state: StateFilter) -> list[str]:
    """The ids of all items in a state, page by page."""
    found: list[str] = []
    cursor: bytes | None = None
    while True:
        page = await store.inbox.page("demo", user, InboxQuery(limit=100, state=state), cursor)
        found += [id_of(item.content) for item in page.items]
        if page.next is None:
            return found
        cursor = page.next


async def receipts(store: Store, identity: str) -> Receipts:
    """Delivered, seen, read."""
    stored = await store.sends.notification("demo", identity)
    assert stored is not None
    return stored.delivered, stored.seen, stored.read


async def until_answered(attempt: Callable[[], Awaitable[Answer]]) -> Answer:
    """Retry until the store answers."""
    while True:
        try:
            return await attempt()
        except StorageUnavailable:
            await asyncio.sleep(0.02)


async def test_many_processes(settings: Settings, store: Store) -> None:
    """Fifty concurrent marks of one user from ten processes are all stored, and the counts are exact."""
    ids = await send(store, *map(str, range(50)), users=["ana"])
    async with opened(settings, 10) as stores:
        marks = [
            stores[number % 10].marks.mark("demo", "ana", MarkInbox(state="read", ids=(identity,)))
            for number, identity in enumerate(ids)
        ]
        results = await asyncio.gather(*marks)
    assert [(result.changed, result.unknown) for result in results] == [(1, ())] * 50
    assert sorted(result.state_version for result in results) == list(range(1, 51))
    assert sorted(result.counts.unread for result in results) == list(range(50))
    assert await store.inbox.counts("demo", "ana") == max(
        (result.counts for result in results), key=lambda counts: counts.version
    )
    journal = await store.feeds.journal(store.keys.user("demo", "ana"), 0)
    assert journal is not None
    assert sorted(ids) == sorted(identity for _, change in journal for identity in change.ids or ())


async def test_marks_of_one_notification(settings: Settings, store: Store) -> None:
    """Of many concurrent marks of one notification exactly one changes it."""
    ids = await send(store, "one", "two", users=["ana"])
    async with opened(settings, 4) as stores:
        mark = MarkInbox(state="read", ids=(ids[0],))
        results = await asyncio.gather(
            *(each.marks.mark("demo", "ana", mark) for each in stores for _ in range(5))
        )
    assert sum(result.changed for result in results) == 1
    assert {(result.counts.unread, result.state_version) for result in results} == {(1, 1)}


async def test_groups_in_other_slots(store: Store, dispatcher: Dispatcher) -> None:
    """One mark reaches a user's groups in all slots, and each counts the reader once."""
    groups = [f"group-{number}" for number in range(8)]
    slots = {store.keys.group("demo", group).partition for group in groups}
    assert len(slots) > 3
    await join(store, "ana", *groups)
    await store.groups.change("demo", groups[0], ["bob"], [])
    ids = [identity for group in groups for identity in await send(store, "a", "b", groups=[group])]
    ids += await send(store, "to all", to_all=True)
    assert (await store.inbox.counts("demo", "ana")).unread == 17
    for _ in range(2):
        result = await store.marks.mark("demo", "ana", MarkInbox(state="read", all=True))
        assert (result.counts.unseen, result.counts.unread) == (0, 0)
    undone = await store.marks.mark("demo", "ana", MarkInbox(state="unseen", ids=tuple(ids[::2])))
    assert (undone.changed, undone.counts.unseen, undone.counts.unread) == (9, 9, 9)
    assert sorted(await listed(store, "ana", "unread")) == sorted(ids[::2])
    await store.marks.mark(
        "demo", "ana", MarkInbox(state="read", up_to={f"group:{group}": 9 for group in groups})
    )
    assert await listed(store, "ana", "unread") == ids[-1:]

    async def counted() -> set[Receipts]:
        return {await receipts(store, identity) for identity in ids}

    await eventually(lambda: waiting(store), 0)
    await eventually(counted, {(1, 1, 1)})


class Trouble:
    """One of several processes that change an inbox at random."""

    def __init__(self, store: Store, ids: list[str], chance: random.Random) -> None:
        self._store, self._ids, self._chance = store, ids, chance

    async def make(self, times: int) -> None:
        """Make this many changes, one after another."""
        ways = (self._mark, self._mark_all, self._brief, self._direct, self._grouped, self._recall, self._act)
        for _ in range(times):
            await self._chance.choice((*ways, self._join, self._leave))()

    async def _mark(self) -> None:
        some = tuple(self._chance.sample(self._ids, 5))
        await self._store.marks.mark("demo", "ana", MarkInbox(state=self._chance.choice(SINGLE), ids=some))

    async def _mark_all(self) -> None:
        await self._store.marks.mark("demo", "ana", MarkInbox(state=self._chance.choice(WHOLE), all=True))

    async def _brief(self) -> None:
        sent = await self._store.sends.send("demo", [notification("brief", to_all=True, expires_in=1)])
        self._ids.extend(sent.ids)

    async def _direct(self) -> None:
        self._ids.extend(await send(self._store, "x", users=["ana"]))

    async def _grouped(self) -> None:
        self._ids.extend(await send(self._store, "x", groups=["team"]))

    async def _recall(self) -> None:
        await self._store.sends.recall("demo", self._chance.choice(self._ids))

    async def _act(self) -> None:
        asked = notification("x", users=["ana"], actions=(Action("yes", "Yes"),))
        sent = await self._store.sends.send("demo", [asked])
        self._ids.extend(sent.ids)
        # Another process may recall it first.
        with suppress(NotInInbox):
            await self._store.acting.act("demo", "ana", sent.ids[0], "yes")

    async def _join(self) -> None:
        await self._store.groups.change("demo", "team", ["ana"], [])

    async def _leave(self) -> None:
        await self._store.groups.change("demo", "team", [], ["ana"])


async def test_during_all_changes(settings: Settings, store: Store, dispatcher: Dispatcher) -> None:
    """During all changes of an inbox versions never fall, and afterwards counts equal lists."""
    ids = await send(store, *map(str, range(20)), users=["ana", "bob"])
    versions: list[int] = []

    async def watch() -> None:
        while True:
            versions.append((await store.inbox.counts("demo", "ana")).version)

    async with opened(settings, 3) as stores:
        watching = asyncio.ensure_future(watch())
        await asyncio.gather(*(Trouble(own, ids, random.Random(n)).make(40) for n, own in enumerate(stores)))
        watching.cancel()
    assert versions == sorted(versions)

    async def differences() -> tuple[int, int]:
        counts = await store.inbox.counts("demo", "ana")
        unseen, unread = await listed(store, "ana", "unseen"), await listed(store, "ana", "unread")
        return counts.unseen - len(unseen), counts.unread - len(unread)

    await eventually(lambda: waiting(store), 0)
    await eventually(differences, (0, 0))


async def test_one_partition(settings: Settings) -> None:
    """A store with one partition marks and counts like any other."""
    async with opened(msgspec.structs.replace(settings, partitions=1), 1) as (store,), dispatching(store):
        await join(store, "ana", "team")
        ids = await send(store, "one", groups=["team"]) + await send(store, "two", users=["ana", "bob"])
        await eventually(lambda: waiting(store), 0)
        result = await store.marks.mark("demo", "ana", MarkInbox(state="read", ids=tuple(ids)))
        assert (result.changed, result.counts.unread) == (2, 0)
        await eventually(lambda: waiting(store), 0)
        assert [await receipts(store, identity) for identity in ids] == [(1, 1, 1)] * 2


async def test_a_repeated_swap_is_recognised(store: Store) -> None:
    """A swap whose reply was lost is recognised when it is repeated, also after later swaps."""
    (one,) = await send(store, "one", users=["ana"])
    own = store.keys.user("demo", "ana")
    change = '{"state":"read","at":1,"ids":[]}'
    request = pack([own.base, "demo", "ana", 0, "token", 1, [], [], [], [], [], change, "", -1, []])
    swapped, version, _ = await store._core.run("mark", own.partition, request)
    assert (swapped, version) == (1, 1)
    for state in ("read", "unread", "seen"):
        await store.marks.mark("demo", "ana", Mark(state="read" if state == "read" else "unread", ids=(one,)))
    before = await store.inbox.counts("demo", "ana")
    swapped, version, _ = await store._core.run("mark", own.partition, request)
    assert (swapped, version) == (1, 1)
    other = request.replace(b"token", b"other")
    assert (await store._core.run("mark", own.partition, other))[0] == 0
    assert await store.inbox.counts("demo", "ana") == before


async def test_receipts_of_a_removed_copy(store: Store) -> None:
    """A copy that is recalled before its reading was counted still counts as read, and later marks do not."""
    users = ["ana", "bob", "carl", "dora"]
    async with dispatching(store):
        (one,) = await send(store, "one", users=users)
        await eventually(lambda: waiting(store), 0)
    place = partition_of_id(one)
    assert place is not None
    reader = next(user for user in users if store.keys.user("demo", user).partition != place)
    await store.marks.mark("demo", reader, MarkInbox(state="read", ids=(one,)))
    # The recall alone is carried out first.
    recalling = asyncio.ensure_future(store.sends.recall("demo", one))
    working = asyncio.ensure_future(PartitionWorker(store, place).run())
    await eventually(lambda: titles(store, reader), [])
    await recalling
    working.cancel()
    async with dispatching(store):
        await eventually(lambda: waiting(store), 0)
        for user in users:
            await store.marks.mark("demo", user, MarkInbox(state="read", all=True))
        await eventually(lambda: waiting(store), 0)
    assert await receipts(store, one) == (1, 1, 1)
    page = await store.receipts.of("demo", one, 10, None)
    assert page is not None
    assert {row.user for row in page.items if row.delivered or row.seen or row.read} == {reader}


@pytest.fixture
async def proxy(redis_url: str) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(redis_url, seed=3) as running:
        yield running


async def test_lost_replies_count_nothing_twice(proxy: FaultProxy, redis_url: str) -> None:
    """Marks and dispatchers whose replies are lost change and count everything once."""
    plain = msgspec.structs.replace(Settings.from_environment({}), redis_url=redis_url)
    faulty = msgspec.structs.replace(plain, redis_url=proxy.url)
    users = ["ana", "bob", "carl"]
    async with opened(plain, 1) as (store,), opened(faulty, 3) as stores:
        async with dispatching(store):
            for user in users:
                await join(store, user, "team")
            ids = await send(store, *map(str, range(10)), users=users)
            ids += await send(store, *map(str, range(10)), groups=["team"])
            ids += await send(store, *map(str, range(10)), to_all=True)
            await eventually(lambda: waiting(store), 0)

        async def read(own: Store, user: str) -> None:
            for start in range(0, len(ids), 5):
                for mark in (
                    MarkInbox(state="read", ids=tuple(ids[start : start + 5])),
                    MarkInbox(state="unseen", ids=(ids[start],)),
                ):
                    await until_answered(partial(own.marks.mark, "demo", user, mark))

        proxy.lose_replies = 0.15
        await asyncio.gather(
            *(read(own, user) for own, user in zip(stores * 2, [*users, *users], strict=True))
        )
        # A batch of work starts again after two lost replies in a row.
        proxy.lose_replies = 0.03
        dispatcher = Dispatcher(stores[0])
        await until_answered(dispatcher.beat)
        await eventually(lambda: waiting(store), 0)
        proxy.lose_replies = 0
        await dispatcher.close()
        assert proxy.lost > 20
        assert [await receipts(store, identity) for identity in ids] == [(3, 3, 3)] * 30
        for user in users:
            assert sorted(await listed(store, user, "unseen")) == sorted(ids[::5])
            assert (await store.inbox.counts("demo", user)).unread == 6
