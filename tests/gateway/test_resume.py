"""The start of a connection and its replay: complete, in order, each position once."""

import asyncio
import contextlib
import random
from typing import Any

import pytest

from tests.support.realtime import Client, Frame, Realtime, delivered
from tests.support.sending import eventually, notification
from tidings.protocol.names import log_of_group
from tidings_workers.store import InboxQuery, Store
from tidings_workers.store.keys import tag

TEAM = log_of_group("team")


async def send(store: Store, *titles: str, **target: Any) -> list[str]:
    """Send notifications with these titles, to `ana` without a target; their ids."""
    accepted = await store.sends.send(
        "demo", [notification(each, **(target or {"users": ["ana"]})) for each in titles]
    )
    return accepted.ids


async def resumed(
    realtime: Realtime, epoch: str, positions: dict[str, int], user: str = "ana"
) -> list[Frame]:
    """All frames from the welcome to `caught_up` of a connection that resumes."""
    resume = {"epoch": epoch, "positions": positions}
    async with realtime.user(user, resume=resume) as client:
        await client.until("caught_up")
        frames = list(client.frames)
        assert await client.settle() == []
        return frames


async def device_positions(store: Store, device: str) -> Any:
    log = store.keys.user("demo", "ana")
    known = (await store.feeds.attach("test", log, device)).device
    return known and known.positions


async def test_from_the_ends(store: Store, realtime: Realtime) -> None:
    """Without `resume` and `device` a connection starts at the ends of the logs and gets new entries."""
    await send(store, "old")
    await send(store, "old", to_all=True)
    async with realtime.user("ana") as ana:
        welcome = ana.frames[0]
        assert welcome["positions"] == {"user": 1, "all": 1}
        assert (welcome["user"], welcome["resume"], welcome["heartbeat"]) == ("ana", "none", 25)
        assert welcome["epoch"] == store.epoch
        assert (welcome["counts"]["unseen"], welcome["counts"]["unread"]) == (2, 2)
        await send(store, "one", "two")
        await send(store, "three", to_all=True)
        assert sorted(await ana.titles(3)) == ["one", "three", "two"]
        assert sorted(delivered(ana.frames)) == [("all", 2), ("user", 2), ("user", 3)]
        assert not any(frame.get("replayed") for frame in ana.frames)
        assert await ana.settle() == []


async def test_resume(store: Store, realtime: Realtime) -> None:
    """`resume` replays all later entries in order, then sends `caught_up`, then new entries."""
    await send(store, *(f"u{number}" for number in range(1, 251)))
    await send(store, "a1", "a2", to_all=True)
    resume = {"epoch": store.epoch, "positions": {"user": 3, "all": 1}}
    async with realtime.user("ana", resume=resume) as ana:
        assert ana.frames[0]["resume"] == "complete"
        assert ana.frames[0]["positions"] == {"user": 3, "all": 1}
        frames = await ana.until("caught_up")
        assert frames[-1] == {"type": "caught_up", "positions": {"user": 250, "all": 2}}
        assert delivered(frames) == [*(("user", number) for number in range(4, 251)), ("all", 2)]
        assert all(frame["replayed"] for frame in frames[:-1])
        assert frames[0]["notification"]["title"] == "u4"
        await send(store, "new")
        assert (await ana.expect("notification")).get("replayed") is None
    assert delivered(await resumed(realtime, store.epoch, {"user": 251, "all": 2})) == []


async def test_unnamed_logs(store: Store, realtime: Realtime, working: None) -> None:
    """A log that `resume` does not name is replayed from the start, as far as the user may see it."""
    await store.groups.change("demo", "team", ["bob"], [])
    await send(store, "before", groups=["team"])
    await store.groups.change("demo", "team", ["ana"], [])
    await send(store, "in the team", groups=["team"])
    await send(store, "to all", to_all=True)
    await send(store, "direct")
    await eventually(lambda: total(store, "ana"), 3)
    frames = await resumed(realtime, store.epoch, {})
    assert frames[0]["positions"] == {"user": 0, "all": 0, TEAM: 0}
    assert sorted(delivered(frames)) == [("all", 1), (TEAM, 2), ("user", 1)]
    assert frames[-1]["positions"] == {"user": 1, "all": 1, TEAM: 2}


async def test_new_device(store: Store, realtime: Realtime) -> None:
    """A new device starts at the ends and gets `caught_up` after its start was stored."""
    await send(store, "old")
    async with realtime.user("ana", device="tv") as ana:
        assert ana.frames[0]["positions"] == {"user": 1, "all": 0}
        assert await device_positions(store, "tv") == {"user": 1, "all": 0}
        assert await ana.next() == {"type": "caught_up", "positions": {"user": 1, "all": 0}}


async def test_known_device(store: Store, realtime: Realtime) -> None:
    """A known device continues after its acknowledged positions, whatever else it was sent."""
    async with realtime.user("ana", device="tv") as ana:
        await send(store, "one", "two", "three")
        assert await ana.until("caught_up")
        assert await ana.titles(3) == ["one", "two", "three"]
        await ana.send("ack", positions={"user": 2})
        await ana.send("ack", positions={"user": 1})
        await eventually(lambda: device_positions(store, "tv"), {"user": 2, "all": 0})
    await send(store, "four")
    async with realtime.user("ana", device="tv") as ana:
        assert ana.frames[0]["resume"] == "complete"
        frames = await ana.until("caught_up")
        assert delivered(frames) == [("user", 3), ("user", 4)]


async def test_device_of_another_epoch(store: Store, realtime: Realtime) -> None:
    """A device that reconnects after data was lost gets a gap per log, once, and starts at the ends."""
    await send(store, "one", "two")
    async with realtime.user("ana", device="tv") as ana:
        await ana.until("caught_up")
        await store.start_new_epoch()
        assert await ana.closed() == 1012
    for gaps in (["all", "user"], []):
        async with realtime.user("ana", device="tv") as ana:
            assert ana.frames[0]["epoch"] == store.epoch
            frames = await ana.until("caught_up")
            assert sorted(frame["log"] for frame in frames if frame["type"] == "gap") == gaps
            assert delivered(frames) == []


async def test_resume_wins(store: Store, realtime: Realtime) -> None:
    """A device with `resume` starts there, and continues from there the next time."""
    await send(store, "one", "two", "three")
    async with realtime.user("ana", device="tv"):
        pass
    starts: list[dict[str, Any]] = [{"resume": {"epoch": store.epoch, "positions": {"user": 1}}}, {}]
    for fields in starts:
        async with realtime.user("ana", device="tv", **fields) as ana:
            assert delivered(await ana.until("caught_up")) == [("user", 2), ("user", 3)]


async def test_ack_is_cut(store: Store, realtime: Realtime) -> None:
    """An `ack` past the sent positions is cut to them, and one of an unknown log has no effect."""
    await send(store, "one")
    async with realtime.user("ana", device="tv") as ana:
        await ana.until("caught_up")
        await send(store, "two")
        await ana.expect("notification")
        await ana.send("ack", positions={"user": 2**53 - 1, "all": 7, log_of_group("x"): 5})
        await eventually(lambda: device_positions(store, "tv"), {"user": 2, "all": 0})


async def test_rewind(store: Store, realtime: Realtime, working: None) -> None:
    """`rewind` starts with the last N that the user may see, over all logs; 0 starts at the ends."""
    await send(store, "u1", "u2", "u3")
    await asyncio.sleep(0.002)  # Ids order entries of different logs by the millisecond.
    await send(store, "not for ana", to_all=True, exclude=["ana"])
    await send(store, "a2", to_all=True)
    for count, expected in ((0, []), (1, [("all", 2)]), (2, [("user", 3), ("all", 2)])):
        async with realtime.user("ana", rewind=count) as ana:
            assert delivered(await ana.until("caught_up")) == expected
    async with realtime.user("ana", rewind=200) as ana:
        assert len(delivered(await ana.until("caught_up"))) == 4


async def test_other_epoch(store: Store, realtime: Realtime) -> None:
    """Positions of another epoch give a gap for every log, and a start at the ends."""
    await send(store, "one", "two")
    frames = await resumed(realtime, "another", {"user": 1})
    assert frames[0]["resume"] == "gap"
    assert frames[0]["positions"] == {"user": 2, "all": 0}
    gaps = {frame["log"]: frame for frame in frames if frame["type"] == "gap"}
    assert gaps.keys() == {"user", "all"}
    assert gaps["user"] | {"from": 0} == {
        "type": "gap", "log": "user", "from": 0, "to": 2, "missed": None, "reason": "epoch",
    }  # fmt: skip
    assert delivered(frames) == []


@pytest.mark.parametrize("position", [3, 2**53 - 1])
async def test_past_the_end(store: Store, realtime: Realtime, position: int) -> None:
    """A position past the end of a log gives a gap in that log alone, and the others are replayed."""
    await send(store, "one", "two")
    await send(store, "all", to_all=True)
    frames = await resumed(realtime, store.epoch, {"user": position})
    assert [(f["log"], f["reason"], f["missed"]) for f in frames if f["type"] == "gap"] == [
        ("user", "epoch", None)
    ]
    assert frames[0]["positions"] == {"user": 2, "all": 0}
    assert delivered(frames) == [("all", 1)]
    async with realtime.user("ana") as ana:
        await send(store, "three")
        assert await ana.titles(1) == ["three"]


async def test_unknown_logs(store: Store, realtime: Realtime) -> None:
    """Logs in `resume` that are not the user's are ignored, whatever their names."""
    await send(store, "secret", groups=["team"])
    names = [TEAM, log_of_group("none"), "user/x", "", "\0", "all ", "u/demo/bob"]
    frames = await resumed(realtime, store.epoch, dict.fromkeys(names, 0) | {"user": 0, "all": 0})
    assert [frame["type"] for frame in frames] == ["welcome", "caught_up"]
    assert frames[0]["positions"] == {"user": 0, "all": 0}


async def test_removed_by_retention(store: Store, realtime: Realtime) -> None:
    """A `gap` names the positions that retention removed, and the rest is replayed after it."""
    await send(store, *(f"n{number}" for number in range(1, 9)))
    key = f"{tag(store.keys.user('demo', 'ana').partition)}/u/demo/ana"
    await store.redis.xtrim(f"{key}/log", minid="6-0", approximate=False)
    await store.redis.hset(key, "floor", "5")
    frames = await resumed(realtime, store.epoch, {"user": 2})
    assert frames[0]["resume"] == "gap"
    gap = frames[1]
    assert (gap["type"], gap["log"], gap["from"], gap["to"], gap["missed"]) == ("gap", "user", 3, 5, 3)
    assert gap["reason"] == "expired"
    assert delivered(frames) == [("user", 6), ("user", 7), ("user", 8)]
    again = await resumed(realtime, store.epoch, {"user": 5})
    assert again[0]["resume"] == "complete"
    assert delivered(again) == [("user", 6), ("user", 7), ("user", 8)]


async def test_left_while_away(store: Store, realtime: Realtime, working: None) -> None:
    """A group that the user left while away is replayed up to the leave, then `left` follows."""
    await store.groups.change("demo", "team", ["ana", "bob"], [])
    await send(store, "one", "two", groups=["team"])
    await store.groups.change("demo", "team", [], ["ana"])
    await send(store, "three", groups=["team"])
    await eventually(lambda: total(store, "ana"), 2)
    frames = await resumed(realtime, store.epoch, {TEAM: 1})
    assert delivered(frames) == [(TEAM, 2)]
    types = [frame["type"] for frame in frames]
    assert types == ["welcome", "notification", "left", "caught_up"]
    assert frames[2] == {"type": "left", "log": TEAM, "position": 2}
    assert delivered(await resumed(realtime, store.epoch, {}, "bob")) == [(TEAM, 1), (TEAM, 2), (TEAM, 3)]


async def test_left_and_joined_again(store: Store, realtime: Realtime, working: None) -> None:
    """A user who left and rejoined gets both memberships, without the entries in between."""
    await store.groups.change("demo", "team", ["bob"], [])
    for title, add, remove in (("1", ["ana"], []), ("2", [], ["ana"]), ("3", ["ana"], []), ("4", [], [])):
        await store.groups.change("demo", "team", add, remove)
        await send(store, title, groups=["team"])
    await eventually(lambda: total(store, "ana"), 3)
    frames = await resumed(realtime, store.epoch, {TEAM: 0})
    assert delivered(frames) == [(TEAM, 1), (TEAM, 3), (TEAM, 4)]
    assert frames[-1]["positions"][TEAM] == 4


async def test_skipped_positions(store: Store, realtime: Realtime, working: None) -> None:
    """Excluded and recalled positions are skipped, in the replay and in the counts."""
    await send(store, "one")
    recalled = await send(store, "oops")
    await send(store, "three")
    await send(store, "not for ana", to_all=True, exclude=["ana"])
    await store.sends.recall("demo", recalled[0])
    await eventually(lambda: total(store, "ana"), 2)
    frames = await resumed(realtime, store.epoch, {})
    assert frames[0]["counts"]["unread"] == 2
    assert delivered(frames) == [("user", 1), ("user", 3)]
    assert frames[-1] == {"type": "caught_up", "positions": {"user": 3, "all": 1}}


async def test_expired_while_away(store: Store, realtime: Realtime) -> None:
    """`caught_up` sums up the notifications that expired while the client was away."""
    titles = [("a", "orders"), ("b", "orders"), ("c", "chat")]
    sent = [notification(title, users=["ana"], category=of, expires_in=1) for title, of in titles]
    await store.sends.send(
        "demo", [*sent, notification("stays", users=["ana"], category="chat", expires_in=60)]
    )
    oldest = (await store.inbox.page("demo", "ana", InboxQuery(limit=1))).positions["user"]
    assert oldest == 4

    async def visible() -> int:
        return len((await store.inbox.page("demo", "ana", InboxQuery(limit=9))).items)

    await eventually(visible, 1)
    frames = await resumed(realtime, store.epoch, {})
    assert delivered(frames) == [("user", 4)]
    expired = frames[-1]["expired"]
    assert (expired["count"], expired["categories"]) == (3, {"orders": 2, "chat": 1})
    assert expired["oldest"] <= expired["newest"]
    assert "expired" not in (await resumed(realtime, store.epoch, {"user": 3}))[-1]


async def test_large_replay(store: Store, realtime: Realtime) -> None:
    """A replay larger than the outbox is sent as fast as the client reads, on one connection."""
    for _ in range(5):
        await store.sends.send("demo", [notification("big", users=["ana"], body="x" * 30_000)] * 20)
    frames = await resumed(realtime, store.epoch, {"user": 0})
    assert delivered(frames) == [("user", number) for number in range(1, 101)]


async def test_random_drops_during_sends(store: Store, realtime: Realtime, working: None) -> None:
    """During sends, clients that drop and resume at random get each position once and in order."""
    users = [f"u{number}" for number in range(10)]
    await store.groups.change("demo", "team", users, [])
    done = asyncio.Event()
    views: dict[int, list[tuple[str, int]]] = {}

    async def sender() -> None:
        for number in range(150):
            await asyncio.gather(
                send(store, f"t{number}", groups=["team"]),
                send(store, f"a{number}", to_all=True),
                send(store, *(f"d{number}.{part}" for part in range(3)), users=[users[number % 10]]),
                send(store, f"c{number}", users=users[:3]),
                asyncio.sleep(0.01),
            )
        done.set()

    async def listener(number: int) -> None:
        chance = random.Random(number)
        user, received = users[number % 10], views.setdefault(number, [])
        positions: dict[str, int] = {"user": 0, "all": 0, TEAM: 0}
        finished = False
        while not finished:
            # The last connection starts after the last send, and reads everything.
            finished = done.is_set() and await everything_stored()
            async with realtime.user(
                user, resume={"epoch": store.epoch, "positions": dict(positions)}
            ) as client:
                await read_on(client, positions, received, None if finished else chance.randrange(0, 60))
                if chance.random() < 0.5:
                    client.drop()

    async def everything_stored() -> bool:
        return all(
            [await total(store, user) == 300 + 45 + (150 if user in users[:3] else 0) for user in users]
        )

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(sender())
        for number in range(30):
            tasks.create_task(listener(number))
    for number, received in views.items():
        count = {"user": 45 + (150 if number % 10 < 3 else 0), "all": 150, TEAM: 150}
        for log, expected in count.items():
            assert [position for name, position in received if name == log] == list(range(1, expected + 1))


async def read_on(
    client: Client, positions: dict[str, int], received: list[tuple[str, int]], count: int | None
) -> None:
    """Read `count` frames, or fewer after a pause; None reads up to `caught_up`."""
    with contextlib.suppress(TimeoutError):
        while count is None or count > 0:
            async with asyncio.timeout(None if count is None else 0.3):
                frame = await client.next()
            if frame["type"] == "notification":
                received.append((frame["log"], frame["position"]))
                positions[frame["log"]] = frame["position"]
            elif frame["type"] == "caught_up" and count is None:
                return
            if count is not None:
                count -= 1


async def total(store: Store, user: str) -> int:
    return (await store.inbox.counts("demo", user)).unseen
