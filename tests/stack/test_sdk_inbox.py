"""The SDK's inbox against the real server: devices share marks, and the sender sees receipts."""

import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from tests.support.stack import Stack, clean_environment
from tidings import (
    AsyncTidings,
    CaughtUp,
    Changed,
    Changes,
    ConnectionClosedError,
    Delivery,
    InvalidRequestError,
    LiveInbox,
    Message,
    Recalled,
    Tidings,
    UserReceipt,
)

PATIENCE_SECONDS = 20.0


async def changed(changes: Changes) -> Changed:
    """The next change of state."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for change in changes:
            if isinstance(change, Changed):
                return change
    raise AssertionError("the inbox ended")


async def test_a_snooze_reaches_a_live_inbox(stack: Stack) -> None:
    """A snooze and its return reach a live inbox, with their time, the items and the counts."""
    async with (
        AsyncTidings(stack.api, key=stack.key) as client,
        client.listen(user="snoozer", device="a") as live,
    ):
        changes = live.changes()
        sent = await client.send(to_users=["snoozer"], title="one")
        await (await anext(live)).mark_read()
        assert (await changed(changes)).mine
        inbox = client.inbox("snoozer")
        snoozed = await inbox.snooze(sent.id, timedelta(seconds=1))
        assert (snoozed.changed, snoozed.counts.unread) == (1, 0)
        hidden = await changed(changes)
        assert hidden.snoozed is not None
        assert (hidden.snoozed.ids, hidden.counts.unread) == ((sent.id,), 0)
        (item,) = [each async for each in inbox.list(state="snoozed")]
        assert item.snoozed_until == hidden.snoozed.until
        returned = await changed(changes)
        assert returned.snoozed is not None
        assert (returned.snoozed.until, returned.counts.unseen) == (None, 1)
        assert [(each.id, each.state) for each in returned.changes or ()] == [(sent.id, "unseen")]
        (item,) = [each async for each in inbox.list()]
        assert (item.state, item.snoozed_until) == ("unseen", None)


async def test_a_mark_reaches_all_connections(stack: Stack) -> None:
    """A mark by frame or by REST reaches every connection, with the same change and counts."""
    async with (
        AsyncTidings(stack.api, key=stack.key) as client,
        client.listen(user="two", device="a") as a,
        client.listen(user="two", device="b") as b,
    ):
        seen_by_a, seen_by_b = a.changes(), b.changes()
        sent = await client.send(to_users=["two"], title="one")
        delivery = await anext(a)
        await anext(b)
        own = await delivery.mark_read()
        assert own.mine
        assert await changed(seen_by_a) == own
        other = await changed(seen_by_b)
        assert not other.mine
        assert other.changes == own.changes
        assert [(one.id, one.state) for one in other.changes or ()] == [(sent.id, "read")]
        assert a.counts == b.counts == other.counts
        marked = await client.inbox("two").mark_unread(sent.id)
        assert marked.counts == (await changed(seen_by_a)).counts == (await changed(seen_by_b)).counts
        assert (marked.counts.unseen, marked.counts.unread) == (0, 1)


async def test_a_resume_delivers_missed_marks(stack: Stack) -> None:
    """A listener that resumes or starts from a page gets the marks since then."""
    async with AsyncTidings(stack.api, key=stack.key) as client:
        inbox = client.inbox("away")
        first = await client.send(to_users=["away"], title="one")
        second = await client.send(to_users=["away"], title="two")
        async with client.listen(user="away") as live:
            await live.mark_seen(first.id)
            await client.send(to_users=["away"], title="three")
            await anext(live)
            point = live.resume_point()
        page = await inbox.list().page()
        assert point is not None
        assert (page.resume.epoch, page.resume.state_version) == (point.epoch, point.state_version)
        await inbox.mark_read(second.id)
        await inbox.archive(all=True)
        for resume in (point, page.resume):
            async with client.listen(user="away", resume=resume) as live:
                told = await _changes_after(live, page.resume.state_version or 0)
                assert [(change.state or (change.changes or ())[0].state) for change in told] == [
                    "read",
                    "archived",
                ]
                assert (live.counts.unseen, live.counts.unread) == (0, 0)


async def _changes_after(live: LiveInbox, before: int) -> list[Changed]:
    """The changes of state after a version, two of them."""
    told: list[Changed] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for event in live.events():
            if isinstance(event, Changed):
                assert event.state_version > before
                told.append(event)
                if len(told) == 2:
                    break
    return told


async def test_a_recall_reaches_open_clients_and_counts(stack: Stack) -> None:
    """A client that has the notification gets its recall, with counts without it."""
    async with (
        AsyncTidings(stack.api, key=stack.key) as client,
        client.listen(user="recalling") as live,
    ):
        changes = live.changes()
        sent = await client.send(to_users=["recalling"], title="mistake")
        await anext(live)
        await client.recall(sent.id)
        async with asyncio.timeout(PATIENCE_SECONDS):
            recalled = await anext(change async for change in changes if isinstance(change, Recalled))
        assert recalled.id == sent.id
        assert live.counts.unread == 0


async def test_lists_and_counts_follow_the_marks(stack: Stack) -> None:
    """Every filter and count agrees with the marks, by all three ways of marking."""
    async with AsyncTidings(stack.api, key=stack.key) as client:
        categories = ("orders.new", "orders.paid", "chat")
        await client.send_batch(
            [Message(to_users=["filter"], title=f"f{n}", category=categories[n % 3]) for n in range(6)]
        )
        inbox = client.inbox("filter")

        async def titles(**filters: str) -> list[str | None]:
            wanted = inbox.list(log="user", **filters)  # type: ignore[arg-type]
            return sorted([str(item.notification.title) async for item in wanted])  # type: ignore[return-value]

        assert await titles(category="orders.") == ["f0", "f1", "f3", "f4"]
        page = await inbox.list(log="user", category="chat", limit=1).page()
        assert (await inbox.mark_read(page.items)).changed == 1
        assert (await inbox.mark_seen(up_to={"user": 2})).changed == 2
        assert (await inbox.archive(all=True, category="orders.paid")).changed == 2
        assert await titles(state="read") == ["f5"]
        assert await titles(state="seen") == ["f0", "f5"]
        assert await titles(state="archived") == ["f1", "f4"]
        assert await titles(state="unread") == ["f0", "f2", "f3"]
        assert (await inbox.mark_read("no-such-id")).unknown == ("no-such-id",)
        counts = await inbox.counts(by_category=True)
        assert counts.categories is not None
        assert {name: (part.unseen, part.unread) for name, part in counts.categories.items()} == {
            "chat": (1, 1),
            "orders.new": (1, 2),
        }


def test_a_sender_sees_receipts(stack: Stack) -> None:
    """Receipts by user agree with their counts, and one group has only counts."""
    with Tidings(stack.api, key=stack.key) as client:
        sent = client.send(to_users=["got", "not"], title="both", category="receipts")
        client.groups.add("got-group", "got")
        grouped = client.send(to_groups=["got-group"], title="group", category="receipts")
        with client.listen(user="got", rewind=2) as live:
            for event in live.events():
                if isinstance(event, CaughtUp):
                    break
        client.inbox("got").mark_read([sent.id, grouped.id])
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (counted := client.get(sent.id).receipts) is None or counted.read < 1:
            assert time.monotonic() < deadline, counted
            time.sleep(0.01)
        found = {receipt.user: receipt for receipt in client.receipts(sent.id, page_size=1)}
        assert found["not"] == UserReceipt(user="not", delivered=False, seen=False, read=False)
        assert (found["got"].delivered, found["got"].seen, found["got"].read) == (True, True, True)
        assert found["got"].read_at is not None
        assert (counted.recipients, counted.delivered, counted.seen) == (2, 1, 1)
        with pytest.raises(InvalidRequestError):
            client.receipts(grouped.id).page()
        assert [record.id for record in client.sent(category="receipts")] == [grouped.id, sent.id]


async def test_presence_and_disconnecting(stack: Stack) -> None:
    """Presence lists the connections with their devices, and a disconnected client does not reconnect."""
    async with (
        AsyncTidings(stack.api, key=stack.key) as client,
        client.listen(user="here", device="phone") as phone,
        client.listen(user="here") as other,
    ):
        presence = await client.users.presence("here")
        assert presence.online
        assert {connection.device for connection in presence.connections} == {"phone", None}
        (named,) = (c.connection for c in presence.connections if c.device == "phone")
        await client.users.disconnect(connection=named)
        with pytest.raises(ConnectionClosedError, match="4005"):
            await anext(phone)
        sent = await client.send(to_users=["here"], title="still here")
        assert (await anext(other)).notification.id == sent.id
        await client.users.disconnect("here")
        with pytest.raises(ConnectionClosedError, match="4005"):
            await anext(other)


async def test_erasing_a_user_leaves_nothing(stack: Stack) -> None:
    """After an erasure the inbox is empty, and memberships and connections have ended."""
    async with (
        AsyncTidings(stack.api, key=stack.key) as client,
        client.listen(user="gone", device="phone") as live,
    ):
        await client.groups.add("gone-group", "gone")
        sent = await client.send(to_users=["gone"], title="private")
        await (await anext(live)).mark_read()
        erased = await client.users.erase("gone")
        assert (erased.user, erased.notifications, erased.memberships) == ("gone", 1, 1)
        with pytest.raises(ConnectionClosedError, match="4005"):
            await anext(live)
        assert [group.id async for group in client.groups.of_user("gone")] == []
        assert [member.user async for member in client.groups.members("gone-group")] == []
        left = [item.notification.id async for item in client.inbox("gone").list(log="user")]
        assert sent.id not in left


@asynccontextmanager
async def terminal(stack: Stack, *arguments: str) -> AsyncIterator[Process]:
    """The command `tidings` as in a terminal of its own."""
    environment = clean_environment(TIDINGS_URL=stack.api, TIDINGS_KEY=stack.key, PATH=os.environ["PATH"])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from tidings.cli import main; main()", *arguments),
        stdout=PIPE,
        stderr=PIPE,
        env=environment,
    )
    try:
        yield process
    finally:
        process.terminate()
        await process.communicate()


async def _line(process: Process, ending: str) -> None:
    """Read until a line with this end."""
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (await process.stdout.readline()).decode().rstrip().endswith(ending):
            pass


async def test_two_terminals_show_each_others_reads(stack: Stack) -> None:
    """`tidings listen` shows the marks of the other terminal, by --mark-read or by `tidings mark`."""
    listen = ("listen", "--user", "terminals", "--device")
    async with terminal(stack, *listen, "a") as a, AsyncTidings(stack.api, key=stack.key) as client:
        assert a.stderr is not None
        assert b"listening" in await a.stderr.readline()
        async with terminal(stack, *listen, "b", "--mark-read") as b:
            assert b.stderr is not None
            assert b"listening" in await b.stderr.readline()
            sent = await client.send(to_users=["terminals"], title="Lunch")
            await _line(b, "Lunch")
            await _line(a, "read on another device  Lunch")
            async with terminal(stack, "mark", "unread", sent.id, "--user", "terminals") as mark:
                await _line(mark, "1 changed; 0 unseen, 1 unread")
            await _line(a, "unread on another device  Lunch")
            await _line(b, "unread on another device  Lunch")


async def test_a_mark_does_not_drop_buffered_notifications(stack: Stack) -> None:
    """A mark that is answered behind a full buffer neither blocks nor drops buffered notifications."""
    async with AsyncTidings(stack.api, key=stack.key) as client:
        await client.send_batch([Message(to_users=["behind"], title=str(n)) for n in range(50)])
        async with client.listen(user="behind", rewind=50, buffer=4) as live:
            taken: list[str | None] = []
            async for event in live.events():
                if isinstance(event, Delivery):
                    taken.append(event.notification.title)
                    if len(taken) in {1, 25}:
                        await event.mark_read()
                    if len(taken) == 50:
                        break
            assert taken == [str(n) for n in range(50)]
            assert live.counts.unread == 48
