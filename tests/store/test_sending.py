"""A 202 promises that a send is stored once, in order, for exactly the users of its target."""

import asyncio
from functools import partial
from typing import Any

import msgspec
import pytest

from tests.support.sending import contents, eventually, notification, titles
from tidings.protocol.notifications import CreateNotification
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import Idempotency, IdempotencyMismatch, InboxQuery, Store


async def test_one_user(store: Store) -> None:
    """A send to one user is in that user's inbox at the answer, and in no other."""
    accepted = await store.sends.send("demo", [notification("hello", users=["ana"])])
    assert await titles(store, "ana") == ["hello"]
    assert await titles(store, "bob") == []
    stored = await store.sends.notification("demo", accepted.ids[0])
    assert stored is not None
    assert (stored.status, stored.recipients) == ("stored", 1)
    assert msgspec.json.decode(stored.to) == {"users": ["ana"]}


async def test_another_tenant(store: Store) -> None:
    """A tenant sees nothing of another tenant, by user or by id."""
    accepted = await store.sends.send("demo", [notification("hello", users=["ana"])])
    assert await store.sends.notification("other", accepted.ids[0]) is None
    assert not await store.sends.recall("other", accepted.ids[0])
    assert (await store.inbox.page("other", "ana", InboxQuery(limit=50))).items == []


async def test_order(store: Store) -> None:
    """Consecutive sends to one log keep their order, with dense positions."""
    for index in range(20):
        await store.sends.send("demo", [notification(str(index), users=["ana"])])
    page = await store.inbox.page("demo", "ana", InboxQuery(limit=50))
    assert [item.position for item in page.items] == list(range(20, 0, -1))
    assert await titles(store, "ana") == [str(index) for index in range(19, -1, -1)]


async def test_group_members_only(store: Store, dispatcher: Dispatcher) -> None:
    """A member gets the sends of the membership, also after leaving and rejoining."""
    await store.sends.send("demo", [notification("before", groups=["team"])])
    await store.groups.change("demo", "team", ["ana", "bob"], [])
    await store.sends.send("demo", [notification("one", groups=["team"])])
    await store.groups.change("demo", "team", [], ["ana"])
    await store.sends.send("demo", [notification("two", groups=["team"])])
    await store.groups.change("demo", "team", ["ana"], [])
    last = await store.sends.send("demo", [notification("three", groups=["team"])])
    await eventually(lambda: titles(store, "ana"), ["three", "one"])
    await eventually(lambda: titles(store, "bob"), ["three", "two", "one"])
    stored = await store.sends.notification("demo", last.ids[0])
    assert stored is not None
    assert stored.recipients == 2


async def test_all(store: Store) -> None:
    """A send to all is one entry for every user, except for excluded ones."""
    await store.sends.send("demo", [notification("hi", to_all=True, exclude=["bob"])])
    assert await titles(store, "ana") == ["hi"]
    assert await titles(store, "bob") == []


async def test_excluded_do_not_count(store: Store, dispatcher: Dispatcher) -> None:
    """An excluded notification is not in the counts of the excluded user, and in those of all others."""
    await store.sends.send("demo", [notification("hi", to_all=True, exclude=["bob"])])
    await eventually(lambda: _total(store, "bob"), 0)
    assert await _total(store, "ana") == 1


async def test_compound_once(store: Store, dispatcher: Dispatcher) -> None:
    """A user in several targets gets one copy, and an excluded user none."""
    await store.groups.change("demo", "team", ["ana", "bob", "carl"], [])
    await store.groups.change("demo", "club", ["bob", "dora", "eve"], [])
    accepted = await store.sends.send(
        "demo", [notification("x", users=["ana", "fay"], groups=["team", "club", "nobody"], exclude=["eve"])]
    )
    await eventually(lambda: _status(store, accepted.ids[0]), ("stored", 5))
    for user in ("ana", "bob", "carl", "dora", "fay"):
        assert await titles(store, user) == ["x"]
    assert await titles(store, "eve") == []


async def test_compound_larger_than_a_step(store: Store, dispatcher: Dispatcher) -> None:
    """A compound target of thousands reaches each user once."""
    members = [f"u{index}" for index in range(6_100)]
    assert await store.groups.change("demo", "big", members, []) == (6_100, 0)
    accepted = await store.sends.send("demo", [notification("x", users=["extra"], groups=["big"])])
    await eventually(lambda: _status(store, accepted.ids[0]), ("stored", 6_101))
    totals = await asyncio.gather(*(_total(store, user) for user in [*members[::100], "extra"]))
    assert set(totals) == {1}


async def test_no_recipients(store: Store, dispatcher: Dispatcher) -> None:
    """A target without recipients is stored at once with 0 recipients."""
    notifications = [
        notification("a", users=["ana"], exclude=["ana"]),
        notification("b", groups=["unknown"]),
        notification("c", groups=["unknown", "neither"]),
    ]
    accepted = await store.sends.send("demo", notifications)
    for identity in accepted.ids:
        await eventually(partial(_status, store, identity), ("stored", 0))
    assert await titles(store, "ana") == []


async def test_idempotency(store: Store) -> None:
    """The same key and body make one notification, and the ids and the time are the same."""
    many = [notification(str(index), users=[f"u{index % 3}"]) for index in range(30)]
    first = await store.sends.send("demo", many, idempotency=Idempotency("k", b"digest"))
    again = await store.sends.send("demo", many, idempotency=Idempotency("k", b"digest"))
    assert (again.ids, again.accepted_at) == (first.ids, first.accepted_at)
    assert (first.replayed, again.replayed) == (False, True)
    assert [await _total(store, f"u{index}") for index in range(3)] == [10, 10, 10]
    with pytest.raises(IdempotencyMismatch):
        await store.sends.send("demo", many[:1], idempotency=Idempotency("k", b"other"))
    other = await store.sends.send("other", many, idempotency=Idempotency("k", b"digest"))
    assert not other.replayed


@pytest.mark.parametrize("target", [{"users": ["ana"]}, {"to_all": True}, {"users": ["ana", "bob"]}])
async def test_recall(store: Store, dispatcher: Dispatcher, target: dict[str, Any]) -> None:
    """A recalled notification leaves inboxes and counts, and a repeated recall changes nothing."""
    accepted = await store.sends.send(
        "demo", [notification("oops", **target), notification("good", users=["ana"])]
    )
    await eventually(lambda: _total(store, "ana"), 2)
    assert await store.sends.recall("demo", accepted.ids[0])
    assert await store.sends.recall("demo", accepted.ids[0])
    await eventually(lambda: titles(store, "ana"), ["good"])
    assert await _total(store, "ana") == 1
    assert (await _status(store, accepted.ids[0]))[0] == "recalled"


async def test_recall_before_stored(store: Store) -> None:
    """A recall answered before the notification was stored cancels it for all users."""
    accepted = await store.sends.send("demo", [notification("oops", users=["ana", "bob"], groups=["none"])])
    assert await store.sends.recall("demo", accepted.ids[0])
    running = Dispatcher(store)
    await running.beat()
    later = await store.sends.send("demo", [notification("later", users=["ana", "bob"], groups=["none"])])
    await eventually(lambda: _status(store, later.ids[0]), ("stored", 2))
    await running.close()
    assert (await _status(store, accepted.ids[0]))[0] == "cancelled"
    assert await titles(store, "ana") == ["later"]


async def test_deleted_group(store: Store, dispatcher: Dispatcher) -> None:
    """Deleting a group removes all memberships, and members keep their notifications."""
    members = [f"u{index}" for index in range(1_200)]
    await store.groups.change("demo", "team", members, [])
    await store.sends.send("demo", [notification("old", groups=["team"])])
    await store.groups.delete("demo", "team")
    assert await store.groups.get("demo", "team") is None
    await store.groups.change("demo", "team", ["u7"], [])
    await store.sends.send("demo", [notification("new", groups=["team"])])
    await eventually(lambda: titles(store, "u7"), ["new", "old"])
    await eventually(lambda: titles(store, "u1199"), ["old"])


async def test_content_is_kept(store: Store) -> None:
    """Every field arrives as it was sent, and omitted fields stay absent."""
    sent = msgspec.json.decode(
        b'{"to":{"users":["ana"]},"category":"orders","title":"\\u0000 \xc3\xa4","data":{"a":[1,{"b":null}]},'
        b'"link":"/x","actions":[{"id":"go","label":"Go"}],"priority":"high","expires_in":60}',
        type=CreateNotification,
    )
    await store.sends.send("demo", [sent])
    (content,) = await contents(store, "ana")
    assert content.pop("id")
    created, expires = content.pop("created_at"), content.pop("expires_at")
    assert created < expires
    assert content == {
        "category": "orders",
        "title": "\x00 ä",
        "data": {"a": [1, {"b": None}]},
        "link": "/x",
        "actions": [{"id": "go", "label": "Go"}],
        "priority": "high",
    }


async def _status(store: Store, identity: str) -> tuple[str, int | None]:
    stored = await store.sends.notification("demo", identity)
    assert stored is not None
    return stored.status, stored.recipients


async def _total(store: Store, user: str) -> int:
    return (await store.inbox.counts("demo", user)).unseen


async def test_recall_is_complete_when_answered(store: Store, dispatcher: Dispatcher) -> None:
    """When a recall is answered, all copies have left inboxes and counts."""
    users = [f"u{n}" for n in range(50)]
    for _ in range(10):
        identity = (await store.sends.send("demo", [notification("gone", users=users)])).ids[0]
        await eventually(partial(_status, store, identity), ("stored", 50))
        await store.sends.recall("demo", identity)
        assert [(await store.inbox.counts("demo", user)).unseen for user in users] == [0] * len(users)


async def test_stored_means_hidden(store: Store, dispatcher: Dispatcher) -> None:
    """When a notification is stored, it is not in the counts of excluded users."""
    users = [f"u{n}" for n in range(50)]
    for turn in range(10):
        accepted = await store.sends.send("demo", [notification("not for them", to_all=True, exclude=users)])
        await eventually(partial(_status, store, accepted.ids[0]), ("stored", None))
        assert [(await store.inbox.counts("demo", user)).unseen for user in users] == [0] * len(users)
        assert (await store.inbox.counts("demo", "else")).unseen == turn + 1
