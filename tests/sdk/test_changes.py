"""Marks and changes of a live inbox, against a real WebSocket server."""

import asyncio
from typing import Any

import pytest

from tests.sdk.gateway import KEY, SOON, Gateway, Peer, counts
from tidings import (
    AsyncTidings,
    BlockingInbox,
    CaughtUp,
    Changed,
    ConnectionClosedError,
    FrameRefusedError,
    Gap,
    InboxChange,
    InvalidArgumentError,
    Joined,
    Left,
    ListenError,
    LiveInbox,
    Recalled,
    UnansweredError,
)
from tidings._listen.event_queue import CHANGES

READ = {"changes": [{"id": "n1", "state": "read", "at": "2026-11-22T07:00:00Z"}]}


async def next_changes(inbox: LiveInbox, number: int) -> list[InboxChange]:
    """The next changes."""
    changes = inbox.changes()
    return [await anext(changes) for _ in range(number)]


@pytest.mark.parametrize(
    ("state", "method"),
    [
        ("seen", "mark_seen"),
        ("unseen", "mark_unseen"),
        ("read", "mark_read"),
        ("unread", "mark_unread"),
        ("archived", "archive"),
        ("unarchived", "unarchive"),
    ],
)
async def test_each_state_has_a_method(state: str, method: str) -> None:
    """Each method of a state sends that state, and returns the server's answer."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.deliver(1)
        for version in (1, 2):
            mark = await peer.recv("mark")
            assert (mark["state"], mark["ids"]) == (state, ["n1"])
            await peer.state(version, ref=mark["ref"], changes=[], unknown=["n1"])

    async with Gateway.playing(script) as gateway, gateway.inbox() as inbox:
        delivery = await anext(inbox)
        changed = await getattr(inbox, method)(delivery)
        assert changed.unknown == ("n1",)
        changed = await getattr(delivery, method)()
        assert (changed.mine, changed.counts.version, inbox.counts.version) == (True, 2, 2)


async def test_marks_go_by_ids_positions_or_all() -> None:
    """The frame of a mark has exactly the arguments of the call."""
    marks = []

    async def script(peer: Peer) -> None:
        await peer.welcome()
        for version in range(1, 4):
            mark = await peer.recv("mark")
            await peer.state(version, ref=mark.pop("ref"), changes=[])
            marks.append(mark)

    async with Gateway.playing(script) as gateway, gateway.inbox() as inbox:
        await inbox.mark_read(["n1", "n2"])
        await inbox.mark_seen(up_to={"user": 3})
        await inbox.archive(all=True, category="orders")
        with pytest.raises(InvalidArgumentError):
            await inbox.mark_read()
    assert marks == [
        {"type": "mark", "state": "read", "ids": ["n1", "n2"]},
        {"type": "mark", "state": "seen", "up_to": {"user": 3}},
        {"type": "mark", "state": "archived", "all": True, "category": "orders"},
    ]


async def test_every_reader_of_changes_gets_all_of_them() -> None:
    """All readers get each change in order, typed, and the counts are the newest."""

    async def script(peer: Peer) -> None:
        await peer.welcome(user=0)
        await peer.recv("mark")
        await peer.state(2, **READ)
        await peer.send("recalled", id="n1", log="user", position=1, counts=counts(3))
        await peer.send("joined", log="group:g", position=4)
        await peer.send("left", log="group:g", position=4)
        await peer.send("gap", log="user", **{"from": 1, "to": 2}, missed=2, reason="trimmed")
        await peer.send("caught_up", positions={"user": 2})

    async with Gateway.playing(script) as gateway, gateway.inbox() as inbox:
        assert inbox.counts.version == 1
        async with asyncio.TaskGroup() as tasks:
            readers = [tasks.create_task(next_changes(inbox, 6)) for _ in range(2)]
            mark = tasks.create_task(_unanswered(inbox))
            first, second = [await reader for reader in readers]
            mark.cancel()
        assert first == second
        assert [type(change) for change in first] == [Changed, Recalled, Joined, Left, Gap, CaughtUp]
        assert isinstance(first[0], Changed)
        assert not first[0].mine
        assert inbox.counts.version == 3


async def _unanswered(inbox: LiveInbox) -> None:
    """Tell the server that the readers are ready."""
    await inbox.mark_read("n1")


async def test_a_slow_reader_gets_a_reload() -> None:
    """A slow reader gets one `reload` instead of the changes that it missed, then the later ones."""
    last = CHANGES + 2

    async def script(peer: Peer) -> None:
        await peer.welcome()
        mark = await peer.recv("mark")
        for version in range(1, last):
            await peer.state(version, changes=[])
        await peer.state(last, ref=mark["ref"], changes=[])

    async with Gateway.playing(script) as gateway, gateway.inbox() as inbox:
        changes = inbox.changes()
        await inbox.mark_read("n1")
        first, second = await anext(changes), await anext(changes)
    assert isinstance(first, Changed)
    assert isinstance(second, Changed)
    assert (first.reload, first.mine, first.counts.version) == (True, False, CHANGES + 1)
    assert (second.reload, second.mine, second.state_version) == (False, True, last)


async def test_marks_missed_during_a_disconnection_are_requested() -> None:
    """A new connection resumes from the last change that arrived, and gives the later ones."""

    async def first(peer: Peer) -> None:
        await peer.welcome(state_version=3)
        await peer.state(4, **READ)
        await peer.close(1012)

    async def second(peer: Peer) -> None:
        await peer.welcome(resume="complete", state_version=6)
        await peer.send("caught_up", positions={"user": 0})
        await peer.state(6, reload=True)
        await peer.deliver(1)

    seen: list[object] = []
    async with Gateway.playing(first, second) as gateway:
        async with gateway.inbox(on_event=seen.append) as inbox:
            await anext(inbox)
            assert inbox.resume_point().state_version == 6  # type: ignore[union-attr]
        assert gateway.peers[1].connect["resume"]["state_version"] == 4
    assert [event.reload for event in seen if isinstance(event, Changed)] == [False, True]


async def test_a_mark_that_is_refused_with_a_retryable_error_is_repeated() -> None:
    """A mark is repeated during a short outage of the storage, and raises the refusal after a longer one."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        mark = await peer.recv("mark")
        await peer.send("error", code="storage_unavailable", detail="Away", ref=mark["ref"])
        mark = await peer.recv("mark")
        await peer.state(2, ref=mark["ref"], changes=[])
        while True:
            mark = await peer.recv("mark")
            await peer.send("error", code="overloaded", detail="Busy", ref=mark["ref"])

    async with (
        Gateway.playing(script) as gateway,
        AsyncTidings("http://api", token="mine", timeout=0.5) as client,
        client.listen(realtime_url=gateway.url) as inbox,
    ):
        assert (await inbox.mark_read("n1")).mine
        with pytest.raises(FrameRefusedError, match="overloaded"):
            await inbox.mark_read("n1")


async def test_a_mark_that_is_not_answered_in_time_says_so() -> None:
    """A mark without an answer raises after the client's timeout that its outcome is not known."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.recv("mark")

    async with (
        Gateway.playing(script) as gateway,
        AsyncTidings("http://api", token="mine", timeout=0.3) as client,
        client.listen(realtime_url=gateway.url) as inbox,
    ):
        with pytest.raises(UnansweredError, match="Repeat it"):
            await inbox.mark_read("n1")


async def test_leaving_ends_marks_and_readers() -> None:
    """Leaving the inbox raises UnansweredError in a mark that waits, and ends the readers of changes."""
    asked = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.recv("mark")
        asked.set()

    async with Gateway.playing(script) as gateway:
        async with gateway.inbox() as inbox:
            changes = inbox.changes()
            mark = asyncio.ensure_future(inbox.mark_read("n1"))
            await asked.wait()
        with pytest.raises(UnansweredError):
            await mark
        assert [change async for change in changes] == []
        with pytest.raises(ListenError):
            await inbox.mark_read("n1")


async def test_a_final_close_is_raised_from_changes() -> None:
    """`changes()` gives the changes that arrived before a final close, then raises its error."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.recv("mark")
        await peer.state(2, **READ)
        await peer.close(4005)

    async with Gateway.playing(script) as gateway, gateway.inbox() as inbox:
        changes = inbox.changes()
        with pytest.raises(ConnectionClosedError):
            await inbox.mark_read("n1")
        assert isinstance(await anext(changes), Changed)
        with pytest.raises(ConnectionClosedError):
            await anext(changes)


async def test_changes_without_iteration_pause_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """An application that iterates only `changes()` gets a warning in the log when the buffer is full."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        mark = await peer.recv("mark")
        await peer.deliver(1)
        await peer.deliver(2)
        await peer.state(2, ref=mark["ref"], changes=[])

    async with Gateway.playing(script) as gateway, gateway.inbox(buffer=2) as inbox:
        changes = inbox.changes()
        await inbox.mark_read("n1")
        await anext(changes)
    assert caplog.text.count("changes() pauses") == 1


async def test_an_inbox_that_was_not_entered_has_no_counts_or_changes() -> None:
    """Counts, changes and marks of an inbox that was not entered raise an error that says what to do."""
    async with AsyncTidings("http://api", key=KEY) as client:
        inbox = client.listen(user="ana")
        with pytest.raises(ListenError, match="async with"):
            _ = inbox.counts
        with pytest.raises(ListenError, match="async with"):
            inbox.changes()
        with pytest.raises(ListenError, match="async with"):
            await inbox.mark_read("n1")


async def test_blocking_code_marks_and_iterates_changes() -> None:
    """A blocking inbox returns the result of a mark, and a plain `for` iterates its changes."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        mark = await peer.recv("mark")
        await peer.state(2, ref=mark["ref"], changes=[])
        mark = await peer.recv("mark")
        await peer.send("error", code="invalid_request", detail="No", ref=mark["ref"])
        await peer.state(3, **READ)

    def work(inbox: BlockingInbox) -> list[Any]:
        changes = inbox.changes()
        assert inbox.mark_read(all=True).mine
        assert inbox.counts.version == 2
        with pytest.raises(FrameRefusedError):
            inbox.archive("n1")
        return [next(changes), next(changes)]

    async with Gateway.playing(script) as gateway:

        def run() -> list[Any]:
            with gateway.blocking_client() as client, client.listen(user="ana", reconnect=SOON) as inbox:
                return work(inbox)

        own, other = await asyncio.to_thread(run)
    assert (own.mine, other.mine) == (True, False)
    assert other.changes[0].state == "read"
