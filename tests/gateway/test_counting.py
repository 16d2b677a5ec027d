"""A client that adds new notifications to the last counts shows the right number, also in a catch-up."""

import asyncio

from tests.support.realtime import Frame, Realtime
from tests.support.sending import eventually, notification
from tidings.protocol.rest import MarkInbox
from tidings_workers.store import Store

OLD = 100
LARGE = "x" * 30_000


class Badge:
    """The number that a client shows: the newest counts, plus the notifications since."""

    def __init__(self) -> None:
        self.unread = OLD
        self.version = OLD

    def apply(self, frame: Frame) -> None:
        """Apply a frame of the server."""
        counts = frame.get("counts")
        if frame["type"] == "notification" and not frame.get("replayed"):
            self.unread += 1
            self.version += 1
        elif counts is not None and counts["version"] >= self.version:
            self.unread, self.version = counts["unread"], counts["version"]


async def _unread(store: Store) -> int:
    return (await store.inbox.counts("demo", "ana")).unread


async def test_changes_during_a_replay(store: Store, realtime: Realtime) -> None:
    """Notifications sent, marked and recalled during a long replay change the client's number once each."""
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

        badge, arrived, changed = Badge(), list[str](), list[str]()
        while badge.unread != OLD + 3 - 4 or new[2] not in arrived:
            frame = await wire.message()
            badge.apply(frame)
            if frame["type"] == "notification":
                arrived.append(frame["notification"]["id"])
            for change in frame.get("changes", ()):
                # The client has each marked notification.
                assert change["id"] in arrived
                changed.append(change["id"])
        assert sorted(changed) == sorted(marked)


async def test_sends_between_the_welcome_and_the_replay(store: Store, realtime: Realtime) -> None:
    """Clients that reconnect while notifications are sent show the right number."""
    await store.sends.send("demo", [notification("old", users=["ana"]) for _ in range(OLD)])
    resume = {"epoch": store.epoch, "positions": {"user": 0, "all": 0}}

    async def reconnect() -> bool:
        badge = Badge()
        async with realtime.user("ana", resume=resume) as ana:
            badge.unread, badge.version = OLD, -1
            badge.apply(ana.frames[0])
            title = ""
            while title != "last":
                frame = await ana.next()
                badge.apply(frame)
                title = frame.get("notification", {}).get("title", title)
            for frame in await ana.settle():
                badge.apply(frame)
            return badge.unread == await _unread(store)

    async def keep_sending() -> None:
        for _ in range(200):
            await store.sends.send("demo", [notification("new", users=["ana"])])
        await store.sends.send("demo", [notification("last", users=["ana"])])

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_sending())
        reconnecting = []
        for _ in range(30):
            reconnecting.append(tasks.create_task(reconnect()))
            await asyncio.sleep(0)
    assert [each.result() for each in reconnecting] == [True] * 30
