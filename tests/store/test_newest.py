"""The times of the newest entries that a process keeps: they choose the logs of a page."""

import asyncio
import random

from tests.support.sending import eventually, notification
from tidings.protocol.rest import MarkInbox
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import InboxQuery, Store
from tidings_workers.store.newest import AS_KNOWN, NewestTimes

GROUPS = 30
ROUNDS = 40


async def test_a_first_page_follows_every_change(store: Store, dispatcher: Dispatcher) -> None:
    """A small page of many logs begins the whole list after sends, recalls, expiries, joins and marks."""
    chance = random.Random(5)
    groups = [f"group-{number}" for number in range(GROUPS)]
    for group in groups:
        await store.groups.change("demo", group, ["ana", "bob"], [])
    await eventually(lambda: _count(store), GROUPS + 2)
    ids: list[str] = []
    for number in range(ROUNDS):
        for group in chance.sample(groups, 3):
            expires = chance.choice((None, None, 1))
            sent = notification(f"t{number}", groups=[group], expires_in=expires)
            ids += (await store.sends.send("demo", [sent])).ids
        if number % 4 == 1:
            await store.sends.recall("demo", ids.pop(chance.choice((-1, -2))))
        if number % 9 == 2:
            await store.marks.mark("demo", "ana", MarkInbox(state="read", ids=(ids[-1],)))
        if number % 10 == 3:
            await store.groups.change("demo", "group-0", [], ["ana"])
            await store.groups.change("demo", "group-0", ["ana"], [])
        if number == ROUNDS // 2:
            await asyncio.sleep(1.1)
        # A dispatcher carries joins to the user, and entries expire: the two lists are of two moments.
        await eventually(lambda: _begins_the_list(store), [True, True])


async def _begins_the_list(store: Store) -> list[bool]:
    begins = []
    for query in (InboxQuery(limit=3), InboxQuery(limit=3, state="unread")):
        whole = await _ids(store, InboxQuery(limit=200, state=query.state))
        begins.append(await _ids(store, query) == whole[:3])
    return begins


async def _count(store: Store) -> int:
    return len((await store.inbox.page("demo", "ana", InboxQuery(limit=1))).positions)


async def _ids(store: Store, query: InboxQuery) -> list[tuple[str, int]]:
    page = await store.inbox.page("demo", "ana", query)
    return [(item.log, item.position) for item in page.items]


def test_an_answer_is_completed() -> None:
    """The time of an entry at the head is kept for the next question, and a known one is put in its place."""
    times = NewestTimes()
    asked = times.of("epoch", ["a", "b"])
    assert asked == [(0, 0), (0, 0)]
    assert times.complete(["a", "b"], asked, [3, 5], [-100, 80]) == [100, 80]
    asked = times.of("epoch", ["a", "b"])
    assert asked == [(3, 100), (0, 0)]
    assert times.complete(["a", "b"], asked, [3, 5], [AS_KNOWN, 0]) == [100, 0]


def test_an_answer_belongs_to_its_question() -> None:
    """A time that another question added since then does not change the answer."""
    times = NewestTimes()
    times.add("a", 3, 100)
    asked = times.of("", ["a"])
    times.add("a", 4, 200)
    assert times.complete(["a"], asked, [3], [AS_KNOWN]) == [100]


def test_another_epoch_is_other_data() -> None:
    """Nothing that was read of earlier data is used for the data of another epoch."""
    times = NewestTimes()
    times.of("one", [])
    times.add("a", 3, 100)
    assert times.of("one", ["a"]) == [(3, 100)]
    assert times.of("two", ["a"]) == [(0, 0)]


def test_the_number_of_logs_is_limited() -> None:
    """At most the limit of logs is kept: those that were added last."""
    times = NewestTimes(limit=2)
    for base in ("a", "b", "a", "c"):
        times.add(base, 1, 9)
    assert times.of("", ["a", "b", "c"]) == [(1, 9), (0, 0), (1, 9)]
