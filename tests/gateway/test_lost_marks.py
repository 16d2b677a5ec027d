"""After feeds lost marks, recalls or memberships, every device gets the right counts within 3 s."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import msgspec
import pytest

from tests.gateway.conftest import TokenMaker
from tests.gateway.test_healing import HEALED_SECONDS, lose_feeds
from tests.support.faults import FaultProxy
from tests.support.ports import free_port
from tests.support.realtime import Client, Realtime, delivered, running_gateway
from tests.support.sending import eventually, notification
from tidings.protocol.rest import MarkInbox
from tidings_workers.config import Settings
from tidings_workers.store import Store
from tidings_workers.store.keys import interest
from tidings_workers.store.surveys import read_view

Frame = dict[str, Any]
REFUSED_SECONDS = 2.6


@pytest.fixture
async def second(settings: Settings, token: TokenMaker) -> AsyncIterator[Realtime]:
    """A second gateway on the same store."""
    other = msgspec.structs.replace(settings, realtime_port=free_port())
    async with running_gateway(other):
        yield Realtime(other.realtime_port, token)


@pytest.fixture
async def proxy(redis_url: str) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(redis_url) as running:
        yield running


@pytest.fixture
async def proxied(settings: Settings, proxy: FaultProxy, token: TokenMaker) -> AsyncIterator[Realtime]:
    """A gateway behind the proxy."""
    other = msgspec.structs.replace(settings, redis_url=proxy.url, realtime_port=free_port())
    async with running_gateway(other):
        yield Realtime(other.realtime_port, token)


@pytest.fixture
async def second_proxied(settings: Settings, proxy: FaultProxy, token: TokenMaker) -> AsyncIterator[Realtime]:
    """A second gateway behind the proxy."""
    other = msgspec.structs.replace(settings, redis_url=proxy.url, realtime_port=free_port())
    async with running_gateway(other):
        yield Realtime(other.realtime_port, token)


async def send(store: Store, *titles: str, **target: Any) -> list[str]:
    """Accept notifications; their ids."""
    return (await store.sends.send("demo", [notification(title, **target) for title in titles])).ids


async def last_counts(device: Client) -> Frame | None:
    """The last counts that a device was sent, after it has read all frames."""
    await device.settle()
    counts: list[Frame] = [frame["counts"] for frame in device.frames if "counts" in frame]
    return counts[-1]


async def converge(store: Store, *devices: Client) -> None:
    """Every device gets the counts of the store in time."""
    counts = msgspec.to_builtins(await store.inbox.counts("demo", "ana"))
    started = time.monotonic()
    for device in devices:
        await eventually(partial(last_counts, device), counts)
    assert time.monotonic() - started < HEALED_SECONDS


async def marked(device: Client, **fields: Any) -> Frame:
    """Mark by a frame; the answer, with or without success."""
    await device.send("mark", ref="mine", **fields)
    while (frame := await device.next()).get("ref") != "mine":
        pass
    return frame


async def has_left(store: Store) -> bool:
    """Whether the user's slot has the end of the membership."""
    view = await read_view(store._core, store.keys.user("demo", "ana"))
    return "team" in view.memberships and view.memberships["team"][-1][1] >= 0


async def test_feeds_lost_among_marks(store: Store, realtime: Realtime, second: Realtime) -> None:
    """Devices on two gateways get every change and the store's counts, whatever feeds were lost."""
    ids = await send(store, *map(str, range(12)), users=["ana"])
    async with (
        realtime.user("ana") as phone,
        realtime.user("ana") as tablet,
        second.user("ana") as laptop,
    ):
        for turn in range(0, 12, 4):
            await lose_feeds(store)
            mark = MarkInbox(state="read", ids=(ids[turn],))
            await store.marks.mark("demo", "ana", mark)
            answer = await marked(phone, state="seen", ids=[ids[turn + 1]])
            await lose_feeds(store)
            assert (await marked(laptop, state="archived", ids=[ids[turn + 2]]))["type"] == "state"
            assert [change["id"] for change in answer["changes"]] == [ids[turn + 1]]
            await converge(store, phone, tablet, laptop)
        everything = {identity for turn in range(0, 12, 4) for identity in ids[turn : turn + 3]}
        for device in (phone, tablet, laptop):
            changes = [change for frame in device.frames for change in frame.get("changes", ())]
            assert {change["id"] for change in changes} == everything
            versions = [frame["counts"]["version"] for frame in device.frames if "counts" in frame]
            assert versions == sorted(versions)


async def test_a_mark_lost_with_a_message(store: Store, realtime: Realtime) -> None:
    """A mark that a feed lost is found when a later notification shows the missing entry."""
    log = store.keys.user("demo", "ana")
    (zero,) = await send(store, "zero", users=["ana"])
    async with realtime.user("ana") as phone:
        gateways = await store.redis.hget(interest(log.partition), log.base)
        await store.redis.hdel(interest(log.partition), log.base)
        await send(store, "one", users=["ana"])
        await store.marks.mark("demo", "ana", MarkInbox(state="read", ids=(zero,)))
        await store.redis.hset(interest(log.partition), log.base, gateways)
        await send(store, "two", users=["ana"])

        async def counts() -> Any:
            return (await marked(phone, state="seen", ids=["none"]))["counts"]

        await eventually(counts, msgspec.to_builtins(await store.inbox.counts("demo", "ana")))
        assert delivered(phone.frames) == [("user", 2), ("user", 3)]
        (change,) = [change for frame in phone.frames for change in frame.get("changes", ())]
        assert (change["id"], change["state"]) == (zero, "read")


async def test_a_lost_recall(store: Store, realtime: Realtime, second: Realtime) -> None:
    """A recall that no feed reported makes every device reload."""
    (one, _) = await send(store, "one", "two", users=["ana"])
    async with realtime.user("ana") as phone, second.user("ana") as laptop:
        await lose_feeds(store)
        await store.sends.recall("demo", one)
        await converge(store, phone, laptop)
        for device in (phone, laptop):
            assert any(frame.get("reload") for frame in device.frames)


async def test_more_marks_than_the_journal_has(
    store: Store, proxy: FaultProxy, proxied: Realtime, second_proxied: Realtime
) -> None:
    """A device that missed more marks than the journal has reloads."""
    (one,) = await send(store, "one", users=["ana"])
    async with proxied.user("ana") as phone, second_proxied.user("ana") as laptop:
        # No gateway may read the state between two marks.
        proxy.black_hole = True
        for turn in range(121):
            await store.marks.mark(
                "demo", "ana", MarkInbox(state="unread" if turn % 2 else "read", ids=(one,))
            )
        await lose_feeds(store)
        proxy.black_hole = False
        proxy.reset()
        await converge(store, phone, laptop)
        for device in (phone, laptop):
            assert any(frame.get("reload") for frame in device.frames)


@pytest.mark.usefixtures("working")
async def test_a_membership_that_no_feed_reported(store: Store, realtime: Realtime) -> None:
    """The notifications of a membership that no feed reported count, and the device reloads."""
    async with realtime.user("ana") as phone:
        await lose_feeds(store)
        await store.groups.change("demo", "team", ["ana"], [])
        await send(store, "one", "two", groups=["team"])
        await store.groups.change("demo", "team", [], ["ana"])
        await eventually(lambda: has_left(store), True)

        async def current() -> Any:
            return (await marked(phone, state="seen", ids=["none"]))["counts"]

        await eventually(current, msgspec.to_builtins(await store.inbox.counts("demo", "ana")))
        # A feed that exists again in time reports the membership instead.
        assert any(frame.get("reload") or frame["type"] == "joined" for frame in phone.frames)
        assert (await store.inbox.counts("demo", "ana")).unread == 2


@pytest.mark.usefixtures("working")
async def test_brief_memberships(store: Store, realtime: Realtime) -> None:
    """The notifications of brief memberships count on the gateway as they do in the store."""
    async with realtime.user("ana") as phone:
        for turn in range(20):
            await store.groups.change("demo", f"team-{turn}", ["ana"], [])
            await send(store, "one", groups=[f"team-{turn}"])
            await store.groups.change("demo", f"team-{turn}", [], ["ana"])

        async def current() -> Any:
            return (await marked(phone, state="seen", ids=["none"]))["counts"]

        async def unread() -> int:
            return (await store.inbox.counts("demo", "ana")).unread

        await eventually(unread, 20)
        await eventually(current, msgspec.to_builtins(await store.inbox.counts("demo", "ana")))


async def test_recalled_while_opening(store: Store, proxy: FaultProxy, proxied: Realtime) -> None:
    """A notification recalled while a slow connection opens does not count."""
    async with proxied.user("bob") as bob:
        # The gateway reads its feeds from here on.
        await send(store, "zero", users=["bob"])
        await bob.titles(1)
    (one, _) = await send(store, "one", "two", users=["ana"])
    log = store.keys.user("demo", "ana")
    proxy.latency = 0.1
    recalled = asyncio.Event()
    opening = asyncio.ensure_future(_counted(proxied, store, recalled))
    await eventually(lambda: store.redis.hexists(interest(log.partition), log.base), True)
    # The answer is still delayed, so the feed item arrives before it.
    proxy.latency = 0
    await store.sends.recall("demo", one)
    recalled.set()
    assert await opening == 1


async def _counted(gateway: Realtime, store: Store, recalled: asyncio.Event) -> int:
    """Connect, wait for the recall and the final counts, and mark to get the number of unread."""
    async with gateway.user("ana") as phone:
        await recalled.wait()
        await converge(store, phone)
        answer = await marked(phone, state="seen", ids=["none"])
        unread: int = answer["counts"]["unread"]
        return unread


async def test_marks_during_an_outage(store: Store, proxy: FaultProxy, proxied: Realtime) -> None:
    """During an outage the first mark fails in time and later ones at once; after it marks work again."""
    (one,) = await send(store, "one", users=["ana"])
    async with proxied.user("ana") as phone:
        proxy.black_hole = True
        for limit in (REFUSED_SECONDS, 0.5, 0.5):
            started = time.monotonic()
            refused = await marked(phone, state="read", ids=[one])
            assert (refused["type"], refused["code"]) == ("error", "storage_unavailable")
            assert time.monotonic() - started < limit
        proxy.black_hole = False
        proxy.reset()

        async def answered() -> Any:
            return (await marked(phone, state="read", ids=[one]))["type"]

        await eventually(answered, "state")
        await converge(store, phone)
        assert (await store.inbox.counts("demo", "ana")).unread == 0
