"""Moving into the archive is exact, whatever is killed or changed in between."""

import asyncio
from typing import Any

import pytest

from tests.archiver.history import DAY, History, pages, titles
from tests.archiver.sends import now as _now
from tests.archiver.sends import send
from tests.support.sending import eventually, notification
from tidings.protocol.rest import MarkInbox
from tidings_workers.archive import ArchiveUnavailable
from tidings_workers.archiver.mover import Mover
from tidings_workers.archiver.rows import rows_of
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import InboxQuery, Store
from tidings_workers.store.archiving import Batch
from tidings_workers.store.ids import milliseconds
from tidings_workers.tenants import Tenant


async def begun(history: History, user: str) -> tuple[int, Batch]:
    """A batch of the entries of a user that has begun, and its partition."""
    await history.sweep(8)
    log = history.store.keys.user("demo", user)
    now = milliseconds() + 8 * DAY
    batch = await history.store.archiving.begin(log.partition, [log.base], "token", now=now)
    assert isinstance(batch, Batch)
    return log.partition, batch


async def stored(history: History, batch: Batch) -> None:
    """Store a batch in the archive."""
    await history.archive.append(*await rows_of(batch.entries, history.store.sends.notification))


async def test_a_batch_shows_each_entry_once_at_every_step(store: Store, history: History) -> None:
    """Before, between and after the steps of a batch, a list has every entry once."""
    await send(store, 9, users=["ana"])
    expected = [f"{number}" for number in reversed(range(9))]
    partition, batch = await begun(history, "ana")
    assert titles(await pages(store, "ana")) == expected
    await stored(history, batch)
    assert titles(await pages(store, "ana")) == expected
    assert await store.archiving.remove(partition, "token") == {}
    assert titles(await pages(store, "ana")) == expected
    assert await history.live() == 0


@pytest.mark.parametrize("step", ["begun", "stored"])
async def test_an_archiver_is_killed(store: Store, history: History, step: str) -> None:
    """A batch that stopped after any step is moved again by the next archiver, each entry once."""
    await send(store, 9, users=["ana"])
    _, batch = await begun(history, "ana")
    if step == "stored":
        await stored(history, batch)
    assert await history.move(8) == 9
    assert titles(await pages(store, "ana")) == [f"{number}" for number in reversed(range(9))]
    assert await history.live() == 0


@pytest.mark.parametrize("step", ["begun", "stored"])
async def test_a_recall_during_a_batch(
    store: Store, history: History, dispatcher: Dispatcher, step: str
) -> None:
    """A notification that is recalled while it moves is in no list, neither then nor after the batch."""
    ids = await send(store, 3, users=["ana"])
    partition, batch = await begun(history, "ana")
    if step == "stored":
        await stored(history, batch)
    assert await store.sends.recall("demo", ids[1])
    assert titles(await pages(store, "ana")) == ["2", "0"]
    await stored(history, batch)
    assert titles(await pages(store, "ana")) == ["2", "0"]
    excess = await store.archiving.remove(partition, "token")
    assert excess == {"u/demo/ana": [1, 2]}
    assert titles(await pages(store, "ana")) == ["2", "0"]
    # The archiver stops here; the next one finishes the batch.
    await history.move(8)
    assert titles(await pages(store, "ana")) == ["2", "0"]
    assert await history.archive.notification("demo", ids[1]) is None


async def test_a_recall_after_the_move(store: Store, history: History, dispatcher: Dispatcher) -> None:
    """A recalled notification of the archive leaves every list of every user."""
    ids = await send(store, 1, users=["ana", "bob"])
    ids += await send(store, 1, users=["ana"])
    assert await history.move(8) == 3
    # As old as the tenant's retention, by a rule that says so.
    shortest = Tenant(id="demo", created_at=_now(), retention_days=7, topic_retention=1)
    store.follow_policies({"demo": shortest}.get)
    await asyncio.sleep(1.1)
    assert await store.sends.recall("demo", ids[0])
    assert titles(await pages(store, "ana")) == ["0"]
    assert await pages(store, "bob") == []
    assert await history.archive.notification("demo", ids[0]) is None


async def test_a_mark_during_a_batch(store: Store, history: History) -> None:
    """A mark made while the entry moves is kept: the entry stays in Redis, and moves with its state later."""
    ids = await send(store, 2, users=["ana"])
    partition, batch = await begun(history, "ana")
    await stored(history, batch)
    await store.marks.mark("demo", "ana", MarkInbox(state="read", ids=(ids[0],)))
    assert await store.archiving.remove(partition, "token") == {"u/demo/ana": [0, 2]}
    assert [item.state for item in await pages(store, "ana")] == ["unseen", "read"]
    assert await history.move(8) == 2
    items = await pages(store, "ana")
    assert [(item.state, item.in_archive) for item in items] == [("unseen", True), ("read", True)]


async def test_the_archive_is_away(store: Store, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the archive nothing leaves Redis, and lists answer from Redis and name the missing part."""
    await send(store, 3, users=["ana"])
    assert await history.move(8) == 3
    await send(store, 3, users=["ana"])

    async def away(*_: object) -> None:
        raise ArchiveUnavailable("the archive does not answer: start it")

    with monkeypatch.context() as patch:
        patch.setattr(history.archive, "read", away)
        patch.setattr(history.archive, "append", away)
        page = await store.inbox.page("demo", "ana", InboxQuery(limit=10))
        assert (titles(page.items), page.complete) == (["2", "1", "0"], False)
        first = await store.inbox.page("demo", "ana", InboxQuery(limit=2))
        assert (titles(first.items), first.complete) == (["2", "1"], True)
        with pytest.raises(ArchiveUnavailable):
            await history.move(8.1)
        assert await history.live() == 3
    assert await history.move(8.1) == 3
    assert titles(await pages(store, "ana")) == ["2", "1", "0"] * 2


async def test_a_category_with_its_own_retention(store: Store, history: History) -> None:
    """Entries of a longer retention stay in Redis between archived ones, and the list keeps its order."""
    rules = Tenant(id="demo", created_at=_now(), retention_days=7, category_retention={"law": None, "x.": 30})
    store.follow_policies({"demo": rules}.get)
    for number, category in enumerate(["law", "chat", "x.y", "chat", "law", "x.z", "chat"] * 60):
        await store.sends.send("demo", [notification(f"{number}", users=["ana"], category=category)])
    expected = [f"{number}" for number in reversed(range(420))]
    assert await history.move(8) == 180
    assert titles(await pages(store, "ana", limit=50)) == expected
    assert await history.live() == 240
    assert await history.move(31) == 120
    assert titles(await pages(store, "ana", limit=50)) == expected
    assert len(await pages(store, "ana", limit=50, category="x.")) == 120
    assert len(await pages(store, "ana", limit=50, category="law")) == 120


async def test_entries_of_a_batch_are_never_removed_without_a_copy(store: Store, history: History) -> None:
    """When too much waits, entries of a batch that the archive may have stay, and the rest is removed."""
    await send(store, 3, users=["ana"])
    partition, batch = await begun(history, "ana")
    await stored(history, batch)
    log = store.keys.user("demo", "ana")
    await store.retention.sweep(partition, [log.base], now=milliseconds() + 8 * DAY, uncopied=True)
    assert await store.archiving.remove(partition, batch.token) == {}
    assert titles(await pages(store, "ana")) == ["2", "1", "0"]


async def test_the_backlog_falls_while_it_is_moved(store: Store, history: History) -> None:
    """The bytes that wait are those that are left, also before all of a log has moved."""
    await send(store, 300, users=["ana"])
    await history.sweep(8)
    before = await store.archiving.backlog()
    log, now = store.keys.user("demo", "ana"), milliseconds() + 8 * DAY
    partition, batch = await begun(history, "ana")
    await stored(history, batch)
    await store.archiving.remove(partition, batch.token)
    await store.archiving.begin(partition, [log.base], "next", now=now)
    assert await store.archiving.backlog(partition) < before / 2


async def test_a_recalled_copy_does_not_enter_the_archive(
    store: Store, history: History, dispatcher: Dispatcher
) -> None:
    """A copy that a dispatcher has not removed yet leaves Redis, but the archive does not get it."""
    await store.groups.change("demo", "team", ["ana"], [])
    ids = await send(store, 1, users=["bob"], groups=["team"])
    await eventually(history.live, 2)
    _, batch = await begun(history, "bob")
    assert len(batch.entries) == 1
    entries, notifications = await rows_of(batch.entries, store.sends.notification)
    assert (len(entries), len(notifications)) == (1, 1)
    assert await store.sends.recall("demo", ids[0])
    assert await rows_of(batch.entries, store.sends.notification) == ([], [])


async def test_a_user_who_marks_all_the_time_does_not_keep_the_archiver_busy(
    store: Store, history: History
) -> None:
    """A log whose state changes during a batch waits for the next call."""
    await send(store, 2, users=["ana"])
    log = store.keys.user("demo", "ana")
    await history.sweep(8)
    appended = history.archive.append

    class Marking:
        """The archive, and a user who marks at each append."""

        appends = 0

        def __getattr__(self, name: str) -> object:
            return getattr(history.archive, name)

        async def append(self, *rows: Any) -> None:
            self.appends += 1
            await appended(*rows)
            await store.redis.hincrby(log.root, "marks", 1)

    archive: Any = Marking()
    assert await Mover(store, archive, log.partition).move(now=milliseconds() + 8 * DAY) == 0
    assert archive.appends == 1
    assert await history.live() == 2
    assert await history.move(8) == 2
