"""A send to several groups, or to groups and users, reaches the members at its acceptance."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from tests.support.dispatching import waiting
from tests.support.sending import eventually, notification, titles
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import Idempotency, Store
from tidings_workers.store.keys import ingress, tag
from tidings_workers.store.rosters import cuts, members_at, rosters

on_node = pytest.mark.parametrize("settings", ["node"], indirect=True)


async def carry_out(store: Store) -> None:
    """Let a dispatcher do all accepted work."""
    running = Dispatcher(store)
    await running.beat()
    try:
        await eventually(lambda: waiting(store), 0)
    finally:
        await running.close()


async def send(store: Store, title: str, groups: Sequence[str], users: Sequence[str] = ()) -> str:
    """Send to `demo`; the id."""
    return (await store.sends.send("demo", [notification(title, groups=groups, users=users)])).ids[0]


async def reached(store: Store, identity: str) -> list[str]:
    """The users of a notification, by its receipts."""
    page = await store.receipts.of("demo", identity, 200, None)
    assert page is not None
    return sorted(progress.user for progress in page.items)


def key_of(store: Store, group: str) -> str:
    """The key of a group of `demo`."""
    log = store.keys.group("demo", group)
    return f"{tag(log.partition)}/{log.base}"


async def call(store: Store, *arguments: Any) -> Any:
    """Run one command."""
    return await store._core.call(*arguments)


async def test_leaving_and_joining_after_it(store: Store) -> None:
    """A user who leaves after the acceptance of a send gets it, and one who joins after it does not."""
    await store.groups.change("demo", "team", ["old"], [])
    await store.groups.change("demo", "board", ["chair"], [])
    identity = await send(store, "to both", ["team", "board"])
    await store.groups.change("demo", "team", ["new"], ["old"])
    await carry_out(store)
    assert await reached(store, identity) == ["chair", "old"]
    assert [await titles(store, user) for user in ("old", "new", "chair")] == [["to both"], [], ["to both"]]


async def test_group_deleted_after_it(store: Store) -> None:
    """The members at the acceptance get a send, also when the group is deleted and made again."""
    members = [f"m{number}" for number in range(1_200)]
    await store.groups.change("demo", "project", members, [])
    first = await send(store, "project closes", ["project"], ["owner"])
    await store.groups.delete("demo", "project")
    empty = await send(store, "to an empty group", ["project"], ["owner"])
    await store.groups.change("demo", "project", ["m7", "other"], [])
    last = await send(store, "started again", ["project"], ["owner"])
    await store.groups.delete("demo", "project")
    await carry_out(store)
    for identity, count in ((first, 1_201), (empty, 1), (last, 3)):
        record = await store.sends.notification("demo", identity)
        assert record is not None
        assert (record.status, record.recipients) == ("stored", count)
    assert sorted(await titles(store, "m7")) == ["project closes", "started again"]
    assert await titles(store, "other") == ["started again"]
    assert await titles(store, "m1199") == ["project closes"]


async def test_any_changes_after_it(store: Store) -> None:
    """After any joins, leaves and deletions each send reached exactly the members at its acceptance."""
    chance = random.Random(5)
    users, groups = [f"u{number}" for number in range(6)], ["a", "b", "c"]
    members: dict[str, set[str]] = {group: set() for group in groups}
    expected: dict[str, list[str]] = {}
    for step in range(250):
        group = chance.choice(groups)
        some = chance.sample(users, chance.randint(1, 4))
        match chance.choice(["join", "join", "leave", "leave", "both", "delete", "send", "send"]):
            case "join":
                await store.groups.change("demo", group, some, [])
                members[group].update(some)
            case "leave":
                await store.groups.change("demo", group, [], some)
                members[group].difference_update(some)
            case "both":
                await store.groups.change("demo", group, some, some[1:])
                members[group] = (members[group] | set(some)) - set(some[1:])
            case "delete":
                await store.groups.delete("demo", group)
                members[group] = set()
            case "send":
                named = chance.sample(groups, 2)
                identity = await send(store, str(step), named, some[:1])
                expected[identity] = sorted({some[0]}.union(*(members[name] for name in named)))
    await carry_out(store)
    assert {identity: await reached(store, identity) for identity in expected} == expected


async def test_during_changes(store: Store) -> None:
    """A send accepted after the answer to a join reaches the new member, during constant changes."""
    await store.groups.change("demo", "board", ["chair"], [])
    expected: dict[str, list[str]] = {}

    async def member(name: str) -> None:
        for number in range(10):
            await store.groups.change("demo", "team", [name], [])
            identity = await send(store, f"{name} {number}", ["team", "board"])
            expected.setdefault(name, []).append(identity)
            await store.groups.change("demo", "team", [], [name])

    await asyncio.gather(*(member(f"u{number}") for number in range(8)))
    await carry_out(store)
    for name, identities in expected.items():
        for identity in identities:
            assert name in await reached(store, identity)


async def test_retried_after_changes(store: Store) -> None:
    """A retry with the same idempotency key keeps the members of the first acceptance."""
    key = Idempotency("k", b"digest")
    await store.groups.change("demo", "team", ["old"], [])
    sent = [notification("x", groups=["team", "board"])]
    first = await store.sends.send("demo", sent, idempotency=key)
    await store.groups.change("demo", "team", ["new"], ["old"])
    assert (await store.sends.send("demo", sent, idempotency=key)).ids == first.ids
    await carry_out(store)
    assert await reached(store, first.ids[0]) == ["old"]


async def test_of_an_earlier_version(store: Store) -> None:
    """An entry of an earlier version, without clocks, reaches the members when it is carried out."""
    await store.groups.change("demo", "team", ["old"], [])
    identity = await send(store, "x", ["team", "board"])
    await store.groups.change("demo", "team", ["new"], ["old"])
    key = ingress(int(identity[-3:], 16))
    entries = await call(store, "XRANGE", key, "-", "+")
    await call(store, "DEL", key)
    for number, fields in entries:
        packed = fields[b"o"] if isinstance(fields, dict) else fields[1]
        operations = [
            operation[:3] if operation[0] == "c" else operation
            for operation in msgspec.msgpack.decode(packed)
        ]
        await call(store, "XADD", key, number, "o", msgspec.msgpack.encode(operations))
    await carry_out(store)
    assert await reached(store, identity) == ["new"]


@on_node
async def test_keeps_little(store: Store) -> None:
    """A member who joins and leaves a thousand times costs little, and nothing without a send."""
    key = key_of(store, "team")

    async def flap() -> None:
        for _ in range(1_000):
            await store.groups.change("demo", "team", ["ana"], [])
            await store.groups.change("demo", "team", [], ["ana"])

    await flap()
    await store.groups.delete("demo", "team")
    assert await call(store, "EXISTS", f"{key}/left", f"{key}/stays", f"{key}/deleted") == 0
    await store.groups.change("demo", "team", ["bob"], [])
    for _ in range(60):
        await store.groups.change("demo", "team", ["ana"], [])
        await send(store, "x", ["team", "board"])
        await store.groups.change("demo", "team", [], ["ana"])
    await flap()
    assert await call(store, "ZCARD", f"{key}/left") == 1
    assert await call(store, "HSTRLEN", f"{key}/stays", "ana") < 2_000


@on_node
async def test_kept_for_a_day(store: Store) -> None:
    """Leavers, and the list of a deleted group, are kept for a day."""
    day = 24 * 3600 * 1_000_000
    key, log = key_of(store, "team"), store.keys.group("demo", "team")
    await store.groups.change("demo", "team", ["ana", "bob", "carl", "dora"], [])
    cut = (await cuts(store._core, "demo", ["team"]))["team"]
    await store.groups.change("demo", "team", [], ["ana", "bob"])
    await call(store, "ZADD", f"{key}/left", (await call(store, "ZSCORE", f"{key}/left", "ana")) - day, "ana")
    await store.groups.change("demo", "team", [], ["carl"])
    assert sorted(await call(store, "ZRANGE", f"{key}/left", 0, -1)) == [b"bob", b"carl"]
    assert sorted(await call(store, "HKEYS", f"{key}/stays")) == [b"bob", b"carl"]
    await store.groups.delete("demo", "team")
    await carry_out(store)
    found = set(await rosters(store._core, "demo", {"team": cut}))
    assert found == {"bob", "carl", "dora"}
    moved = [found.decode() for found in await call(store, "ZRANGE", f"{key}/deleted", 0, -1)]
    lists = [
        f"{key}/left",
        f"{key}/stays",
        f"{key}/deleted",
        *(f"{tag(log.partition)}/{base}" for base in moved),
    ]
    assert len(lists) == 4
    for each in lists:
        assert 0 < await call(store, "PTTL", each) <= day / 1_000
    # A read of the clock more than a day ago keeps no leaver.
    await store.groups.change("demo", "team", ["eve", "fay"], [])
    await cuts(store._core, "demo", ["team"])
    await call(store, "HINCRBY", key, "cut_at", -2 * day)
    await store.groups.change("demo", "team", [], ["eve"])
    await store.groups.delete("demo", "team")
    assert await call(store, "HEXISTS", f"{key}/stays", "eve") == 0
    assert await call(store, "ZCARD", f"{key}/deleted") == 1


async def test_erased_after_it(store: Store) -> None:
    """An erased user is not reached as a leaver, and is removed from all lists of leavers."""
    await store.groups.change("demo", "team", ["ana", "bob", "bob:ana"], ["bob:ana"])
    await store.groups.change("demo", "club", ["ana", "bob"], [])
    moment = await cuts(store._core, "demo", ["team", "club"])
    await store.groups.delete("demo", "club")
    running = Dispatcher(store)
    await running.beat()
    await eventually(lambda: waiting(store), 0)
    await store.erasure.erase("demo", "ana")
    await running.close()
    for group, cut in moment.items():
        assert set(await rosters(store._core, "demo", {group: cut})) == {"bob"}
    departed = store.keys.group("demo", "team").key("departed")
    assert await call(store, "ZRANGE", departed, 0, -1) == [b"0:bob:ana"]


@on_node
async def test_while_it_is_read(store: Store) -> None:
    """A member who leaves, or whose group is deleted, while members are read is among them."""
    members = [f"m{number}" for number in range(25_000)]
    await store.groups.change("demo", "team", members, [])
    log = store.keys.group("demo", "team")
    cut = (await cuts(store._core, "demo", ["team"]))["team"]
    found: list[str] = []
    async for users in members_at(store._core, log, cut):
        if not found:
            await store.groups.change("demo", "team", ["late"], members[8_000:24_000:7])
        elif "m15000" in found and await store.groups.get("demo", "team") is not None:
            await store.groups.delete("demo", "team")
            await store.groups.change("demo", "team", ["m3", "later"], [])
        found += users
    assert set(found) == set(members)
