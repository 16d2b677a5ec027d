"""Actions that users use: the first one counts, once, from any number of processes and after lost replies."""

import asyncio
from collections import Counter
from functools import partial

import msgspec
import pytest

from tests.store.test_marks import dispatching, join, opened, until_answered
from tests.support.dispatching import waiting
from tests.support.faults import FaultProxy
from tests.support.sending import eventually, notification, titles
from tidings.protocol.notifications import Action
from tidings.protocol.rest import MarkInbox
from tidings_workers.config import Settings
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.dispatcher.partition import PartitionWorker
from tidings_workers.store import (
    ActionUsed,
    InboxQuery,
    NotInInbox,
    Store,
    UnknownAction,
    Use,
)
from tidings_workers.store.entries import id_of
from tidings_workers.store.ids import partition_of_id

CHOICES = (Action("approve", "Approve"), Action("reject", "Reject"))
IDS = tuple(action.id for action in CHOICES)


async def ask(store: Store, *, actions: tuple[Action, ...] = CHOICES, **to: object) -> str:
    """Accept a notification with actions; its id."""
    asked = notification("May I?", actions=actions, **to)  # type: ignore[arg-type]
    (identity,) = (await store.sends.send("demo", [asked])).ids
    return identity


async def act(store: Store, user: str, identity: str, action: str) -> str:
    """Use an action; the action that counts."""
    try:
        return (await store.acting.act("demo", user, identity, action)).used.action
    except ActionUsed as used:
        return used.action


async def uses(store: Store, user: str) -> dict[str, Use]:
    """The used actions in an inbox, by notification."""
    page = await store.inbox.page("demo", user, InboxQuery(limit=200))
    return {id_of(item.content): item.used for item in page.items if item.used is not None}


async def counted(store: Store, identity: str) -> dict[str, int]:
    """The receipts of the actions of a notification."""
    stored = await store.sends.notification("demo", identity)
    assert stored is not None
    return stored.actions


async def test_the_first_action_counts(settings: Settings, store: Store) -> None:
    """Of actions that ten processes use at once one counts, and each process learns which."""
    identity = await ask(store, users=["ana"])
    async with opened(settings, 10) as stores:
        won = await asyncio.gather(
            *(act(each, "ana", identity, IDS[number % 2]) for number, each in enumerate(stores * 3))
        )
    assert len(set(won)) == 1
    used = (await uses(store, "ana"))[identity]
    assert used.action == won[0]
    again = await store.acting.act("demo", "ana", identity, used.action)
    assert (again.used, again.change) == (used, None)
    assert await counted(store, identity) == {used.action: 1}


async def test_an_action_leaves_the_state(store: Store) -> None:
    """An action changes neither seen, read nor archived; marks, their undo and archiving keep the action."""
    identity = await ask(store, users=["ana"])
    await store.acting.act("demo", "ana", identity, "approve")
    (item,) = (await store.inbox.page("demo", "ana", InboxQuery(limit=1))).items
    assert (item.state, item.seen_at, item.used and item.used.action) == ("unseen", None, "approve")
    for state in ("read", "unseen", "archived", "unarchived"):
        await store.marks.mark("demo", "ana", MarkInbox(state=state, ids=(identity,)))
    assert (await uses(store, "ana"))[identity] == item.used


@pytest.mark.parametrize(
    ("action", "known"),
    [("maybe", IDS), ("", IDS), ("Approve", IDS), ("approve ", IDS), ("a" * 10_000, IDS), ("approve", ())],
)
async def test_an_unknown_action(store: Store, action: str, known: tuple[str, ...]) -> None:
    """An action that the notification does not have is refused with those that it has."""
    identity = await ask(store, users=["ana"], actions=CHOICES if known else ())
    with pytest.raises(UnknownAction) as refused:
        await store.acting.act("demo", "ana", identity, action)
    assert refused.value.known == known
    assert await uses(store, "ana") == {}


async def test_not_in_the_inbox(store: Store, dispatcher: Dispatcher) -> None:
    """Of notifications that the user cannot see, or no longer, no action can be used."""
    await join(store, "ana", "team")
    others = await ask(store, users=["bob"])
    excluded = await ask(store, groups=["team"], exclude=["ana"])
    recalled = await ask(store, users=["ana"])
    await store.sends.recall("demo", recalled)
    brief = await ask(store, to_all=True, expires_in=1)

    async def listed() -> bool:
        page = await store.inbox.page("demo", "ana", InboxQuery(limit=9))
        return brief in {id_of(item.content) for item in page.items}

    await eventually(listed, False)
    for identity in (others, excluded, recalled, brief, "0198c5f0-0000-7000-8000-000000000000", "x", ""):
        with pytest.raises(NotInInbox):
            await store.acting.act("demo", "ana", identity, "approve")


ODD_IDS = ("a b", "7", "action:x", "ä€😀", "line\nbreak", '"quoted"', "\x00", "%d", "[1]")


@pytest.mark.parametrize("kind", ["user", "users", "group", "all"])
async def test_receipts_count_users(store: Store, dispatcher: Dispatcher, kind: str) -> None:
    """Receipts count each user once per action, whatever the target and the id, also after a recall."""
    users = [f"user-{number}" for number in range(len(ODD_IDS))]
    actions = tuple(Action(each, "x") for each in ODD_IDS)
    target = {"user": {"users": users[:1]}, "users": {"users": users}, "group": {"groups": ["team"]}}
    if kind == "group":
        await asyncio.gather(*(join(store, user, "team") for user in users))
    identity = await ask(store, actions=actions, **target.get(kind, {"to_all": True}))
    await eventually(lambda: waiting(store), 0)
    chosen = dict(zip(users, ODD_IDS, strict=True)) if kind != "user" else {users[0]: ODD_IDS[3]}
    for user, action in chosen.items():
        await store.acting.act("demo", user, identity, action)
        await store.acting.act("demo", user, identity, action)
    expected = dict(Counter(chosen.values()))
    await eventually(lambda: counted(store, identity), expected)
    if kind in {"user", "users"}:
        page = await store.receipts.of("demo", identity, 100, None)
        assert page is not None
        assert {row.user: row.used and row.used.action for row in page.items} == chosen
    await store.sends.recall("demo", identity)
    await eventually(lambda: waiting(store), 0)
    assert await counted(store, identity) == expected
    used = await store.redis.keys("*/used")
    assert [await store.redis.hlen(key) for key in used] == [0] * len(used)


async def test_an_action_before_a_recall_is_counted(store: Store) -> None:
    """An action on a copy that is recalled before it was counted still counts, and no other action does."""
    users = ["ana", "bob", "carl", "dora"]
    async with dispatching(store):
        identity = await ask(store, users=users)
        await eventually(lambda: waiting(store), 0)
    place = partition_of_id(identity)
    assert place is not None
    reader = next(user for user in users if store.keys.user("demo", user).partition != place)
    await store.acting.act("demo", reader, identity, "reject")
    # The recall alone is carried out first.
    recalling = asyncio.ensure_future(store.sends.recall("demo", identity))
    working = asyncio.ensure_future(PartitionWorker(store, place).run())
    await eventually(lambda: titles(store, reader), [])
    await recalling
    working.cancel()
    async with dispatching(store):
        await eventually(lambda: waiting(store), 0)
    assert await counted(store, identity) == {"reject": 1}


@pytest.mark.parametrize("users", [["ana"], ["ana", "bob"]])
async def test_a_recall_keeps_the_action_of_each_user(
    store: Store, dispatcher: Dispatcher, users: list[str]
) -> None:
    """The receipts of a recalled notification name the action that each user had used, with its time."""
    identity = await ask(store, users=users)

    async def used() -> dict[str, Use | None]:
        page = await store.receipts.of("demo", identity, 10, None)
        assert page is not None
        return {item.user: item.used for item in page.items}

    await eventually(partial(received, store, users), [identity] * len(users))
    assert await act(store, "ana", identity, "approve") == "approve"
    before = await used()
    assert before["ana"] is not None
    assert await store.sends.recall("demo", identity)
    await eventually(partial(received, store, users), [])
    assert await used() == before


async def received(store: Store, users: list[str]) -> list[str]:
    """The ids in the inboxes of users."""
    pages = [await store.inbox.page("demo", user, InboxQuery(limit=200)) for user in users]
    return [id_of(item.content) for page in pages for item in page.items]


async def test_lost_replies(redis_url: str) -> None:
    """With replies lost at random, two devices agree on one action, which is counted once."""
    plain = msgspec.structs.replace(Settings.from_environment({}), redis_url=redis_url)
    async with FaultProxy(redis_url, seed=5) as proxy:
        faulty = msgspec.structs.replace(plain, redis_url=proxy.url)
        async with opened(plain, 1) as (store,), opened(faulty, 2) as stores, dispatching(store):
            await join(store, "ana", "team")
            asked = [await ask(store, groups=["team"]) for _ in range(20)]
            won: dict[str, set[str]] = {identity: set() for identity in asked}

            async def use(own: Store, action: str) -> None:
                for identity in asked:
                    won[identity].add(await until_answered(partial(act, own, "ana", identity, action)))

            proxy.lose_replies = 0.15
            await asyncio.gather(*(use(*pair) for pair in zip(stores, IDS, strict=True)))
            proxy.lose_replies = 0
            assert proxy.lost > 5
            assert [len(actions) for actions in won.values()] == [1] * 20
            found = await uses(store, "ana")
            assert {identity: {use.action} for identity, use in found.items()} == won
            await eventually(lambda: waiting(store), 0)
            for identity, (action,) in won.items():
                assert await counted(store, identity) == {action: 1}


async def test_an_action_is_one_event(store: Store) -> None:
    """The use of an action writes one event, in the slot where it happens; a repetition writes none."""
    await store.events.want("demo", "test", frozenset({"notification.action"}))
    identity = await ask(store, users=["ana"])
    for action in ("reject", "reject", "approve"):
        await act(store, "ana", identity, action)
    found = await store.events.read("demo", None, frozenset(), 10)
    (event,) = found.events
    assert (event.type, event.user) == ("notification.action", "ana")
    assert msgspec.json.decode(event.data) == {"notification": identity, "action": "reject", "user": "ana"}
