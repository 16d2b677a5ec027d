"""Snoozed notifications are in no count, and return once at their time, whatever happens until then."""

import asyncio
import random
import time
from collections.abc import Sequence
from functools import partial

import msgspec
import pytest

from tests.store.test_marks import dispatching, join, listed, opened, send, until_answered
from tests.support.dispatching import dispatcher_process
from tests.support.faults import FaultProxy
from tests.support.sending import eventually, notification
from tests.support.valkey import Valkey
from tidings.protocol.rest import MarkInbox, StateFilter
from tidings_workers.config import Settings
from tidings_workers.store import InboxItem, InboxQuery, Store
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.keys import returning
from tidings_workers.store.surveys import read_view

HOUR = 3_600_000


async def snooze(store: Store, user: str, ids: Sequence[str], ahead: int | None = HOUR) -> int:
    """Snooze for some ms, or end it; the number of changed notifications."""
    until = None if ahead is None else milliseconds() + ahead
    return (await store.snoozing.snooze("demo", user, ids, until)).changed


async def mark(store: Store, user: str, state: str, *ids: str) -> int:
    """Mark some ids, or all; the number of changed notifications."""
    wanted = MarkInbox(state=state, ids=ids) if ids else MarkInbox(state=state, all=True)  # type: ignore[arg-type]
    return (await store.marks.mark("demo", user, wanted)).changed


async def counts(store: Store, user: str) -> tuple[int, int]:
    """Unseen and unread."""
    found = await store.inbox.counts("demo", user)
    return found.unseen, found.unread


async def items(store: Store, user: str, state: StateFilter | None = None) -> list[InboxItem]:
    """The items of a list."""
    query = InboxQuery(limit=200, state=state)
    return (await store.inbox.page("demo", user, query)).items


async def wake(store: Store, ahead: int = HOUR) -> None:
    """Return everything that is due within some ms, as a dispatcher does."""
    now = milliseconds() + ahead + 1000
    for partition in range(store.partitions):
        while bases := await store.snoozing.due(partition, now):
            await asyncio.gather(*(store.snoozing.wake(base, now) for base in bases))


async def kept(store: Store, user: str) -> tuple[int, int]:
    """How many times the store has for a user, and how many partitions name the user."""
    own, call = store.keys.user("demo", user), store._core.call
    scores = await call("ZSCORE", returning(own.partition), own.base)
    return await call("ZCARD", own.key("snoozed")), int(scores is not None)


async def test_snoozed_is_hidden_and_returns_unseen(store: Store) -> None:
    """Until its time a notification is in no count and no list but its own; then it is unseen."""
    first, second = await send(store, "first", "second", users=["ana"])
    await mark(store, "ana", "read", first)
    until = milliseconds() + HOUR
    result = await store.snoozing.snooze("demo", "ana", [first, "nonsense"], until)
    assert (result.changed, result.unknown, result.counts.unread) == (1, ("nonsense",), 1)
    assert await counts(store, "ana") == (1, 1)
    assert await listed(store, "ana", "unseen") == await listed(store, "ana", "unread") == [second]
    assert [item.position for item in await items(store, "ana")] == [2]
    hidden: tuple[StateFilter, ...] = ("seen", "read", "archived")
    for state in hidden:
        assert await items(store, "ana", state) == []
    (snoozed,) = await items(store, "ana", "snoozed")
    assert (snoozed.snoozed_until, snoozed.state) == (until, "read")

    await wake(store)
    assert await counts(store, "ana") == (2, 2)
    assert [(item.state, item.snoozed_until) for item in await items(store, "ana")] == [("unseen", None)] * 2
    assert await items(store, "ana", "snoozed") == []
    assert await kept(store, "ana") == (0, 0)
    stored = await store.sends.notification("demo", first)
    assert stored is not None
    assert (stored.seen, stored.read) == (1, 1), "receipts never fall"


async def test_an_ended_snooze_leaves_the_state(store: Store) -> None:
    """A user who ends a snooze has the notification as it was: read stays read, and nothing returns later."""
    (identity,) = await send(store, "one", users=["ana"])
    await mark(store, "ana", "read", identity)
    assert await snooze(store, "ana", [identity]) == 1
    assert await snooze(store, "ana", [identity], None) == 1
    assert await snooze(store, "ana", [identity], None) == 0
    assert [item.state for item in await items(store, "ana")] == ["read"]
    assert await kept(store, "ana") == (0, 0)
    await wake(store)
    assert [item.state for item in await items(store, "ana")] == ["read"]


async def test_a_repeated_snooze_changes_nothing(store: Store) -> None:
    """The same time again changes nothing; another time replaces the first one."""
    one, two = await send(store, "one", "two", users=["ana"])
    until = milliseconds() + HOUR
    assert (await store.snoozing.snooze("demo", "ana", [one, one], until)).changed == 1
    before = await store.inbox.counts("demo", "ana")
    assert (await store.snoozing.snooze("demo", "ana", [one], until)).changed == 0
    assert await store.inbox.counts("demo", "ana") == before
    assert (await store.snoozing.snooze("demo", "ana", [one, two], until)).changed == 1
    assert (await store.snoozing.snooze("demo", "ana", [one], until + HOUR)).changed == 1
    await wake(store)
    assert await listed(store, "ana", "unseen") == [two]
    await wake(store, 2 * HOUR)
    assert await listed(store, "ana", "unseen") == [two, one]


async def test_marks_of_a_snoozed_notification(store: Store) -> None:
    """Archiving ends a snooze, a snooze ends archiving, and marks of all leave snoozed ones alone."""
    one, two = await send(store, "one", "two", users=["ana"])
    await snooze(store, "ana", [one])
    assert await mark(store, "ana", "read") == 1
    assert await mark(store, "ana", "archived") == 1
    assert [item.state for item in await items(store, "ana", "snoozed")] == ["unseen"]
    assert await mark(store, "ana", "seen", one) == 1
    assert [item.state for item in await items(store, "ana", "snoozed")] == ["seen"]
    assert await mark(store, "ana", "archived", one) == 1
    assert await kept(store, "ana") == (0, 0)
    assert await items(store, "ana", "snoozed") == []
    assert await listed(store, "ana", "archived") == [two, one]

    assert await snooze(store, "ana", [one]) == 1
    assert await listed(store, "ana", "archived") == [two]
    (item,) = await items(store, "ana", "snoozed")
    assert (item.archived_at, item.state) == (None, "seen")
    await wake(store)
    assert await listed(store, "ana", "unseen") == [one]


async def test_shared_logs(store: Store) -> None:
    """A user snoozes a notification to a group or to all alone, and it returns after leaving the group."""
    async with dispatching(store):
        await join(store, "ana", "team")
        await join(store, "bob", "team")
        (team,) = await send(store, "team", groups=["team"])
        (everyone,) = await send(store, "all", to_all=True)
        (copy,) = await send(store, "copy", users=["ana", "bob"])
        await eventually(partial(counts, store, "ana"), (3, 3))
        assert await snooze(store, "ana", [team, everyone, copy], 800) == 3
        assert await counts(store, "ana") == (0, 0)
        assert await counts(store, "bob") == (3, 3)
        await store.groups.change("demo", "team", [], ["ana"])
        await eventually(partial(counts, store, "ana"), (3, 3))
        assert sorted(await listed(store, "ana", "unseen")) == sorted([copy, everyone, team])


@pytest.mark.parametrize("how", ["recall", "expiry", "erasure"])
async def test_a_removed_notification_does_not_return(store: Store, how: str) -> None:
    """A notification that is removed while snoozed leaves no count, no item and no time behind."""
    asked = notification("gone", users=["ana"], expires_in=1 if how == "expiry" else None)
    (gone,) = (await store.sends.send("demo", [asked])).ids
    (other,) = await send(store, "other", users=["ana"])
    assert await snooze(store, "ana", [gone, other]) == 2
    async with dispatching(store):
        if how == "recall":
            await store.sends.recall("demo", gone)
        elif how == "erasure":
            await store.erasure.erase("demo", "ana")
            assert await kept(store, "ana") == (0, 0)
        await eventually(partial(snoozed_titles, store), [] if how == "erasure" else [2])
        await wake(store)
        assert await kept(store, "ana") == (0, 0)
        rest = [] if how == "erasure" else [other]
        assert await listed(store, "ana", "unseen") == rest
        assert await counts(store, "ana") == (len(rest), len(rest))
        view = await read_view(store._core, store.keys.user("demo", "ana"))
        assert not any(state.snoozed for state in view.states.values())


async def snoozed_titles(store: Store) -> list[int]:
    return [item.position for item in await items(store, "ana", "snoozed")]


async def test_a_dispatcher_returns_within_a_second(store: Store) -> None:
    """A running dispatcher returns notifications at their times, without a client; never before."""
    ids = await send(store, *map(str, range(6)), users=["ana"])
    async with dispatching(store):
        started = time.monotonic()
        for number, identity in enumerate(ids):
            await snooze(store, "ana", [identity], 400 * (number + 1))
        while (unseen := (await counts(store, "ana"))[0]) < len(ids):
            passed = time.monotonic() - started
            assert unseen <= passed / 0.4 + 1, "none returns before its time"
            assert passed < 20
            await asyncio.sleep(0.02)


async def test_a_killed_dispatcher(store: Store, settings: Settings) -> None:
    """After a kill of the dispatcher another one returns the due items: each once, all of them."""
    users = [f"user-{number}" for number in range(40)]
    ids = {user: await send(store, "one", "two", users=[user]) for user in users}
    with dispatcher_process(settings) as process:
        for user in users:
            await snooze(store, user, ids[user], random.randint(100, 700))
        await eventually(partial(any_returned, store, users), True)
        process.kill()
        process.wait()
    versions = {user: (await store.inbox.counts("demo", user)).version for user in users}
    with dispatcher_process(settings):
        await eventually(partial(unreturned, store, users), 0)
    for user in users:
        assert await counts(store, user) == (2, 2)
        assert await kept(store, user) == (0, 0)
        # Two notifications, one snooze, one return.
        assert (await store.inbox.counts("demo", user)).version - versions[user] in {0, 1}


async def any_returned(store: Store, users: Sequence[str]) -> bool:
    return await unreturned(store, users) < len(users)


async def unreturned(store: Store, users: Sequence[str]) -> int:
    """How many of the users have a snoozed notification."""
    return sum([bool((await kept(store, user))[0]) for user in users])


async def test_a_restart_of_the_store(valkey: Valkey) -> None:
    """Snoozes survive a kill and a restart of Valkey, and return after it."""
    own = msgspec.structs.replace(Settings.from_environment({}), redis_url=valkey.url)
    store = await Store.open(own, name="before")
    (identity,) = await send(store, "one", users=["ana"])
    await snooze(store, "ana", [identity], 1000)
    await store.close()
    valkey.kill()
    valkey.start()
    store = await Store.open(own, name="after")
    try:
        async with dispatching(store):
            await eventually(partial(counts, store, "ana"), (1, 1))
    finally:
        await store.close()


async def test_many_processes_at_once(store: Store, settings: Settings) -> None:
    """Snoozes, returns and marks of many processes at once lose nothing: the counts equal the items."""
    ids = await send(store, *map(str, range(20)), users=["ana"])
    dice = random.Random(7)

    async def work(each: Store) -> None:
        for _ in range(25):
            some = dice.sample(ids, 3)
            match dice.randrange(5):
                case 0 | 1:
                    await snooze(each, "ana", some, dice.randint(1, 60))
                case 2:
                    await snooze(each, "ana", some, None)
                case 3:
                    await mark(each, "ana", dice.choice(["read", "unseen", "archived", "unarchived"]), *some)
                case _:
                    await wake(each, -1000)

    async with opened(settings, 4) as stores:
        await asyncio.gather(*map(work, stores))
        await wake(store)
    listed_items = await items(store, "ana")
    archived = await items(store, "ana", "archived")
    assert len(listed_items) + len(archived) == len(ids)
    assert await items(store, "ana", "snoozed") == []
    unseen = sum(item.seen_at is None for item in listed_items)
    unread = sum(item.read_at is None for item in listed_items)
    assert await counts(store, "ana") == (unseen, unread)
    assert await kept(store, "ana") == (0, 0)


async def test_lost_replies(redis_url: str) -> None:
    """Snoozes and returns whose replies are lost take effect once."""
    plain = msgspec.structs.replace(Settings.from_environment({}), redis_url=redis_url)
    async with FaultProxy(redis_url, seed=5) as proxy, opened(plain, 1) as (store,):
        ids = await send(store, *map(str, range(40)), users=["ana"])
        before = (await store.inbox.counts("demo", "ana")).version
        faulty = msgspec.structs.replace(plain, redis_url=proxy.url)
        async with opened(faulty, 1) as (behind,):
            proxy.lose_replies = 0.15
            for number, identity in enumerate(ids, 1):
                until = milliseconds() + number * HOUR
                await until_answered(partial(behind.snoozing.snooze, "demo", "ana", [identity], until))
            assert await counts(store, "ana") == (0, 0)
            base = store.keys.user("demo", "ana").base
            for number in range(1, len(ids) + 1):
                now = milliseconds() + number * HOUR
                await until_answered(partial(behind.snoozing.wake, base, now))
                assert await counts(store, "ana") == (number, number)
            assert proxy.lost > 5
            proxy.lose_replies = 0
        assert (await store.inbox.counts("demo", "ana")).version == before + 2 * len(ids)


async def test_many_users_at_once(store: Store) -> None:
    """More users than one call lists are due at the same time, and all return."""
    users = [f"user-{number}" for number in range(250)]
    until = milliseconds() + HOUR
    for user in users:
        (identity,) = await send(store, "one", users=[user])
        await store.snoozing.snooze("demo", user, [identity], until)
    await wake(store)
    assert await unreturned(store, users) == 0
