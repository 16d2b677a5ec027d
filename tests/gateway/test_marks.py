"""Marks of one device reach the others: on the same gateway, on another one, and after a reconnect."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from tests.gateway.conftest import TokenMaker
from tests.support.ports import free_port
from tests.support.realtime import Client, Realtime, running_gateway
from tests.support.sending import eventually, notification
from tidings.protocol.frames import Mark
from tidings.protocol.notifications import Action
from tidings.protocol.rest import MarkInbox
from tidings_workers.config import Settings
from tidings_workers.gateway.directory import Directory
from tidings_workers.store import InboxQuery, Store

Frame = dict[str, Any]


@pytest.fixture
async def second_gateway(settings: Settings, token: TokenMaker) -> AsyncIterator[Realtime]:
    """A second gateway on the same store."""
    other = msgspec.structs.replace(settings, realtime_port=free_port())
    async with running_gateway(other):
        yield Realtime(other.realtime_port, token)


async def send(store: Store, *titles: str, **target: Any) -> list[str]:
    """Accept notifications; their ids."""
    return (await store.sends.send("demo", [notification(title, **target) for title in titles])).ids


async def state(client: Client) -> Frame:
    """The next `state` frame; others before it are skipped."""
    return (await client.until("state"))[-1]


async def answer_to(client: Client, ref: int | str) -> Frame:
    """The `state` frame with that ref; other frames before it are skipped."""
    while (frame := await state(client)).get("ref") != ref:
        pass
    return frame


def counted(frame: Frame) -> tuple[int, int]:
    """Unseen and unread."""
    return frame["counts"]["unseen"], frame["counts"]["unread"]


async def test_every_device_gets_a_mark(store: Store, realtime: Realtime, second_gateway: Realtime) -> None:
    """A mark by frame reaches the user's other connections on every gateway, and no other user."""
    async with (
        realtime.user("ana") as phone,
        realtime.user("ana") as tablet,
        second_gateway.user("ana") as laptop,
        second_gateway.user("bob") as bob,
    ):
        first, other = await send(store, "one", "two", users=["ana"])
        await phone.titles(2)
        await phone.send("mark", ids=[first], state="read", ref="r1")
        answer = await answer_to(phone, "r1")
        assert (counted(answer), answer["state_version"]) == ((1, 1), 1)
        assert [(change["id"], change["state"]) for change in answer["changes"]] == [(first, "read")]
        for device in (tablet, laptop):
            received = await state(device)
            assert (received["changes"], received["counts"]) == (answer["changes"], answer["counts"])
            assert "ref" not in received
        await laptop.send("mark", ids=[other], state="seen", ref=7)
        await answer_to(laptop, 7)
        assert counted(await state(phone)) == (0, 1)
        assert await bob.settle() == []


async def test_by_rest(store: Store, realtime: Realtime, working: None) -> None:
    """A mark by REST reaches open connections in the form of its request: ids, positions, or all."""
    async with realtime.user("ana") as ana:
        one, *_ = await send(store, "one", "two", "three", users=["ana"])
        await send(store, "to all", to_all=True)
        await ana.titles(4)
        await store.marks.mark("demo", "ana", MarkInbox(state="seen", ids=(one,)))
        assert [change["id"] for change in (await state(ana))["changes"]] == [one]
        await store.marks.mark("demo", "ana", MarkInbox(state="read", up_to={"user": 2}))
        received = await state(ana)
        assert (received["up_to"], received["state"], counted(received)) == ({"user": 2}, "read", (2, 2))
        await store.marks.mark("demo", "ana", MarkInbox(state="archived", all=True))
        received = await state(ana)
        assert (received["all"], received["up_to"], counted(received)) == (
            True,
            {"user": 3, "all": 1},
            (0, 0),
        )


async def test_order_of_marks(store: Store, realtime: Realtime) -> None:
    """Marks of one connection are carried out in the order in which they were sent."""
    async with realtime.user("ana") as ana:
        (one,) = await send(store, "one", users=["ana"])
        await ana.titles(1)
        for ref in range(20):
            await ana.send("mark", ids=[one], state="unread" if ref % 2 else "read", ref=ref)
        answers = [await state(ana) for _ in range(20)]
        assert [answer["ref"] for answer in answers] == list(range(20))
        assert counted(answers[-1]) == (0, 1)


async def test_nothing_changes(store: Store, realtime: Realtime) -> None:
    """A mark that changes nothing gets its answer, and no other connection gets a frame."""
    async with realtime.user("ana") as phone, realtime.user("ana") as laptop:
        (one,) = await send(store, "one", users=["ana"])
        (foreign,) = await send(store, "other", users=["bob"])
        await phone.titles(1)
        await laptop.titles(1)
        await phone.send("mark", ids=[foreign, "no-id"], state="read", ref=1)
        answer = await answer_to(phone, 1)
        assert (answer["changes"], answer["unknown"], counted(answer)) == ([], [foreign, "no-id"], (1, 1))
        await phone.send("mark", ids=[one, foreign], state="unread", ref=2)
        assert ((answer := await answer_to(phone, 2))["changes"], answer["unknown"]) == ([], [foreign])
        assert await laptop.settle() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"state": "read"},
        {"state": "read", "ids": [], "all": True},
        {"state": "read", "all": False},
        {"state": "shiny", "all": True},
        {"state": "read", "ids": ["x"] * 1001},
        {"state": "read", "up_to": {"user": -1}},
        {"state": "read", "up_to": {"nolog": 1}},
        {"state": "read", "ids": ["x"], "category": "orders"},
    ],
)
async def test_bad_marks(realtime: Realtime, fields: Frame) -> None:
    """An invalid mark gets an error with its ref, and the connection stays open."""
    async with realtime.user("ana") as ana:
        await ana.send("mark", ref="bad", **fields)
        error = await ana.expect("error")
        assert (error["code"], error["ref"]) == ("invalid_request", "bad")
        assert error["detail"]
        assert await ana.settle() == []


async def test_past_the_end(store: Store, realtime: Realtime) -> None:
    """A position beyond the end of a log is cut to it, so later notifications are unread."""
    async with realtime.user("ana") as ana:
        await send(store, "one", users=["ana"])
        await ana.titles(1)
        await ana.send("mark", up_to={"user": 2**53 - 1}, state="read", ref=1)
        answer = await answer_to(ana, 1)
        assert (answer["up_to"], counted(answer)) == ({"user": 1}, (0, 0))
        await send(store, "two", users=["ana"])
        await ana.titles(1)
        assert (await store.inbox.counts("demo", "ana")).unread == 1


async def test_overlapping_marks(store: Store, realtime: Realtime, second_gateway: Realtime) -> None:
    """Overlapping marks of two devices are both carried out, and no entry is counted twice."""
    ids = await send(store, *map(str, range(40)), users=["ana"])
    async with realtime.user("ana") as phone, second_gateway.user("ana") as laptop:
        for start in range(0, 30, 2):
            await phone.send("mark", ids=ids[start : start + 6], state="read", ref=start)
            await laptop.send("mark", ids=ids[start + 3 : start + 10], state="seen", ref=start)
        for device in (phone, laptop):
            refs: list[int] = []
            while len(refs) < 15:
                frame = await state(device)
                refs += [frame["ref"]] if "ref" in frame else []
            assert refs == list(range(0, 30, 2))
        counts = await store.inbox.counts("demo", "ana")
        assert (counts.unseen, counts.unread) == (2, 40 - 34)
        for device in (phone, laptop):
            await device.settle()
            last = [frame for frame in device.frames if frame["type"] == "state"][-1]
            assert (last["counts"]["unseen"], last["counts"]["version"]) == (2, counts.version)


class LateFeeds:
    """The changes of users' data that feeds have reported, and that the gateways have not processed."""

    def __init__(self) -> None:
        self._process = Directory.process
        self.items: list[Any] = []

    async def reported(self, count: int) -> None:
        """Wait until this many changes are reported."""

        async def number() -> int:
            return len(self.items)

        await eventually(number, count)

    def process(self) -> None:
        """Process all of them now."""
        for item in self.items:
            self._process(*item)


@contextmanager
def late_feeds(monkeypatch: pytest.MonkeyPatch) -> Iterator[LateFeeds]:
    """Gateways process no change of users' data."""
    late = LateFeeds()
    with monkeypatch.context() as feeds:
        feeds.setattr(Directory, "process", lambda *item: late.items.append(item))
        yield late


@pytest.mark.parametrize("fields", [{"type": "mark", "state": "read"}, {"type": "act", "action": "yes"}])
@pytest.mark.parametrize("lost", [False, True], ids=["late", "lost"])
async def test_a_later_mark_follows_the_answer(
    store: Store, realtime: Realtime, monkeypatch: pytest.MonkeyPatch, fields: Frame, *, lost: bool
) -> None:
    """A connection gets changes by version, its own as the answer alone, also if feeds are late or lost."""
    asked = notification("May I?", users=["ana"], actions=(Action("yes", "Yes"),))
    (one,) = (await store.sends.send("demo", [asked])).ids
    async with realtime.user("ana") as phone:
        with late_feeds(monkeypatch) as late:
            name = {"ids": [one]} if fields["type"] == "mark" else {"id": one}
            await phone.send(**fields, **name, ref=1)
            await late.reported(1)
            await store.marks.mark("demo", "ana", MarkInbox(state="archived", ids=(one,)))
            await late.reported(2)
            if lost:
                await answer_to(phone, 1)
        late.process()
        if not lost:
            await answer_to(phone, 1)
        await phone.settle()
        frames = [frame for frame in phone.frames if frame["type"] == "state"]
        assert [(frame["state_version"], frame.get("ref")) for frame in frames] == [(1, 1), (2, None)]
        assert [change["state"] for change in frames[1]["changes"]] == ["archived"]


async def test_each_frame_has_the_counts_of_its_version(
    store: Store, realtime: Realtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No frame's counts contain the change of a later frame, also when a slow feed reports several at once.

    A client subtracts its own marks without an answer from the counts, and would show too few unread.
    """
    titles = [notification(title, users=["ana"]) for title in "abcd"]
    ids = (await store.sends.send("demo", titles)).ids
    async with realtime.user("ana") as phone:
        with late_feeds(monkeypatch) as late:
            for number, identity in enumerate(ids, 1):
                if identity == ids[0]:
                    await phone.send("mark", state="read", ids=[identity], ref=1)
                else:
                    await store.marks.mark("demo", "ana", MarkInbox(state="read", ids=(identity,)))
                await late.reported(number)
        late.process()
        await answer_to(phone, 1)
        await phone.settle()
        frames = [frame for frame in phone.frames if frame["type"] == "state"]
        assert [frame["state_version"] for frame in frames] == [1, 2, 3, 4]
        assert [frame["counts"]["unread"] for frame in frames] == [3, 2, 1, 0]


async def test_state_while_away(store: Store, realtime: Realtime) -> None:
    """A client that resumes with its state version gets each later change, after the replay."""
    async with realtime.user("ana") as ana:
        one, two = await send(store, "one", "two", users=["ana"])
        await ana.titles(2)
        known = ana.frames[0]["state_version"]
        epoch = ana.frames[0]["epoch"]
    await store.marks.mark("demo", "ana", MarkInbox(state="read", ids=(one,)))
    await store.marks.mark("demo", "ana", MarkInbox(state="archived", ids=(two,)))
    await send(store, "three", users=["ana"])
    resume = {"epoch": epoch, "positions": {"user": 2}, "state_version": known}
    async with realtime.user("ana", resume=resume) as ana:
        assert (ana.frames[0]["state_version"], counted(ana.frames[0])) == (2, (1, 1))
        assert [frame["type"] for frame in await ana.until("caught_up")] == ["notification", "caught_up"]
        received = [await state(ana), await state(ana)]
        assert [[c["id"] for c in frame["changes"]] for frame in received] == [[one], [two]]
        assert [frame["state_version"] for frame in received] == [1, 2]
        assert await ana.settle() == []
    async with realtime.user("ana", resume=resume | {"state_version": 2}) as ana:
        await ana.until("caught_up")
        assert await ana.settle() == []


async def test_too_long_away(store: Store, realtime: Realtime) -> None:
    """A client that missed more changes than the journal has gets `reload`."""
    (one,) = await send(store, "one", users=["ana"])
    async with realtime.user("ana") as ana:
        epoch = ana.frames[0]["epoch"]
    for turn in range(120):
        await store.marks.mark("demo", "ana", Mark(state="unread" if turn % 2 else "read", ids=(one,)))
    resume = {"epoch": epoch, "positions": {"user": 1}, "state_version": 0}
    async with realtime.user("ana", resume=resume) as ana:
        await ana.until("caught_up")
        received = await state(ana)
        assert (received["reload"], received["state_version"], counted(received)) == (True, 120, (0, 1))
    resume |= {"state_version": 500}
    async with realtime.user("ana", resume=resume) as ana:
        await ana.until("caught_up")
        assert (await state(ana))["reload"]


async def test_expiry_while_connected(store: Store, realtime: Realtime, working: None) -> None:
    """An expiry changes the counts of an open connection, which gets them in a `state` frame."""
    async with realtime.user("ana") as ana:
        await store.sends.send("demo", [notification("brief", users=["ana"], expires_in=1)])
        await store.sends.send("demo", [notification("lasting", to_all=True)])
        await ana.titles(2)
        async with asyncio.timeout(5):
            received = await state(ana)
        assert (received["changes"], counted(received)) == ([], (1, 1))
        assert (await store.inbox.counts("demo", "ana")).version == received["counts"]["version"]


async def test_recall_of_what_was_marked(store: Store, realtime: Realtime, working: None) -> None:
    """A recall removes a notification from the counts once, whatever its state, also of a former group."""
    await store.groups.change("demo", "team", ["ana"], [])
    ids = await send(store, "one", "two", "three", groups=["team"])
    await eventually(lambda: _length(store, "ana"), 3)
    await store.marks.mark("demo", "ana", MarkInbox(state="read", ids=(ids[0],)))
    async with realtime.user("ana") as ana:
        assert counted(ana.frames[0]) == (2, 2)
        await store.sends.recall("demo", ids[0])
        assert counted(await ana.expect("recalled")) == (2, 2)
        await store.sends.recall("demo", ids[1])
        assert counted(await ana.expect("recalled")) == (1, 1)
        await store.groups.change("demo", "team", [], ["ana"])
        await ana.expect("left")
        await store.sends.recall("demo", ids[2])
        recalled = await ana.expect("recalled")
        assert (recalled["id"], counted(recalled)) == (ids[2], (0, 0))
    assert await _length(store, "ana") == 0


async def test_counts_of_both_sides(store: Store, realtime: Realtime, working: None) -> None:
    """A welcome has the counts and version of REST, with groups, excludes and archived entries."""
    await store.groups.change("demo", "team", ["ana", "bob"], [])
    ids = await send(store, "a", "b", "c", groups=["team"])
    await send(store, "not for ana", to_all=True, exclude=["ana"])
    await send(store, "for all", to_all=True)
    direct = await send(store, "d", "e", users=["ana"])
    await send(store, "compound", users=["ana", "bob"])
    await eventually(lambda: _length(store, "ana"), 7)
    for mark in (
        MarkInbox(state="read", all=True),
        MarkInbox(state="unread", ids=(ids[1], direct[0])),
        MarkInbox(state="unseen", ids=(direct[1],)),
        MarkInbox(state="archived", ids=(ids[1], ids[2])),
    ):
        answer = (await store.marks.mark("demo", "ana", mark)).counts
        assert await store.inbox.counts("demo", "ana") == answer
    counts = await store.inbox.counts("demo", "ana")
    assert (counts.unseen, counts.unread) == (1, 2)
    async with realtime.user("ana") as ana:
        assert ana.frames[0]["counts"] == msgspec.to_builtins(counts)


async def _length(store: Store, user: str) -> int:
    return len((await store.inbox.page("demo", user, InboxQuery(limit=50))).items)
