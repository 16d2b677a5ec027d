"""A store that was emptied, beside an archive that has entries from before."""

import secrets
from collections.abc import Sequence

import pytest

from tests.archiver.history import DAY, History, pages
from tests.archiver.sends import send
from tests.support.sending import eventually
from tidings.protocol.rest import MarkInbox
from tidings_workers.archive import SentQuery
from tidings_workers.archiver.mover import Mover
from tidings_workers.archiver.rows import rows_of
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import InboxItem, InboxQuery, Store, core
from tidings_workers.store.archiving import Batch
from tidings_workers.store.entries import id_of
from tidings_workers.store.freezing import freeze_states
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.keys import META


@pytest.fixture(autouse=True)
def no_tolerance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests archive entries before the shortest retention ends, so the time of an epoch has to be exact."""
    monkeypatch.setattr(core, "EARLY_MS", 0)


async def emptied(store: Store) -> None:
    """Empty Redis; the store notices it, and begins again."""
    before = store.epoch
    await store.redis.flushdb()
    assert await store.refresh()
    assert store.epoch != before
    await store._core.pipeline.load_scripts()


def ids_of(items: Sequence[InboxItem]) -> list[str]:
    """The ids of items."""
    return [id_of(item.content) for item in items]


async def team_of(store: Store, user: str) -> None:
    """Make the group `team` of one user, who is its member when this returns."""

    async def groups() -> list[str]:
        page = await store.groups.of_user("demo", user, 10, None)
        return [group.id for group in page.items]

    await store.groups.change("demo", "team", [user], [])
    await eventually(groups, ["team"])


async def test_former_entries_are_not_shown(store: Store, history: History, dispatcher: Dispatcher) -> None:
    """An emptied store never shows a former epoch's entries to new members."""
    await team_of(store, "ana")
    former = await send(store, 5, groups=["team"])
    former += await send(store, 2, to_all=True)
    former += await send(store, 3, topics=["news"])
    await eventually(lambda: _count(store, "ana"), 7)
    await eventually(lambda: _topic(store), 3)
    assert await history.move(8) == 10
    await emptied(store)
    await team_of(store, "bob")
    await send(store, 1, groups=["team"])
    await send(store, 1, to_all=True)
    await send(store, 1, topics=["news"])
    assert await history.move(8) == 3
    new = await send(store, 6, groups=["team"])
    await eventually(lambda: _count(store, "bob"), 8)
    items = await pages(store, "bob")
    assert [item.position for item in items if item.log == "group:team"] == [7, 6, 5, 4, 3, 2, 1]
    assert not set(ids_of(items)) & set(former)
    assert len(items) == 8
    assert await _topic(store) == 1
    assert await store.inbox.in_history("demo", "bob", [*former[:3], new[0]]) == []
    # Lists and calls that go by id still have them.
    found, _ = await history.archive.sent(SentQuery(tenant="demo", limit=50))
    assert {row.id for row in found} >= set(former)
    one = await store.sends.notification("demo", former[0])
    assert one is not None
    assert one.in_archive


async def test_a_batch_leaves_former_entries(store: Store, history: History) -> None:
    """A batch that stopped half-way removes its own entries from the archive, and none of a former epoch."""
    former = await send(store, 3, users=["ana"])
    assert await history.move(8) == 3
    await emptied(store)
    new = await send(store, 3, users=["ana"])
    await history.sweep(8)
    own = store.keys.user("demo", "ana")
    batch = await store.archiving.begin(
        own.partition, [own.base], secrets.token_hex(8), now=milliseconds() + 8 * DAY
    )
    assert isinstance(batch, Batch)
    await history.archive.append(*await rows_of(batch.entries, store.sends.notification))
    mover = Mover(store, history.archive, own.partition)
    await mover._take_over(await mover._claimed())
    assert [row.entry.id async for row in history.archive.export("demo")] == former
    assert await history.move(8) == 3
    assert [row.entry.id async for row in history.archive.export("demo")] == former + new
    assert ids_of(await pages(store, "ana")) == new[::-1]


async def test_states_of_the_new_data(store: Store, history: History, dispatcher: Dispatcher) -> None:
    """States of a former epoch at the same positions do not show, and those of this one are saved."""
    await team_of(store, "ana")
    await send(store, 6, groups=["team"])
    await eventually(lambda: _count(store, "ana"), 6)
    await store.marks.mark("demo", "ana", MarkInbox(state="archived", all=True))
    assert await history.move(8) == 6
    own = store.keys.user("demo", "ana")
    await freeze_states(store._core, history.archive, own)
    assert len(await pages(store, "ana", state="archived")) == 6
    await emptied(store)
    await team_of(store, "ana")
    ids = await send(store, 4, groups=["team"])
    await eventually(lambda: _count(store, "ana"), 4)
    await store.marks.mark("demo", "ana", MarkInbox(state="read", ids=(ids[1],)))
    before = {state: await pages(store, "ana", state=state) for state in ("read", "archived", None)}
    assert await history.move(8) == 4
    for _ in range(2):
        for state, items in before.items():
            after = await pages(store, "ana", state=state)
            assert [(item.content, item.read_at) for item in after] == [
                (item.content, item.read_at) for item in items
            ]
        await freeze_states(store._core, history.archive, own)
    saved = [segment async for segment in history.archive.segments("demo")]
    assert [(segment.after, segment.up_to) for segment in saved] == [(0, 4)]


async def test_a_restored_store_keeps_its_history(store: Store, history: History) -> None:
    """A new epoch of data that stay leaves the history in the lists."""
    ids = await send(store, 3, users=["ana"])
    assert await history.move(8) == 3
    await store.start_new_epoch()
    await store.refresh()
    assert ids_of(await pages(store, "ana")) == ids[::-1]


async def test_a_store_without_a_beginning(store: Store, history: History) -> None:
    """A store that an older version made shows all of its history."""
    await store.redis.hdel(META, "began")
    await store.refresh()
    assert await store.redis.hget(META, "began") is None
    ids = await send(store, 3, users=["ana"])
    assert await history.move(8) == 3
    assert ids_of(await pages(store, "ana")) == ids[::-1]


async def test_entries_from_just_before(
    store: Store, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry that was accepted shortly before the store noticed that it is empty stays in the lists."""
    monkeypatch.setattr(core, "EARLY_MS", 30_000)
    ids = await send(store, 3, users=["ana"])
    await store.redis.hset(META, "began", milliseconds() + 1_000)
    await store.refresh()
    assert await history.move(8) == 3
    assert ids_of(await pages(store, "ana")) == ids[::-1]


async def _count(store: Store, user: str) -> int:
    return len((await store.inbox.page("demo", user, InboxQuery(limit=200))).items)


async def _topic(store: Store) -> int:
    return len((await store.topics.entries("demo", "news", 50, None)).items)
