"""An archiver that was paused for longer than its lease: another one took over, and it wakes up again."""

import asyncio
from typing import Any, cast

import pytest

from tests.archiver.history import DAY, History, pages, titles
from tests.archiver.sends import send
from tidings.protocol.rest import MarkInbox
from tidings_workers.archive import Archive, ArchiveUnavailable, ClaimLost
from tidings_workers.archiver.mover import Mover
from tidings_workers.archiver.rows import rows_of
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import Store
from tidings_workers.store.archiving import Batch
from tidings_workers.store.ids import milliseconds

MARKED = [("unseen", True), ("unseen", True), ("read", True)]


class Paused:
    """An archiver of the partition of `ana`, which pauses before or after a call of the archive."""

    def __init__(self, history: History, method: str, *, after: bool = False) -> None:
        self._archive = history.archive
        self._method = method
        self._after = after
        self._reached = asyncio.Event()
        self._woken = asyncio.Event()
        partition = history.store.keys.user("demo", "ana").partition
        self._mover = Mover(history.store, cast("Archive", self), partition)
        self._task: asyncio.Task[int] | None = None

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._archive, name)
        if name != self._method:
            return method

        async def pausing(*arguments: Any) -> Any:
            answer = await method(*arguments) if self._after else None
            self._reached.set()
            await self._woken.wait()
            return answer if self._after else await method(*arguments)

        return pausing

    async def pause(self) -> None:
        """Move until the pause."""
        self._task = asyncio.create_task(self._mover.move(now=milliseconds() + 8 * DAY))
        await asyncio.wait_for(self._reached.wait(), 5)

    async def wake(self) -> None:
        """Go on to the end, and then work once more."""
        assert self._task is not None
        self._woken.set()
        await self._task
        await self._mover.move(now=milliseconds() + 8 * DAY)


async def sent(store: Store, history: History) -> list[str]:
    """Three notifications to `ana` that are to move."""
    ids = await send(store, 3, users=["ana"])
    await history.sweep(8)
    return ids


async def states(store: Store) -> list[tuple[str, bool]]:
    """The states of the list of `ana`, and whether they are from the archive."""
    return [(item.state, item.in_archive) for item in await pages(store, "ana")]


async def test_a_paused_archiver_writes_nothing_after_a_takeover(store: Store, history: History) -> None:
    """Its batch was moved by another archiver, with a newer state, which stays."""
    ids = await sent(store, history)
    archiver = Paused(history, "append")
    await archiver.pause()
    await store.marks.mark("demo", "ana", MarkInbox(state="read", ids=(ids[0],)))
    assert await history.move(8) == 3
    await archiver.wake()
    assert await states(store) == MARKED


@pytest.mark.parametrize("after", [False, True], ids=["before the append", "after the append"])
async def test_a_recalled_notification_stays_away(
    store: Store, history: History, dispatcher: Dispatcher, after: bool
) -> None:
    """A notification that was recalled during the pause is in no list, and in no archive."""
    ids = await sent(store, history)
    archiver = Paused(history, "append", after=after)
    await archiver.pause()
    assert await store.sends.recall("demo", ids[1])
    await history.move(8)
    await archiver.wake()
    assert titles(await pages(store, "ana")) == ["2", "0"]
    assert await history.archive.notification("demo", ids[1]) is None


@pytest.mark.parametrize("after", [False, True], ids=["before the append", "after the append"])
@pytest.mark.parametrize("takes_over", [False, True], ids=["one archiver", "two archivers"])
async def test_an_erased_notification_stays_away(
    store: Store, history: History, dispatcher: Dispatcher, takes_over: bool, after: bool
) -> None:
    """After a complete erasure the archive has nothing of the user, whenever the archiver wakes up."""
    ids = await sent(store, history)
    archiver = Paused(history, "append", after=after)
    await archiver.pause()
    if takes_over:
        await history.move(8)
    assert (await store.erasure.erase("demo", "ana")).complete

    async def assert_erased() -> None:
        assert await pages(store, "ana") == []
        for each in ids:
            assert await history.archive.notification("demo", each) is None

    await assert_erased()
    await archiver.wake()
    await assert_erased()
    await history.move(8)
    await assert_erased()


async def test_an_archiver_is_killed_after_an_erasure(
    store: Store, history: History, dispatcher: Dispatcher
) -> None:
    """After a complete erasure the archive takes nothing that was read before, even for a moment."""
    ids = await sent(store, history)
    log = store.keys.user("demo", "ana")
    claim = await history.archive.claim(log.partition)
    now = milliseconds() + 8 * DAY
    batch = await store.archiving.begin(log.partition, [log.base], "token", now=now)
    assert isinstance(batch, Batch)
    rows = await rows_of(batch.entries, store.sends.notification)
    assert (await store.erasure.erase("demo", "ana")).complete
    with pytest.raises(ClaimLost):
        await history.archive.append(*rows, claim)
    assert [await history.archive.notification("demo", each) for each in ids] == [None] * 3


async def test_a_takeover_between_the_append_and_the_removal(store: Store, history: History) -> None:
    """An archiver that stored its batch, and wakes up within the takeover, removes nothing from Redis."""
    await sent(store, history)
    first = Paused(history, "append", after=True)
    await first.pause()
    second = Paused(history, "remove_entries")
    await second.pause()
    await first.wake()
    await second.wake()
    await history.move(8)
    assert titles(await pages(store, "ana")) == ["2", "1", "0"]
    assert await history.live() == 0


async def test_a_takeover_that_was_paused_removes_nothing(store: Store, history: History) -> None:
    """Entries that a third archiver has moved before it wakes up stay in the archive."""
    await sent(store, history)
    first = Paused(history, "append", after=True)
    await first.pause()
    second = Paused(history, "remove_entries")
    await second.pause()
    assert await history.move(8) == 3
    await second.wake()
    await first.wake()
    assert titles(await pages(store, "ana")) == ["2", "1", "0"]
    assert await history.live() == 0


async def test_an_append_without_an_answer_comes_too_late(
    store: Store, history: History, dispatcher: Dispatcher
) -> None:
    """An append that got no answer in time, and reaches the database after the next try, stores nothing."""
    ids = await sent(store, history)
    append, late = history.archive.append, []

    async def unanswered(*arguments: Any) -> None:
        late.append(arguments)
        raise ArchiveUnavailable("the archive does not answer: repeat the call")

    archiver = Mover(store, history.archive, store.keys.user("demo", "ana").partition)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history.archive, "append", unanswered)
        with pytest.raises(ArchiveUnavailable):
            await archiver.move(now=milliseconds() + 8 * DAY)
    assert await store.sends.recall("demo", ids[1])
    assert await archiver.move(now=milliseconds() + 8 * DAY) == 2
    results = await asyncio.gather(*(append(*each) for each in late), return_exceptions=True)
    assert [type(each).__name__ for each in results] == ["ClaimLost"]
    assert titles(await pages(store, "ana")) == ["2", "0"]


async def test_a_mark_after_redis_lost_the_move(store: Store, history: History) -> None:
    """Redis lost the end of a move in a failover. An entry that is marked then moves again with the mark."""
    ids = await sent(store, history)
    redis = store.redis
    kept = {key: await redis.dump(key) async for key in redis.scan_iter(match="*")}
    assert await history.move(8) == 3
    await redis.flushdb()
    for key, value in kept.items():
        assert value is not None
        await redis.restore(key, 0, value)
    await store.marks.mark("demo", "ana", MarkInbox(state="read", ids=(ids[0],)))
    assert await history.move(8) == 3
    assert await states(store) == MARKED
