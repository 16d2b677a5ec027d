"""A client that adds what is new to the counts it was told has the badge right, also while it catches up."""

import asyncio

from tests.support.realtime import Frame, Realtime
from tests.support.sending import eventually, notification
from tidings.protocol.rest import MarkInbox
from tidings_workers.store import Store

OLD = 100
LARGE = "x" * 30_000


class Badge:
    """What a client shows: the newest counts, and what came as new since."""

    def __init__(self) -> None:
        self.unread = OLD
        self.version = OLD

    def take(self, frame: Frame) -> None:
        """Take a frame of the server."""
        counts = frame.get("counts")
        if frame["type"] == "notification" and not frame.get("replayed"):
            self.unread += 1
            self.version += 1
        elif counts is not None and counts["version"] >= self.version:
            self.unread, self.version = counts["unread"], counts["version"]


async def _unread(store: Store) -> int:
    return (await store.inbox.counts("demo", "ana")).unread


async def test_what_came_and_was_marked_while_catching_up(store: Store, realtime: Realtime) -> None:
    """Sent, marked and recalled during a long replay: it is counted once, however it was told of."""
    old = [notification("old", users=["ana"], body=LARGE) for _ in range(OLD)]
    ids = (await store.sends.send("demo", old)).ids
    resume = {"epoch": store.epoch, "positions": {"user": 0, "all": 0}}
    async with realtime.lazy("ana", resume=resume) as wire, realtime.user("ana") as other:
        new = (
            await store.sends.send("demo", [notification(f"new {n}", users=["ana"]) for n in range(3)])
        ).ids
        await other.titles(3)
        marked = (ids[0], ids[-2], new[0])
        await store.marks.mark("demo", "ana", MarkInbox(state="read", ids=marked))
        await other.expect("state")
        await store.sends.recall("demo", ids[-1])
        await other.expect("recalled")
        await eventually(lambda: _unread(store), OLD + 3 - 4)

        badge, arrived, told = Badge(), list[str](), list[str]()
        while badge.unread != OLD + 3 - 4 or new[2] not in arrived:
            frame = await wire.message()
            badge.take(frame)
            if frame["type"] == "notification":
                arrived.append(frame["notification"]["id"])
            for change in frame.get("changes", ()):
                # Of nothing that it does not have yet.
                assert change["id"] in arrived
                told.append(change["id"])
        assert sorted(told) == sorted(marked)


async def test_what_comes_between_the_welcome_and_the_replay(store: Store, realtime: Realtime) -> None:
    """Many come back while notifications keep coming in: each has the badge right."""
    await store.sends.send("demo", [notification("old", users=["ana"]) for _ in range(OLD)])
    resume = {"epoch": store.epoch, "positions": {"user": 0, "all": 0}}

    async def come_back() -> bool:
        badge = Badge()
        async with realtime.user("ana", resume=resume) as ana:
            badge.unread, badge.version = OLD, -1
            badge.take(ana.frames[0])
            title = ""
            while title != "last":
                frame = await ana.next()
                badge.take(frame)
                title = frame.get("notification", {}).get("title", title)
            for frame in await ana.settle():
                badge.take(frame)
            return badge.unread == await _unread(store)

    async def keep_sending() -> None:
        for _ in range(200):
            await store.sends.send("demo", [notification("new", users=["ana"])])
        await store.sends.send("demo", [notification("last", users=["ana"])])

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_sending())
        coming = []
        for _ in range(30):
            coming.append(tasks.create_task(come_back()))
            await asyncio.sleep(0)
    assert [each.result() for each in coming] == [True] * 30
