"""Topics are logs of their own: dense positions, one copy per topic, receipts by connection, retention."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tests.store.test_retention import sweep
from tests.support.sending import eventually, notification
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import InboxQuery, NoUserReceipts, Store, accepting
from tidings_workers.store.bases import parse_base
from tidings_workers.store.keys import Keys, Log
from tidings_workers.store.topics import COUNTED_POSITIONS, Acknowledged, counts
from tidings_workers.tenants import Tenant

NAMES = ("news", "news/log", "news/log/log", "a/b", "a=2Fb", "u/x", "~", "a" * 200)


def topic(store: Store, name: str) -> Log:
    return store.keys.topic("demo", name)


async def send(store: Store, *titles: str, topics: tuple[str, ...] = ("news",), **fields: Any) -> list[str]:
    sent = [notification(title, topics=topics, **fields) for title in titles]
    return (await store.sends.send("demo", sent)).ids


async def titles(store: Store, name: str, tenant: str = "demo") -> list[tuple[int, str]]:
    """The positions and titles of a topic, the newest first."""
    page = await store.topics.entries(tenant, name, 200, None)
    return [(entry.position, msgspec.json.decode(entry.content)["title"]) for entry in page.items]


async def acknowledge(store: Store, name: str, after: int, up_to: int, connections: int, number: int) -> None:
    for each in counts([Acknowledged(topic(store, name), after, up_to, connections)], number):
        await store.topics.count("w1", each)


async def delivered(store: Store, notification_id: str) -> int:
    found = await store.sends.notification("demo", notification_id)
    assert found is not None
    return found.delivered


def test_no_two_topics_share_a_key() -> None:
    """The base of a topic can be read back, and is the part of no other base."""
    keys = Keys(16)
    logs = [keys.topic("demo", name) for name in NAMES]
    for log, name in zip(logs, NAMES, strict=True):
        assert parse_base(log.base) == ("t", "demo", name)
        assert keys.of(log.base) == log
        assert log.base.count("/") == 2
        assert log.name == f"topic:{name}"
    assert len({log.base for log in logs}) == len(NAMES)


async def test_a_topic_is_a_dense_log_that_no_inbox_has(store: Store) -> None:
    """Sends to one topic have the positions 1, 2, 3 in order, and are in no inbox and no count."""
    ids = await send(store, "one", "two", "three")
    assert await titles(store, "news") == [(3, "three"), (2, "two"), (1, "one")]
    found = await store.sends.notification("demo", ids[1])
    assert found is not None
    assert (found.status, found.recipients, found.position) == ("stored", None, 2)
    page = await store.inbox.page("demo", "ana", InboxQuery(limit=10))
    assert (page.items, page.counts.unseen, page.positions) == ([], 0, {"user": 0, "all": 0})
    with pytest.raises(NoUserReceipts):
        await store.receipts.of("demo", ids[0], 10, None)


async def test_several_topics_get_one_copy_each(store: Store) -> None:
    """A send to several topics is stored in each of them when it is answered, once, and in order."""
    first = await send(store, "to both", topics=("news", "news/sport", "news"))
    await send(store, "to one")
    assert await titles(store, "news") == [(2, "to one"), (1, "to both")]
    assert await titles(store, "news/sport") == [(1, "to both")]
    found = await store.sends.notification("demo", first[0])
    assert found is not None
    assert (found.status, found.recipients) == ("stored", None)


async def test_a_dispatcher_finishes_and_recalls_copies(
    store: Store, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A send to topics that stopped before its copies is finished once; a recall removes every copy."""
    names = tuple(f"room/{number}" for number in range(20))

    async def stop(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(accepting, "_append", stop)
        with pytest.raises(asyncio.CancelledError):
            await send(store, "hello", topics=names)
    page = await store.receipts.sent("demo", None, 10, None)
    (unfinished,) = page.items
    assert unfinished.status == "accepted"

    async def heads() -> list[list[tuple[int, str]]]:
        return [await titles(store, name) for name in names]

    await eventually(heads, [[(1, "hello")]] * len(names))

    async def status() -> str | None:
        found = await store.sends.notification("demo", unfinished.id)
        return found.status if found else None

    await eventually(status, "stored")
    assert await store.sends.recall("demo", unfinished.id)
    assert await heads() == [[]] * len(names)
    assert await status() == "recalled"


async def test_tenants_are_apart(store: Store) -> None:
    """A topic of one tenant is not that of another, by name, list, prefix or entries."""
    await send(store, "mine")
    assert await store.topics.get("other", "news") is None
    assert await titles(store, "news", "other") == []
    assert (await store.topics.page("other", "", 10, None)).items == []


async def test_delivered_counts_connections_once(store: Store) -> None:
    """Acknowledgements add up by position; a repeated call counts nothing, and so does a removed position."""
    ids = await send(store, "one", "two", "three", "four")
    await store.sends.recall("demo", ids[2])
    await acknowledge(store, "news", 0, 4, 5, 1)
    await acknowledge(store, "news", 0, 4, 5, 1)
    await acknowledge(store, "news", 1, 2, 2, 2)
    assert [await delivered(store, each) for each in ids] == [5, 7, 0, 5]
    # The receipts of a recalled entry stay.
    await store.sends.recall("demo", ids[1])
    assert await delivered(store, ids[1]) == 7
    kept = await store._core.call("HKEYS", topic(store, "news").key("acknowledged"))
    assert sorted(kept) == [b"1", b"4"]


async def test_delivered_counts_the_copies_of_all_topics(store: Store, dispatcher: Dispatcher) -> None:
    """The receipts of a send to several topics add up those of its copies, also of removed ones."""
    (both,) = await send(store, "both", topics=("news", "talk"))
    await acknowledge(store, "news", 0, 1, 3, 1)
    await acknowledge(store, "talk", 0, 1, 4, 2)
    assert await delivered(store, both) == 7
    await store.sends.recall("demo", both)
    assert await delivered(store, both) == 7


def test_counting_calls_are_small() -> None:
    """A call counts a limited number of positions, and together the calls count each position."""
    log = Keys(1).topic("demo", "news")
    made = counts([Acknowledged(log, 5, 3005, 2), Acknowledged(log, 7, 9, 1)], 10)
    assert [each.number for each in made] == list(range(10, 10 + len(made)))
    sizes = [sum(up_to - after for _, after, up_to, _ in each.items) for each in made]
    assert max(sizes) <= COUNTED_POSITIONS
    assert sum(sizes) == 3002


async def test_the_list_has_topics_by_prefix(store: Store) -> None:
    """Topics are listed by name from any prefix, page by page in both directions, each with its facts."""
    names = sorted([*(f"room/{number:02}" for number in range(25)), "room", "rooms", "news"])
    for name in names:
        await send(store, name, topics=(name,))
    seen, cursor = [], None
    while True:
        page = await store.topics.page("demo", "room", 10, cursor)
        seen += [each.name for each in page.items]
        if page.next is None:
            break
        cursor = page.next
    assert seen == [name for name in names if name.startswith("room")]
    back = await store.topics.page("demo", "room", 10, page.previous)
    assert [each.name for each in back.items] == seen[10:20]
    assert [each.name for each in (await store.topics.page("demo", "room/1", 200, None)).items] == [
        f"room/{number}" for number in range(10, 20)
    ]
    assert {(each.position, each.subscribers) for each in page.items} == {(1, 0)}


async def test_the_history_is_paged_newest_first(store: Store) -> None:
    """The entries of a topic are paged in both directions, without those that expired or were recalled."""
    ids = await send(store, *map(str, range(12)))
    await store.sends.recall("demo", ids[6])
    first = await store.topics.entries("demo", "news", 5, None)
    second = await store.topics.entries("demo", "news", 5, first.next)
    third = await store.topics.entries("demo", "news", 5, second.next)
    assert [entry.position for page in (first, second, third) for entry in page.items] == [
        12, 11, 10, 9, 8, 6, 5, 4, 3, 2, 1,
    ]  # fmt: skip
    assert third.next is None
    back = await store.topics.entries("demo", "news", 5, third.previous)
    assert back.items == second.items
    assert first.previous is None


async def test_subscribers_are_those_of_running_gateways(store: Store) -> None:
    """The subscribers of running gateways add up; a topic without entries ends with the last one."""
    log = topic(store, "news")
    for gateway, connections in (("w1", 3), ("w2", 4)):
        await store.feeds.open(gateway, [log.partition])
        await store.feeds.watch(gateway, log.partition, [log.base])
        await store.topics.count_subscribers(gateway, {log: connections})
    found = await store.topics.get("demo", "news")
    assert found is not None
    assert (found.position, found.subscribers) == (0, 7)
    assert found.created_at > 0
    await store.feeds.close("w2")
    found = await store.topics.get("demo", "news")
    assert found is not None
    assert found.subscribers == 3
    await store.feeds.unwatch("w2", log.partition, [log.base])
    await store.feeds.unwatch("w1", log.partition, [log.base])
    assert await store.topics.get("demo", "news") is None
    assert (await store.topics.page("demo", "", 10, None)).items == []
    assert await store._core.call("EXISTS", log.root) == 0


async def test_the_sweep_removes_topics_that_nobody_needs(store: Store) -> None:
    """A topic whose only gateway was killed before a first entry is removed; one with an entry stays."""
    for name in ("invented", "real"):
        log = topic(store, name)
        await store.feeds.watch("killed", log.partition, [log.base])
    await send(store, "hello", topics=("real",))
    await sweep(store, days=3)
    assert [each.name for each in (await store.topics.page("demo", "", 10, None)).items] == ["real"]
    assert await titles(store, "real") == []
    await send(store, "again", topics=("real",))
    assert await titles(store, "real") == [(2, "again")]


async def test_topics_have_a_retention_of_their_own(store: Store) -> None:
    """Entries, records and the list of sends have the time of topics, and not that of users."""
    ids = await send(store, "old")
    (both,) = await send(store, "old too", topics=("news", "talk"))
    (direct,) = await send(store, "direct", topics=(), users=["ana"])
    await acknowledge(store, "news", 0, 2, 1, 1)
    await sweep(store, days=2)
    assert await titles(store, "news") == []
    log = topic(store, "news")
    lost = await store.retention.lost(log, [0, 2])
    assert lost is not None
    assert (lost.first, lost.last, lost.missed) == (1, 2, 2)
    page = await store.receipts.sent("demo", None, 10, None)
    assert [each.id for each in page.items] == [direct]
    for each in (*ids, both):
        life = await store._core.call("PTTL", f"{{p{int(each[-3:], 16)}}}/n/demo/{each}")
        assert 0 < life <= 86_400_000
    assert await store._core.call("EXISTS", log.key("acknowledged")) == 0

    tenant = Tenant(id="demo", created_at=datetime.now(UTC), topic_retention=10 * 86_400)
    store.follow_policies({"demo": tenant}.get)
    await send(store, "kept")
    await sweep(store, days=5)
    assert await titles(store, "news") == [(3, "kept")]


async def test_entries_of_topics_expire(store: Store) -> None:
    """An entry with `expires_in` is hidden from its time on, and the sweep makes it a hole."""
    await send(store, "short", expires_in=1)
    await send(store, "long")
    await asyncio.sleep(1.1)
    assert await titles(store, "news") == [(2, "long")]
    await sweep(store)
    (found,) = await store.feeds.watch("w1", topic(store, "news").partition, [topic(store, "news").base])
    assert found.holes in ([], [1])
    assert found.floor in {0, 1}
