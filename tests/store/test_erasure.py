"""An erasure removes everything of a user, nothing of others, and reuses no position."""

import asyncio
from typing import Any

import pytest

from tests.support.sending import eventually, notification
from tidings.protocol import closing
from tidings.protocol.rest import MarkInbox
from tidings_workers.config import Settings
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import ErasedUser, InboxQuery, StorageUnavailable, Store, erasure, settling
from tidings_workers.store.attaching import Arrival
from tidings_workers.store.feeds import Acknowledgement
from tidings_workers.store.keys import tag
from tidings_workers.store.presence import new_connection_id

NOTHING = ErasedUser(0, 0, 0, 0, 0)
KEPT = {"", "/hidden", "/parted"}
"""Head and versions, hidden positions of the log of all, and the ids of copies,
which stay for a day so that no delayed call makes a copy again.
"""


async def keys_of(store: Store, user: str = "ana") -> set[str]:
    """The remaining keys of a user, by the end of each key."""
    prefix = f"{tag(store.keys.user('demo', user).partition)}/u/demo/{user}"
    return {key.decode().removeprefix(prefix) async for key in store.redis.scan_iter(f"{prefix}*")}


async def listed(store: Store, user: str = "ana") -> list[str]:
    """The log of each item of an inbox, sorted."""
    page = await store.inbox.page("demo", user, InboxQuery(limit=200))
    return sorted(item.log for item in page.items)


async def fill(store: Store, user: str = "ana") -> tuple[str, ...]:
    """Make one of each thing for a user; the ids of three direct notifications and a compound one."""
    log = store.keys.user("demo", user)
    await store.groups.change("demo", "team", [user, "bob"], [])
    await store.groups.change("demo", "club", [user], [])
    sent = await store.sends.send(
        "demo",
        [
            notification("one", users=[user], category="orders"),
            notification("two", users=[user], expires_in=3600),
            notification("both", users=[user, "bob"]),
            notification("team", groups=["team"]),
            notification("all", to_all=True, category="news"),
            notification("not for ana", to_all=True, exclude=[user]),
            notification("nor this", groups=["team"], exclude=[user]),
            notification("recalled", users=[user]),
        ],
    )

    async def own() -> list[str]:
        return [log for log in await listed(store, user) if log != "all"]

    await store.sends.recall("demo", sent.ids[-1])
    await eventually(own, ["group:team", "user", "user", "user"])
    await store.marks.mark("demo", user, MarkInbox(state="read", all=True))
    await store.feeds.acknowledge([Acknowledgement(log, "phone", {"user": 1}, start=True)])
    return sent.ids[0], sent.ids[1], sent.ids[7], sent.ids[2]


async def connected(store: Store, gateway: str) -> str:
    """Register a connection of ana at a running gateway; its id."""
    log = store.keys.user("demo", "ana")
    connection = new_connection_id(gateway, log.partition)
    await store.feeds.attach(gateway, log, None, Arrival(connection, 0, 0))
    return connection


async def test_everything_is_removed(store: Store, dispatcher: Dispatcher) -> None:
    """The answer has the numbers of erased things; versions and positions continue, others keep theirs."""
    *direct, both = await fill(store)
    before = await store.inbox.counts("demo", "ana")
    assert await store.erasure.erase("demo", "ana") == ErasedUser(3, 5, 2, 1, 0)
    assert await keys_of(store) <= KEPT
    assert await listed(store) == ["all"]
    for identity in direct:
        assert await store.sends.notification("demo", identity) is None
    assert await store.sends.notification("demo", both) is not None
    assert await listed(store, "bob") == ["all", "all", "group:team", "group:team", "user"]
    for group, left in (("team", ["bob"]), ("club", [])):
        members = await store.groups.members("demo", group, 50, None)
        assert [user for user, _ in members.items] == left
    assert (await store.groups.of_user("demo", "ana", 50, None)).items == []
    after = await store.inbox.counts("demo", "ana")
    assert (after.unseen, after.unread) == (1, 1)
    assert after.version > before.version
    assert await store.erasure.erase("demo", "ana") == NOTHING
    assert (await store.inbox.counts("demo", "ana")).version > after.version
    await store.sends.send("demo", [notification("again", users=["ana"])])
    page = await store.inbox.page("demo", "ana", InboxQuery(limit=1))
    assert [(item.log, item.position, item.state) for item in page.items] == [("user", 5, "unseen")]


async def test_an_unknown_user(store: Store, dispatcher: Dispatcher) -> None:
    """Erasing an unknown user erases nothing."""
    assert await store.erasure.erase("demo", "nobody") == NOTHING


async def test_a_thousand_groups(store: Store, dispatcher: Dispatcher) -> None:
    """All memberships are removed on both sides, however many there are."""
    names = [f"g{number}" for number in range(1_000)]
    await asyncio.gather(*(store.groups.change("demo", name, ["ana"], []) for name in names))
    assert (await store.erasure.erase("demo", "ana")).memberships == 1_000
    members = await asyncio.gather(*(store.groups.members("demo", name, 1, None) for name in names))
    assert not any(page.items for page in members)
    assert await keys_of(store) <= KEPT


async def test_a_long_log(store: Store, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log is erased in steps; a concurrent send is erased whole, or kept whole after it."""
    monkeypatch.setattr(erasure, "STEP", 7)
    for _ in range(4):
        await store.sends.send("demo", [notification("x", users=["ana"], category="c")] * 50)

    async def send() -> list[str]:
        return [
            identity
            for _ in range(30)
            for identity in (
                await store.sends.send("demo", [notification("new", users=["ana"], category="c")])
            ).ids
        ]

    erased, sent = await asyncio.gather(store.erasure.erase("demo", "ana"), send())
    page = await store.inbox.page("demo", "ana", InboxQuery(limit=200, by_category=True))
    kept = [item.position for item in page.items]
    assert kept == list(range(230, 230 - len(kept), -1))
    assert erased.notifications == 230 - len(kept)
    records = [await store.sends.notification("demo", identity) for identity in sent]
    assert sum(record is not None for record in records) == len(kept)
    assert page.counts.unseen == len(kept)
    assert {name: counts.unseen for name, counts in (page.counts.categories or {}).items()} == (
        {"c": len(kept)} if kept else {}
    )


async def test_accepted_before(store: Store, settings: Settings) -> None:
    """A send accepted before is erased as well, after a dispatcher has carried it out."""
    await store.groups.change("demo", "team", ["ana"], [])
    await store.sends.send("demo", [notification("both", users=["ana", "bob"])])
    erasing = asyncio.create_task(store.erasure.erase("demo", "ana"))
    await asyncio.wait([erasing], timeout=0.1)
    assert not erasing.done()
    running = Dispatcher(store)
    await running.beat()
    assert await erasing == ErasedUser(1, 0, 1, 0, 0)
    await running.close()
    assert await keys_of(store) <= KEPT


async def test_without_dispatcher_or_gateway(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a dispatcher, or with a connection that stays open, an erasure fails and may be retried."""
    monkeypatch.setattr(settling, "WAIT_SECONDS", 0.1)
    await store.feeds.open("w1-00000000", range(store.partitions))
    connection = await connected(store, "w1-00000000")
    with pytest.raises(StorageUnavailable, match="gateway"):
        await store.erasure.erase("demo", "ana")
    log = store.keys.user("demo", "ana")
    await store.connections.remove("w1-00000000", {connection: log.base})
    assert await store.erasure.erase("demo", "ana") == NOTHING
    await store.groups.change("demo", "team", ["ana"], [])
    with pytest.raises(StorageUnavailable, match="dispatcher"):
        await store.erasure.erase("demo", "ana")


async def test_interrupted_anywhere(
    store: Store, dispatcher: Dispatcher, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An erasure that was interrupted at any step and repeated has the same result."""
    monkeypatch.setattr(erasure, "STEP", 2)
    interrupted = await Store.open(settings, name="interrupted")
    call = interrupted._core.call
    allowed = 0

    def failing(*arguments: Any, **options: Any) -> Any:
        nonlocal allowed
        allowed -= 1
        if allowed < 0:
            raise StorageUnavailable("interrupted")
        return call(*arguments, **options)

    # Commands are issued by `call` of the core, and scripts by `call` of its pipeline.
    monkeypatch.setattr(interrupted._core, "call", failing)
    monkeypatch.setattr(interrupted._core.pipeline, "call", failing)
    finished = False
    for steps in range(0, 500, 4):
        user = f"u{steps}"
        await fill(store, user)
        allowed = steps
        try:
            await interrupted.erasure.erase("demo", user)
        except StorageUnavailable:
            await store.erasure.erase("demo", user)
        else:
            finished = True
        assert await keys_of(store, user) <= KEPT
        assert set(await listed(store, user)) == {"all"}
        if finished:
            break
    await interrupted.close()
    assert finished


async def test_disconnected(store: Store, dispatcher: Dispatcher) -> None:
    """Open connections are closed and counted, and the user was never seen."""
    await store.feeds.open("w1-00000000", range(store.partitions))
    connection = await connected(store, "w1-00000000")
    log = store.keys.user("demo", "ana")

    async def gateway() -> None:
        async def closings() -> dict[str, int]:
            return (await store.connections.registered("w1-00000000", log.partition))[1]

        await eventually(closings, {connection: closing.DISCONNECTED.code})
        await store.connections.remove("w1-00000000", {connection: log.base})

    erased, _ = await asyncio.gather(store.erasure.erase("demo", "ana"), gateway())
    assert erased == ErasedUser(0, 0, 0, 0, 1)
    presence = await store.connections.presence("demo", "ana")
    assert (presence.connections, presence.seen_at) == ([], None)
