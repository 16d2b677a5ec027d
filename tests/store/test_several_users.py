"""A send to several users is in their inboxes at the answer, in order, once, whatever is killed."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from tests.support.dispatching import copies, waiting
from tests.support.interrupted import held_calls, killed_sending
from tests.support.sending import eventually, every_item, notification, titles
from tidings.protocol.notifications import CreateNotification
from tidings_workers.config import Settings
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import Idempotency, StorageUnavailable, Store
from tidings_workers.store.ids import milliseconds, partition_of_id
from tidings_workers.store.keys import unfinished

# For tests where the kind of server makes no difference and time matters.
on_node = pytest.mark.parametrize("settings", ["node"], indirect=True)

KEY = Idempotency("k", b"digest")
USERS = [f"u{number}" for number in range(40)]


async def status(store: Store, identity: str) -> tuple[str, int | None]:
    """The status and the number of recipients of a notification."""
    record = await store.sends.notification("demo", identity)
    assert record is not None
    return record.status, record.recipients


async def left(store: Store) -> int:
    """How much work remains for dispatchers, now or later."""
    counts = await asyncio.gather(
        *(store._core.call("ZCARD", unfinished(partition)) for partition in range(store.partitions))
    )
    return sum(map(int, counts)) + await waiting(store)


async def the_one_of(store: Store, user: str) -> str:
    """The id of the only notification in an inbox."""
    ((item, _),) = await every_item(store, user)
    return str(msgspec.json.decode(item.content)["id"])


@asynccontextmanager
async def dispatching(store: Store) -> AsyncIterator[Dispatcher]:
    """A running dispatcher."""
    running = Dispatcher(store)
    await running.beat()
    try:
        yield running
    finally:
        await running.close()


async def test_stored_when_answered(store: Store) -> None:
    """A send is stored at the answer without a dispatcher, and no work remains."""
    sent = await store.sends.send("demo", [notification("x", users=[*USERS, "u0"], exclude=["u7"])])
    assert await status(store, sent.ids[0]) == ("stored", 39)
    assert await copies(store, USERS) == [(0, 0) if user == "u7" else (1, 1) for user in USERS]
    assert await left(store) == 0
    receipts = await store.receipts.of("demo", sent.ids[0], 100, None)
    assert receipts is not None
    assert [progress.user for progress in receipts.items] == [user for user in USERS if user != "u7"]


async def test_before_a_direct_one(store: Store) -> None:
    """The user of two sends in a batch gets them in order, also when the first has two users."""
    await store.sends.send(
        "demo", [notification("1 placed", users=["cy", "dan"]), notification("2 shipped", users=["cy"])]
    )
    items = await every_item(store, "cy")
    assert [(item.position, title) for item, title in items] == [(2, "2 shipped"), (1, "1 placed")]


async def test_order_of_a_batch(store: Store) -> None:
    """Each user's log has the order of the batch, also of a long one."""
    chance = random.Random(11)
    users = [f"u{number}" for number in range(12)]
    sent: list[CreateNotification] = []
    expected: dict[str, list[str]] = {user: [] for user in users}
    for number in range(600):
        named = chance.sample(users, chance.choice([1, 1, 2, 3, 11]))
        body = "x" * (20_000 if number % 50 == 0 else 10)
        sent.append(notification(str(number), users=named, body=body))
        for user in named:
            expected[user].append(str(number))
    await store.sends.send("demo", sent)
    for user in users:
        in_log = sorted((item.position, title) for item, title in await every_item(store, user))
        assert [title for _, title in in_log] == expected[user]
    assert await left(store) == 0


async def test_list_is_newest_first(store: Store) -> None:
    """A list has a copy at the time of its send: above earlier sends and below later ones."""
    await store.groups.change("demo", "team", ["ana"], [])
    for number in range(8):
        targets: list[dict[str, Any]] = [
            {"users": ["ana", "bob"]},
            {"groups": ["team"]},
            {"users": ["ana"]},
            {"to_all": True},
        ]
        await store.sends.send("demo", [notification(str(number), **targets[number % 4])])
        await asyncio.sleep(0.002)  # Within a millisecond only the order within each log is defined.
    async with dispatching(store):
        await eventually(lambda: titles(store, "ana"), [str(number) for number in range(7, -1, -1)])


async def test_killed_anywhere(settings: Settings, store: Store) -> None:
    """A process killed before, between or after the copies leaves each user with exactly one copy."""
    sent = [notification("x", users=USERS)]
    for script, answered in (("accept", 0), ("accept", 3), ("accept", 10), ("stored", 0)):
        await asyncio.to_thread(
            killed_sending, settings, sent, script=script, answered=answered, key=f"{script} {answered}"
        )
    async with dispatching(store):
        await eventually(lambda: left(store), 0)
    assert await copies(store, USERS) == [(4, 4)] * len(USERS)
    for item, _ in await every_item(store, "u0"):
        assert await status(store, msgspec.json.decode(item.content)["id"]) == ("stored", len(USERS))


@on_node
@pytest.mark.parametrize(("script", "answered"), [("begin", 1), ("accept", 3), ("stored", 0)])
async def test_repeated_after_a_kill(settings: Settings, store: Store, script: str, answered: int) -> None:
    """A retry with the same key finishes the send of a killed process, without a dispatcher, in order."""
    sent = [notification("1", users=USERS), notification("2", users=["u0"])]
    await asyncio.to_thread(killed_sending, settings, sent, script=script, answered=answered)
    accepted = await store.sends.send("demo", sent, idempotency=KEY)
    assert accepted.replayed
    assert [await status(store, identity) for identity in accepted.ids] == [("stored", 40), ("stored", 1)]
    assert await copies(store, USERS[1:]) == [(1, 1)] * (len(USERS) - 1)
    assert await titles(store, "u0") == ["2", "1"]
    async with dispatching(store):
        await eventually(lambda: left(store), 0)
    assert await copies(store, USERS[:2]) == [(2, 2), (1, 1)]


async def test_accepted_when_the_last_call_fails(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A send whose copies are stored is accepted, also when its status cannot be set; that follows."""
    run = store._core.run

    def fails(name: str, *arguments: Any, **options: Any) -> asyncio.Future[Any]:
        if name != "stored":
            return run(name, *arguments, **options)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.set_exception(StorageUnavailable("no answer"))
        return future

    with monkeypatch.context() as patched:
        patched.setattr(store._core, "run", fails)
        (identity,) = (await store.sends.send("demo", [notification("x", users=USERS)])).ids
    assert await copies(store, USERS) == [(1, 1)] * len(USERS)
    assert await status(store, identity) == ("accepted", len(USERS))
    async with dispatching(store):
        await eventually(lambda: status(store, identity), ("stored", len(USERS)))
        await eventually(lambda: left(store), 0)
    assert await copies(store, USERS) == [(1, 1)] * len(USERS)


async def test_recalled_before_the_copies(store: Store) -> None:
    """A recall between the record and the copies prevails: later copies reach no user."""
    other = await Store.open(store._core.settings, name="other")
    async with dispatching(other), held_calls(store, "accept") as held:
        sending = asyncio.ensure_future(store.sends.send("demo", [notification("x", users=USERS)]))
        await held.reached.wait()
        (listed,) = (await other.receipts.sent("demo", None, 10, None)).items
        assert await other.sends.recall("demo", listed.id)
        held.release.set()
        assert (await sending).ids == [listed.id]
        assert await copies(other, USERS) == [(0, 0)] * len(USERS)
        assert (await status(other, listed.id))[0] == "recalled"
        assert await left(other) == 0
    await other.close()


@on_node
async def test_recalled_before_the_copies_of_a_full_user(store: Store) -> None:
    """A copy that was recalled before it was made is not made later, also after 1,000 removed copies."""
    other = await Store.open(store._core.settings, name="other")
    await store.sends.send("demo", [notification("x", users=["ana", "bob"])] * 1_000)
    async with dispatching(other):
        assert (await other.erasure.erase("demo", "ana")).notifications == 1_000
        async with held_calls(store, "accept") as held:
            sending = asyncio.ensure_future(
                store.sends.send("demo", [notification("x", users=["ana", "bob"])])
            )
            await held.reached.wait()
            (listed,) = (await other.receipts.sent("demo", None, 1, None)).items
            assert await other.sends.recall("demo", listed.id)
            held.release.set()
            assert (await sending).ids == [listed.id]
        found = await copies(other, ["ana", "bob"])
    await other.close()
    assert found == [(0, 1_000), (1_000, 1_000)]


@on_node
async def test_recall_waits_for_the_copies(settings: Settings, store: Store) -> None:
    """A recall of an unfinished send removes its copies before the answer."""
    await asyncio.to_thread(
        killed_sending, settings, [notification("x", users=USERS)], script="accept", answered=5
    )
    (listed,) = (await store.receipts.sent("demo", None, 10, None)).items
    async with dispatching(store):
        assert await store.sends.recall("demo", listed.id)
        assert {length for length, _ in await copies(store, USERS)} == {0}
        await eventually(lambda: left(store), 0)
    assert {length for length, _ in await copies(store, USERS)} == {0}


@on_node
async def test_expired_before_the_repeat(settings: Settings, store: Store) -> None:
    """An expired copy is not made again when the send is finished."""
    sent = [notification("x", users=USERS, expires_in=1)]
    await asyncio.to_thread(killed_sending, settings, sent, script="stored")
    identity = await the_one_of(store, "u0")

    async def totals() -> set[int]:
        return {(await store.inbox.counts("demo", user)).unseen for user in USERS}

    await eventually(totals, {0})
    async with dispatching(store):
        await eventually(lambda: status(store, identity), ("stored", len(USERS)))
        await eventually(lambda: left(store), 0)
    assert {head for _, head in await copies(store, USERS)} == {1}


@on_node
async def test_retired_before_the_repeat(settings: Settings, store: Store) -> None:
    """A copy past its retention is not made again when the send is finished."""
    await asyncio.to_thread(killed_sending, settings, [notification("x", users=USERS)], script="stored")
    identity = await the_one_of(store, "u0")
    later = milliseconds() + store._core.retention_ms + 1_000
    for partition in range(store.partitions):
        await store.retention.sweep(partition, await store.retention.due(partition, now=later), now=later)
    assert {length for length, _ in await copies(store, USERS)} == {0}
    async with dispatching(store):
        await eventually(lambda: status(store, identity), ("stored", len(USERS)))
    assert {head for _, head in await copies(store, USERS)} == {1}


async def test_delayed_past_an_erasure(store: Store) -> None:
    """A call delayed past an erasure writes nothing of the user again."""
    other = await Store.open(store._core.settings, name="other")
    sent = [notification("x", users=["ana", "bob"])]
    async with dispatching(other), held_calls(store, "accept") as held:
        delayed = asyncio.ensure_future(store.sends.send("demo", sent, idempotency=KEY))
        await held.reached.wait()
        await other.sends.send("demo", sent, idempotency=KEY)
        erased = await other.erasure.erase("demo", "ana")
        assert erased.notifications == 1
        held.release.set()
        await delayed
        assert await copies(other, ["ana", "bob"]) == [(0, 1), (1, 1)]
    await other.close()


@on_node
async def test_erased_while_unfinished(settings: Settings, store: Store) -> None:
    """An erasure waits for the unfinished send of a killed process, and erases it too."""
    await asyncio.to_thread(
        killed_sending, settings, [notification("x", users=USERS)], script="accept", answered=1
    )
    async with dispatching(store):
        await store.erasure.erase("demo", "u3")
        assert await left(store) == 0
        assert await titles(store, "u3") == []
        assert partition_of_id(await the_one_of(store, "u4")) is not None
    assert await copies(store, ["u3"]) == [(0, 1)]
