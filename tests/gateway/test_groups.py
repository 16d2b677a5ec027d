"""Memberships and recalls on open connections."""

import asyncio

import pytest

from tests.support.realtime import Frame, Realtime, delivered
from tests.support.sending import notification
from tidings.protocol.names import log_of_group
from tidings_workers.store import Store

TEAM = log_of_group("team")

pytestmark = pytest.mark.usefixtures("working")


async def send(store: Store, title: str) -> str:
    """A notification to the group; its id."""
    return (await store.sends.send("demo", [notification(title, groups=["team"])])).ids[0]


async def test_joined(store: Store, realtime: Realtime) -> None:
    """Every connection of a new member gets `joined`, and then each notification of the group."""
    await store.groups.change("demo", "team", ["bob"], [])
    await send(store, "before")
    async with realtime.user("ana") as phone, realtime.user("ana", device="tv") as tv:
        await tv.expect("caught_up")
        await store.groups.change("demo", "team", ["ana"], [])
        await send(store, "after")
        for client in (phone, tv):
            assert await client.expect("joined") == {"type": "joined", "log": TEAM, "position": 1}
            assert await client.titles(1) == ["after"]
            assert delivered(client.frames) == [(TEAM, 2)]


async def test_joined_after_reconnecting(store: Store, realtime: Realtime) -> None:
    """A user who has just reconnected gets `joined` like any other."""
    async with realtime.user("ana"):
        pass
    async with realtime.user("ana") as ana:
        await store.groups.change("demo", "team", ["ana"], [])
        await ana.expect("joined")
        await send(store, "hello")
        assert await ana.titles(1) == ["hello"]


async def test_left(store: Store, realtime: Realtime) -> None:
    """A removed member gets no notification sent after the removal's answer; the other members get it."""
    async with realtime.user("ana") as ana, realtime.user("bob") as bob:
        await store.groups.change("demo", "team", ["bob"], [])
        await bob.expect("joined")
        for turn in range(20):
            await store.groups.change("demo", "team", ["ana"], [])
            assert (await ana.expect("joined"))["position"] == 2 * turn
            await send(store, "for both")
            await store.groups.change("demo", "team", [], ["ana"])
            await send(store, "for bob")
            assert await ana.titles(1) == ["for both"]
            assert await ana.expect("left") == {"type": "left", "log": TEAM, "position": 2 * turn + 1}
            assert await bob.titles(2) == ["for both", "for bob"]
        assert await ana.settle() == []


async def test_disbanded(store: Store, realtime: Realtime) -> None:
    """Deleting a group sends `left` to all its members."""
    await store.groups.change("demo", "team", ["ana", "bob"], [])
    async with realtime.user("ana") as ana, realtime.user("bob") as bob:
        # They may have connected before or after the membership was written to their slots.
        await send(store, "hello")
        for client in (ana, bob):
            await client.until("notification")
        await store.groups.delete("demo", "team")
        for client in (ana, bob):
            assert await client.expect("left") == {"type": "left", "log": TEAM, "position": 1}


async def test_churn(store: Store, realtime: Realtime) -> None:
    """While one member joins and leaves quickly, another gets each notification exactly once."""
    await store.groups.change("demo", "team", ["bob"], [])
    async with realtime.user("bob", device="tv") as bob, realtime.user("ana") as ana:
        await bob.until("caught_up")

        async def churn() -> None:
            for _ in range(60):
                await store.groups.change("demo", "team", ["ana"], [])
                await store.groups.change("demo", "team", [], ["ana"])

        async def send_all() -> None:
            for number in range(60):
                await send(store, str(number))

        await asyncio.gather(churn(), send_all())
        frames: list[Frame] = []
        while not frames or frames[-1]["position"] < 60:
            frames += [frame for frame in [await bob.next()] if frame["type"] == "notification"]
        assert delivered(frames) == [(TEAM, number) for number in range(1, 61)]
        await store.groups.change("demo", "team", ["ana"], [])
        await send(store, "last")
        titles: list[str] = []
        while titles[-1:] != ["last"]:
            frame = await ana.next()
            if frame["type"] == "notification":
                titles.append(frame["notification"]["title"])
        positions = [position for _, position in delivered(ana.frames)]
        assert positions == sorted(set(positions))
        assert await bob.titles(1) == ["last"]


async def test_left_and_joined_in_a_replay(store: Store, realtime: Realtime) -> None:
    """A user who leaves and rejoins during a replay gets both memberships whole, and stays live."""
    await store.groups.change("demo", "team", ["ana", "bob"], [])
    await send(store, "first")
    await store.sends.send("demo", [notification("large", users=["ana"], body="x" * 30_000)] * 250)
    async with realtime.user("ana") as other:
        if TEAM not in other.frames[0]["positions"]:
            await other.expect("joined")
        resume = {"epoch": store.epoch, "positions": {}}
        async with realtime.lazy("ana", resume=resume) as wire:
            # The client does not read, so the replay of her own log waits while the group changes.
            for title, add, remove in (("missed", [], ["ana"]), ("second", ["ana"], [])):
                await store.groups.change("demo", "team", add, remove)
                await other.until("left" if remove else "joined")
                await send(store, title)
            frames: list[Frame] = []
            while (TEAM, 3) not in delivered(frames):
                frames.append(await wire.message())
    assert [position for log, position in delivered(frames) if log == TEAM] == [1, 3]
    assert len(delivered(frames)) == 252
    assert [frame["type"] for frame in frames if frame["type"] in {"joined", "left"}] == ["joined"]


async def test_recalled(store: Store, realtime: Realtime) -> None:
    """A recall reaches every open client that got the notification, with new counts, and no other."""
    await store.groups.change("demo", "team", ["ana", "bob"], [])
    async with (
        realtime.user("ana", rewind=0) as phone,
        realtime.user("ana", rewind=0) as tv,
        realtime.user("bob", rewind=0) as bob,
    ):
        for client in (phone, tv, bob):
            await client.until("caught_up")
        to_ana = await store.sends.send(
            "demo", [notification("oops", users=["ana"]), notification("ok", users=["ana"])]
        )
        to_all = await store.sends.send("demo", [notification("all", to_all=True, exclude=["bob"])])
        for client in (phone, tv):
            while len(delivered(client.frames)) < 3:
                await client.next()
        await store.sends.recall("demo", to_ana.ids[0])
        await store.sends.recall("demo", to_all.ids[0])
        for client in (phone, tv):
            seen = sorted(
                [(await client.expect("recalled")) for _ in range(2)],
                key=lambda frame: frame["log"],
                reverse=True,
            )
            assert [(frame["id"], frame["log"], frame["position"]) for frame in seen] == [
                (to_ana.ids[0], "user", 1),
                (to_all.ids[0], "all", 1),
            ]
            assert {"unseen": 1, "unread": 1} in [
                {name: frame["counts"][name] for name in ("unseen", "unread")} for frame in seen
            ]
        await store.sends.recall("demo", to_ana.ids[0])
        assert [frame["type"] for frame in await phone.settle()] == []
        assert [frame["type"] for frame in await bob.settle()] == []


async def test_tenants_apart(store: Store, realtime: Realtime) -> None:
    """A user of another tenant with the same id gets no notification and no `joined`."""
    async with realtime.user("ana", tenant="other") as stranger, realtime.user("ana") as ana:
        await store.groups.change("demo", "team", ["ana"], [])
        await ana.expect("joined")
        await send(store, "team")
        await store.sends.send("demo", [notification("all", to_all=True), notification("ana", users=["ana"])])
        assert sorted(await ana.titles(3)) == ["all", "ana", "team"]
        assert await stranger.settle() == []
