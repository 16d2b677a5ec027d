"""Entries that are too old are removed in small steps by the tenant's rules, and gaps name them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from tests.support.dispatching import dispatcher_process
from tests.support.sending import eventually, notification
from tidings.protocol.rest import MarkInbox
from tidings_workers.config import Settings
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.registry import Registry
from tidings_workers.store import InboxQuery, Lost, Store
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.keys import Log, accepted, tag
from tidings_workers.store.preparing import Preparing
from tidings_workers.store.retention import BUDGET
from tidings_workers.tenants import DEFAULT, Tenant

DAY = 86_400_000
RULES = {"orders.": 365, "chat": 7, "law": None}


def rule(
    store: Store,
    days: Any = DEFAULT,
    categories: Mapping[str, Any] | None = None,
    lookback: int | None = None,
) -> None:
    """Set the retention of `demo`."""
    tenant = Tenant(
        id="demo",
        created_at=datetime.now(UTC),
        retention_days=days,
        category_retention=dict(categories or {}),
        all_lookback=lookback,
    )
    store.follow_policies({"demo": tenant}.get)


async def sweep(store: Store, days: float = 0) -> None:
    """Sweep all partitions as if this many days had passed."""
    now = milliseconds() + int(days * DAY)
    for partition in range(store.partitions):
        while bases := await store.retention.due(partition, now=now):
            await store.retention.sweep(partition, bases, now=now)


async def server_seconds(store: Store) -> float:
    """The processor time of the store's servers; load of the machine does not change it."""
    cluster = store.is_cluster
    info = await store.redis.info("cpu", **({"target_nodes": "primaries"} if cluster else {}))
    nodes = info.values() if cluster else (info,)
    return float(sum(node["used_cpu_user"] + node["used_cpu_sys"] for node in nodes))


def ana(store: Store) -> Log:
    return store.keys.user("demo", "ana")


async def titles(store: Store, user: str) -> list[str]:
    """The titles in a user's inbox, newest first."""
    page = await store.inbox.page("demo", user, InboxQuery(limit=200))
    return [msgspec.json.decode(item.content)["title"] for item in page.items]


async def key_of(store: Store, log: Log, part: str, *command: Any) -> Any:
    """Run a command on one of a log's keys."""
    name, *arguments = command
    return await store._core.call(name, f"{tag(log.partition)}/{log.base}{part}", *arguments)


async def life(store: Store, identity: str) -> float:
    """The days that a record still lives, -1 for ever, -2 without a record."""
    left = int(await store._core.call("PTTL", f"{tag(int(identity[-3:], 16))}/n/demo/{identity}"))
    return round(left / DAY, 2) if left > 0 else left


async def fact(store: Store, log: Log, field: str) -> int:
    return int(await key_of(store, log, "", "HGET", field) or 0)


async def send(store: Store, *categories: str | None, **target: Any) -> list[str]:
    """Send a notification per category, with its number as title; their ids."""
    sent = [
        notification(str(number), **(target or {"users": ["ana"]}), category=category)
        for number, category in enumerate(categories, 1)
    ]
    return (await store.sends.send("demo", sent)).ids


async def test_each_category_for_its_own_time(store: Store) -> None:
    """Each category is kept as long as its rule says, and others as long as the tenant says."""
    rule(store, 90, RULES)
    await send(store, "chat", "orders.new", None, "law", "chat", "other", "orders.paid")
    await sweep(store, 6.9)
    assert await titles(store, "ana") == ["7", "6", "5", "4", "3", "2", "1"]
    await sweep(store, 7.1)
    assert await titles(store, "ana") == ["7", "6", "4", "3", "2"]
    assert await fact(store, ana(store), "floor") == 1
    await sweep(store, 90.1)
    assert await titles(store, "ana") == ["7", "4", "2"]
    await sweep(store, 365.1)
    assert await titles(store, "ana") == ["4"]
    assert await fact(store, ana(store), "floor") == 3
    assert await fact(store, ana(store), "retired") == 7
    await sweep(store, 10_000)
    assert await titles(store, "ana") == ["4"]


async def test_every_log(store: Store, dispatcher: Dispatcher) -> None:
    """Logs of users, groups and all are swept, with the copies of compound targets."""
    await store.groups.change("demo", "team", ["ana", "bob"], [])
    await send(store, None)
    await send(store, None, groups=["team"])
    await send(store, None, to_all=True)
    await send(store, None, users=["ana", "bob"])
    await eventually(lambda: fact(store, ana(store), "head"), 2)
    await sweep(store, 89)
    keys = store.keys
    for log in (ana(store), keys.group("demo", "team"), keys.all("demo"), keys.user("demo", "bob")):
        assert await key_of(store, log, "/log", "XLEN") > 0
    await sweep(store, 91)
    for log in (ana(store), keys.group("demo", "team"), keys.all("demo"), keys.user("demo", "bob")):
        assert await key_of(store, log, "/log", "XLEN") == 0
        assert await fact(store, log, "floor") == await fact(store, log, "head")
        for part in ("/holes", "/retired", "/copies", "/ended", "/categories"):
            assert not await key_of(store, log, part, "EXISTS"), part


async def test_lookback(store: Store) -> None:
    """Sends to all are visible no longer than the lookback, whatever the retention."""
    rule(store, None, {"chat": 7}, lookback=30 * 86_400)
    await send(store, None, "law", to_all=True)
    await send(store, None)
    await sweep(store, 29)
    assert len(await titles(store, "ana")) == 3
    await sweep(store, 31)
    assert len(await titles(store, "ana")) == 1


async def test_small_steps(store: Store) -> None:
    """One call removes at most its budget, and takes little time."""
    for _ in range(10):
        await send(store, *["chat"] * 1_000)
    rule(store, 30, {"chat": 7})
    now, longest = milliseconds() + 8 * DAY, 0.0
    left = 10_000
    while left:
        bases = await store.retention.due(ana(store).partition, now=now)
        before = await server_seconds(store)
        await store.retention.sweep(ana(store).partition, bases, now=now)
        longest = max(longest, await server_seconds(store) - before)
        length = await key_of(store, ana(store), "/log", "XLEN")
        assert 0 <= left - length <= BUDGET
        left = length
    assert longest < 0.1
    assert await fact(store, ana(store), "floor") == 10_000


async def test_rules_that_change(store: Store) -> None:
    """A new rule applies within the hour to stored entries, also to those that an earlier rule covered."""
    rule(store, 90, {"chat": 7})
    await send(store, None, "chat", "orders.new", None)
    await sweep(store, 8)
    assert await titles(store, "ana") == ["4", "3", "1"]
    rule(store, 7, {"orders.": 365})
    await sweep(store, 8 + 1 / 23)
    assert await titles(store, "ana") == ["3"]
    rule(store, None)
    await sweep(store, 1_000)
    assert await titles(store, "ana") == ["3"]
    rule(store, 30)
    await sweep(store, 1_000 + 1 / 23)
    assert await titles(store, "ana") == []


async def test_records_live_as_long(store: Store) -> None:
    """A record expires with its notification, also when the rules change, and stays with one kept forever."""
    rule(store, 30, {"law": None})
    sent = await send(store, None, "law", users=["ana", "bob"])
    assert [await life(store, identity) for identity in sent] == [30, -1]
    rule(store, None, {"law": 7})
    await sweep(store)
    await sweep(store, 1 / 23)
    assert [await life(store, identity) for identity in sent] == [-1, 7]


async def test_a_record_outlives_the_entry_of_a_plain_send(store: Store) -> None:
    """A recalled send to one user has a record as long as its rule says, also when the rules change later."""
    rule(store, 30, {"law": None})
    sent = await send(store, None, "law", None)
    assert [await life(store, identity) for identity in sent] == [-2, -2, -2]
    await sweep(store)
    for identity in sent[:2]:
        await store.sends.recall("demo", identity)
        found = await store.sends.notification("demo", identity)
        assert found is not None
        assert (found.status, found.recipients, found.to) == ("recalled", 1, b'{"users":["ana"]}')
    assert [await life(store, identity) for identity in sent] == [30, -1, -2]
    rule(store, None, {"law": 7})
    await sweep(store, 1 / 23)
    assert [await life(store, identity) for identity in sent] == [-1, 7, -2]


async def test_a_record_lives_a_day(store: Store) -> None:
    """A send whose entry is kept for less than a day has its record for a day, and an older one has none."""
    rule(store, 30, lookback=3_600)
    (identity,) = await send(store, None, to_all=True)
    await sweep(store, 1 / 23)
    assert await key_of(store, store.keys.all("demo"), "/log", "XLEN") == 0
    assert await life(store, identity) == 30
    found = await store.sends.notification("demo", identity)
    assert found is not None
    assert (found.status, found.to) == ("stored", b'{"all":true}')
    (identity,) = await send(store, None)
    await sweep(store, 31)
    assert await store.sends.notification("demo", identity) is None


async def test_accepted_ids_are_forgotten(store: Store) -> None:
    """The ids of accepted sends are kept two days longer than their notifications, and then removed."""
    rule(store, 7)
    (identity,) = await send(store, None)
    await store.sends.recall("demo", identity)
    key = accepted(ana(store).partition, "demo", identity)
    await sweep(store)
    for days, remaining in ((8.7, 1), (9.3, 0)):
        await sweep(store, days)
        assert await store._core.call("EXISTS", key) == remaining


async def test_receipts_of_what_is_kept_for_ever(store: Store, dispatcher: Dispatcher) -> None:
    """Receipts count also for notifications kept forever, and after the rules changed."""
    rule(store, None)
    (identity,) = await send(store, None, users=["ana", "bob"])
    await eventually(lambda: fact(store, ana(store), "head"), 1)

    async def seen_count() -> int:
        found = await store.sends.notification("demo", identity)
        assert found is not None
        return found.seen

    await store.marks.mark("demo", "ana", MarkInbox(all=True, state="seen"))
    await eventually(seen_count, 1)
    rule(store, 30)
    await sweep(store, 1 / 23)
    await store.marks.mark("demo", "bob", MarkInbox(all=True, state="seen"))
    await eventually(seen_count, 2)
    partition = int(identity[-3:], 16)
    for part in ("", "/plan", "/receipts"):
        key = f"{tag(partition)}/n/demo/{identity}{part}"
        assert await store._core.call("PTTL", key) > 29 * DAY, part


async def test_the_list_of_sends(store: Store) -> None:
    """Sends are listed as long as anything of the tenant is kept, and no longer."""
    rule(store, 30, {"chat": 7})
    await send(store, *[None] * 5)
    await send(store, None)
    key = f"{tag(ana(store).partition)}/sent/demo"
    await sweep(store, 29)
    assert await store._core.call("XLEN", key) == 2
    await sweep(store, 31)
    assert await store._core.call("XLEN", key) == 0


async def test_gaps_are_exact(store: Store) -> None:
    """Gaps contain the entries that retention removed, without recalled, expired and hidden ones."""
    rule(store, 90, {"chat": 7})
    ids = await send(store, "chat", "chat", None, "chat", "chat", "chat", None, "chat")
    await store.sends.recall("demo", ids[1])
    await store.sends.recall("demo", ids[4])
    log = ana(store)
    assert await store.retention.lost(log, [0, 8]) is None
    await sweep(store, 8)
    assert await fact(store, log, "floor") == 2
    assert await store.retention.lost(log, [0, 8]) == Lost(1, 8, 4, erased=False)
    assert await store.retention.lost(log, [1, 7]) == Lost(4, 6, 2, erased=False)
    assert await store.retention.lost(log, [5, 6]) == Lost(6, 6, 1, erased=False)
    assert await store.retention.lost(log, [1, 2, 4, 5, 6, 7]) is None
    await sweep(store, 91)
    assert await store.retention.lost(log, [0, 8]) == Lost(1, 8, 6, erased=False)
    assert await store.retention.lost(log, [1, 2, 3, 5]) == Lost(4, 4, 1, erased=False)
    await store.sends.recall("demo", (await send(store, None))[0])
    await sweep(store, 91)
    assert await store.retention.lost(log, [8, 9]) is None


async def test_old_marks_of_a_user(store: Store) -> None:
    """A user's marks on entries removed long ago are removed once a week."""
    await send(store, None, None, to_all=True)
    base, log = store.keys.all("demo").base, ana(store)
    await send(store, None)
    await key_of(store, log, "/state", "HSET", base, "{}")
    await key_of(store, log, f"/times/{base}", "HSET", "s1", 5, "r2", 5, "a3", 5)
    await key_of(store, log, "/hidden", "ZADD", 5, f"{base}/5", 15_000, f"{base}/15000")
    await key_of(store, store.keys.all("demo"), "", "HSET", "floor", 20_000)
    await sweep(store)
    await sweep(store, 6)
    assert await key_of(store, log, f"/times/{base}", "HLEN") == 3
    await sweep(store, 8)
    assert not await key_of(store, log, f"/times/{base}", "EXISTS")
    assert await key_of(store, log, "/hidden", "ZRANGE", 0, -1) == [f"{base}/15000".encode()]


async def test_swept_by_dispatchers_that_are_killed(settings: Settings, store: Store) -> None:
    """Dispatchers remove old entries by the tenant's rules, and the kill of one does no harm."""
    await Registry(store.redis).create_tenant("demo", category_retention={"chat": 7})
    log, old = ana(store), milliseconds() - 8 * DAY
    preparing = Preparing(store._core)
    for _ in range(6):
        sent = [notification("x", users=["ana"], category="chat")] * 1_000
        await preparing.accept("demo", sent, old, [None] * len(sent))
    await send(store, "chat", None)

    async def left() -> int:
        return int(await key_of(store, log, "/log", "XLEN"))

    with dispatcher_process(settings) as process:
        while await left() > 5_000:
            pass
        process.kill()
        process.wait()
    assert 2 < await left() <= 5_000
    with dispatcher_process(settings):
        await eventually(left, 2)
    assert await titles(store, "ana") == ["2", "1"]
    assert await fact(store, log, "floor") == 6_000
    assert await store.retention.lost(log, [0, 6_002]) == Lost(1, 6_000, 6_000, erased=False)
    for part in ("/holes", "/retired"):
        assert not await key_of(store, log, part, "EXISTS"), part
