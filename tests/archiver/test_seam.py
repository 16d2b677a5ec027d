"""Lists go on past the retention of Redis, in the same order and with the same states."""

from datetime import UTC, datetime

import msgspec

from tests.archiver.history import History, pages, titles
from tests.archiver.sends import send
from tests.support.sending import eventually, notification
from tidings.protocol.rest import MarkInbox
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import InboxQuery, Store
from tidings_workers.store.ids import milliseconds
from tidings_workers.tenants import Tenant


async def test_old_entries_leave_redis_and_stay_in_the_list(store: Store, history: History) -> None:
    """Entries that the retention removes from Redis stay in the list, once, in order, over pages and back."""
    await send(store, 20, users=["ana"])
    before = await pages(store, "ana")
    assert await history.live() == 20
    assert await history.move(8) == 20
    assert await history.live() == 0
    after = await pages(store, "ana")
    assert titles(after) == titles(before) == [f"{number}" for number in reversed(range(20))]
    assert [item.content for item in after] == [item.content for item in before]
    assert [item.in_archive for item in after] == [True] * 20


async def test_a_page_of_both(store: Store, history: History) -> None:
    """A list of archived and of live entries has both, newest first, without a hole or a repetition."""
    await send(store, 10, users=["ana"])
    assert await history.move(8) == 10
    await send(store, 10, users=["ana"])
    items = await pages(store, "ana")
    assert [item.position for item in items] == list(reversed(range(1, 21)))
    assert [item.in_archive for item in items] == [False] * 10 + [True] * 10


async def test_states_are_as_they_last_were(store: Store, history: History) -> None:
    """Entries keep state, times and used action in the archive, and the filters find them."""
    ids = await send(store, 6, users=["ana"])
    for state, some in (("seen", ids[:2]), ("read", ids[2:4]), ("archived", ids[4:5])):
        await store.marks.mark("demo", "ana", MarkInbox(state=state, ids=tuple(some)))  # type: ignore[arg-type]
    filters = ("unseen", "seen", "unread", "read", "archived", None)
    before = {state: await pages(store, "ana", state=state) for state in filters}
    assert await history.move(8) == 6
    for each in filters:
        after = await pages(store, "ana", state=each)
        assert [msgspec.structs.replace(item, in_archive=False) for item in after] == before[each]
    assert await store.inbox.counts("demo", "ana") == msgspec.structs.replace(
        await store.inbox.counts("demo", "ana"), unseen=0, unread=0
    )


async def test_groups_and_all(store: Store, history: History, dispatcher: Dispatcher) -> None:
    """The history has the user's share of the logs of groups and of all: while a member, and not excluded."""
    await send(store, 2, groups=["team"])
    await store.groups.change("demo", "team", ["ana", "bob"], [])
    await eventually(lambda: _groups(store, "ana"), ["team"])
    await send(store, 3, groups=["team"], category="chat")
    await send(store, 2, to_all=True, exclude=["ana"])
    await send(store, 2, to_all=True)
    await store.groups.change("demo", "team", [], ["ana"])
    await send(store, 2, groups=["team"])
    await eventually(lambda: _count(store, "ana"), 5)
    before = {user: await pages(store, user) for user in ("ana", "bob")}
    # The sends to the group without members are in no log.
    assert await history.move(8) == 9
    for user in ("ana", "bob"):
        after = await pages(store, user)
        assert [msgspec.structs.replace(item, in_archive=False) for item in after] == before[user]
    assert len(await pages(store, "ana", category="chat")) == 3
    assert len(await pages(store, "ana", log="all")) == 2


async def _groups(store: Store, user: str) -> list[str]:
    page = await store.groups.of_user("demo", user, 10, None)
    return [group.id for group in page.items]


async def _count(store: Store, user: str) -> int:
    return len((await store.inbox.page("demo", user, InboxQuery(limit=200))).items)


async def test_a_late_copy_is_shown_at_its_position(store: Store, history: History) -> None:
    """A copy that was stored after newer ones of its log keeps its place when another log lies in between."""
    tenant = Tenant(
        id="demo", created_at=datetime.now(UTC), retention_days=30, category_retention={"short": 7}
    )
    store.follow_policies({"demo": tenant}.get)
    at, accept = milliseconds() - 10_000, store.sends._preparing.accept
    for title, after, fields in (
        ("kept", 100, {"users": ["ana"], "category": "keep"}),
        ("all", 70, {"to_all": True, "category": "short"}),
        ("late", 50, {"users": ["ana"], "category": "short"}),
    ):
        await accept("demo", [notification(title, **fields)], at + after, [None])
    before = titles(await pages(store, "ana"))
    assert len(before) == 3
    assert await history.move(8) == 2
    for limit in (1, 2, 3):
        assert titles(await pages(store, "ana", limit=limit)) == before


async def test_sends_to_all_are_shown_as_long_as_the_tenant_says(store: Store, history: History) -> None:
    """The archive does not show sends to all for longer than the tenant's look back."""
    tenant = Tenant(id="demo", created_at=datetime.now(UTC), retention_days=30, all_lookback=60)
    store.follow_policies({"demo": tenant}.get)
    at = milliseconds()
    for title, age in (("old", 61_000), ("new", 30_000)):
        await store.sends._preparing.accept("demo", [notification(title, to_all=True)], at - age, [None])
    assert await history.move(1) == 2
    assert titles(await pages(store, "ana")) == ["new"]
