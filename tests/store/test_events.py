"""Which events are written: one for each change, in the call of the change, only of types that are wanted."""

import asyncio
from typing import Any

from tests.support.happenings import ALL, happened
from tests.support.sending import eventually, notification
from tidings.protocol.closing import DISCONNECTED
from tidings.protocol.frames import Mark
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import Idempotency, Store
from tidings_workers.store.attaching import Arrival
from tidings_workers.store.keys import feed, interest
from tidings_workers.store.packing import text
from tidings_workers.store.presence import new_connection_id

GATEWAY = "w0123456789abcdef"


async def send(store: Store, title: str, **target: Any) -> str:
    """Accept one notification; its id."""
    return (await store.sends.send("demo", [notification(title, **target)])).ids[0]


async def test_nothing_is_written_that_nobody_wants(store: Store) -> None:
    """Without a wish there is no event, and a wish for one type writes no other one."""
    await send(store, "one", users=["ana"])
    assert await happened(store) == []
    await store.events.want("demo", "webhooks", ["notification.recalled"])
    identity = await send(store, "two", users=["ana"])
    await store.sends.recall("demo", identity)
    assert await happened(store) == [("notification.recalled", {"notification": identity})]
    await store.events.want("demo", "webhooks", [])
    await store.sends.recall("demo", await send(store, "three", users=["ana"]))
    assert len(await happened(store)) == 1
    await store.events.want("other", "webhooks", ALL)
    await store.sends.recall("demo", await send(store, "four", users=["ana"]))
    assert len(await happened(store)) == 1


async def test_a_notification_is_stored_once(store: Store, dispatcher: Dispatcher) -> None:
    """Each kind of target gives one event, also for several users or groups; a repeated send gives none."""
    await store.groups.change("demo", "team", ["ana", "bob"], [])
    await store.events.want("demo", "webhooks", ["notification.stored"])
    targets: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"users": ["ana"]}, {"user": "ana", "recipients": 1}),
        ({"users": ["ana"], "category": "orders"}, {"user": "ana", "recipients": 1}),
        ({"users": ["ana", "bob", "cy"]}, {"recipients": 3}),
        ({"groups": ["team"]}, {"group": "team", "recipients": 2}),
        ({"groups": ["team"], "exclude": ["bob"]}, {"recipients": 1}),
        ({"groups": ["team"], "users": ["dora"]}, {"recipients": 3}),
        ({"groups": ["nobody"]}, {"group": "nobody", "recipients": 0}),
        ({"groups": ["nobody", "none"]}, {"recipients": 0}),
        ({"to_all": True}, {"all": True}),
        ({"topics": ["news/sport"]}, {"topic": "news/sport"}),
        ({"topics": ["news/sport", "news"]}, {}),
    ]
    expected: dict[str, dict[str, Any]] = {}
    for number, (target, data) in enumerate(targets):
        once = Idempotency(f"key-{number}", b"digest")
        for _ in range(2):
            sent = await store.sends.send("demo", [notification("one", **target)], idempotency=once)
            expected[sent.ids[0]] = data
    # Several in one call.
    batch = await store.sends.send(
        "demo", [notification("one", users=["ana"]), notification("two", to_all=True)]
    )
    expected |= {batch.ids[0]: {"user": "ana", "recipients": 1}, batch.ids[1]: {"all": True}}

    async def stored() -> dict[str, Any]:
        rows = await happened(store)
        assert len({data["notification"] for _, data in rows}) == len(rows)
        return {data.pop("notification"): data for _, data in rows}

    await eventually(stored, expected)


async def test_progress_is_written_once_for_each_user_and_notification(
    store: Store, dispatcher: Dispatcher
) -> None:
    """Acknowledgements and marks give an event the first time only, in own and shared logs, by id or all."""
    await store.groups.change("demo", "team", ["ana", "bob"], [])
    await store.groups.change("demo", "team", [], [])
    kinds = ["notification.delivered", "notification.seen", "notification.read", "notification.archived"]
    await store.events.want("demo", "webhooks", kinds)
    own = await send(store, "own", users=["ana"])
    team = [await send(store, "team", groups=["team"]) for _ in range(3)]
    hidden = await send(store, "hidden", groups=["team"], exclude=["ana"])
    everyone = await send(store, "all", to_all=True)
    await eventually(lambda: store.inbox.counts("demo", "ana"), await store.inbox.counts("demo", "ana"))
    for _ in range(2):
        await store.acknowledging.acknowledge("demo", "ana", {"user": 1, "group:team": 2}, None)
        await store.marks.mark("demo", "ana", Mark(state="read", ids=(own,)))
        await store.marks.mark("demo", "ana", Mark(state="unread", ids=(own,)))
        await store.marks.mark("demo", "ana", Mark(state="seen", all=True))
        await store.marks.mark("demo", "ana", Mark(state="archived", ids=(team[0],)))
    rows = await happened(store)
    assert all(data["user"] == "ana" for _, data in rows)
    found = {kind: [data["notification"] for each, data in rows if each == kind] for kind in kinds}
    every = sorted([own, *team, everyone])
    assert {kind: sorted(ids) for kind, ids in found.items()} == {
        "notification.delivered": every,
        "notification.seen": every,
        "notification.read": [own],
        "notification.archived": [team[0]],
    }
    assert hidden not in every


async def test_a_recall_and_an_expiry_are_written_once(store: Store, dispatcher: Dispatcher) -> None:
    """A repeated recall gives no second event, and an entry that expires gives one."""
    await store.events.want("demo", "webhooks", ["notification.recalled", "notification.expired"])
    recalled = [
        await send(store, "one", users=["ana"]),
        await send(store, "two", users=["ana", "bob"]),
        await send(store, "three", to_all=True),
    ]
    short = await send(store, "short", users=["cy"], expires_in=1)
    for identity in recalled * 2:
        assert await store.sends.recall("demo", identity)

    async def look() -> list[tuple[str, str]]:
        await store.inbox.counts("demo", "cy")
        return sorted((kind, data["notification"]) for kind, data in await happened(store))

    await eventually(
        look,
        sorted([("notification.recalled", each) for each in recalled] + [("notification.expired", short)]),
    )
    assert ("notification.expired", {"notification": short, "user": "cy"}) in await happened(store)


async def test_a_user_is_online_from_the_first_connection_to_the_last(store: Store) -> None:
    """Each connection gives its events once; the user is online with the first and offline after the last."""
    await store.feeds.open(GATEWAY, range(store.partitions))
    await store.events.want("demo", "webhooks", ALL)
    ana = store.keys.user("demo", "ana")
    first, second, third = (new_connection_id(GATEWAY, ana.partition) for _ in range(3))
    for identity, limit in ((first, 0), (first, 0), (second, 0), (third, 2)):
        await store.feeds.attach(GATEWAY, ana, "laptop", Arrival(identity, limit, 4003))
    for _ in range(2):
        await store.connections.remove(GATEWAY, {first: ana.base, second: ana.base})
    await store.connections.disconnect("demo", "ana", DISCONNECTED)
    one = {"user": "ana", "device": "laptop"}
    rows = await happened(store)
    assert [kind for kind, _ in rows] == [
        "user.online",
        *["connection.opened"] * 3,
        *["connection.closed"] * 3,
        "user.offline",
    ]
    assert [data["connection"] for _, data in rows[1:4]] == [first, second, third]
    assert {data["connection"] for _, data in rows[4:7]} == {first, second, third}
    assert ("connection.opened", one | {"connection": third}) in await happened(store)


async def test_a_user_whose_connection_is_replaced_stays_online(store: Store) -> None:
    """A new connection that replaces the only old one leaves the user online."""
    await store.feeds.open(GATEWAY, range(store.partitions))
    await store.events.want("demo", "webhooks", ["user.online", "user.offline"])
    ana = store.keys.user("demo", "ana")
    for _ in range(2):
        identity = new_connection_id(GATEWAY, ana.partition)
        assert (await store.feeds.attach(GATEWAY, ana, None, Arrival(identity, 1, 4003))).admitted
    assert await happened(store) == [("user.online", {"user": "ana"})]


async def test_an_appended_event_is_written_once(store: Store) -> None:
    """A second call with the same id writes nothing, and without a wish nothing is written."""
    data = b'{"user":"ana","data":[1,"\\u0000"]}'
    assert not await store.events.append("demo", "ana", "message.received", data, "m1")
    await store.events.want("demo", "webhooks", ["message.received"])
    for once in ("m1", "m1", "m2", "", ""):
        assert await store.events.append("demo", "ana", "message.received", data, once)
    rows = await happened(store)
    assert rows == [("message.received", {"user": "ana", "data": [1, "\0"]})] * 4


async def test_the_wishes_of_several_are_united(store: Store) -> None:
    """Concurrent wishes are all kept, and each ends when it is withdrawn or its time is over."""
    await asyncio.gather(
        *(store.events.want("demo", f"sink/{kind}", [kind]) for kind in sorted(ALL)),
        store.events.want("demo", "reader", ["user.online"], 1),
    )
    wishes = await asyncio.gather(
        *(store.redis.hget(interest(partition), "events/demo") for partition in range(store.partitions))
    )
    assert all(set(text(wish).split()[3:]) == ALL for wish in wishes)
    for kind in sorted(ALL):
        await store.events.want("demo", f"sink/{kind}", [])

    async def wanted() -> bool:
        return await store.events.append("demo", "ana", "user.online", b"{}")

    await eventually(written_nothing(store, wanted), True)


def written_nothing(store: Store, write: Any) -> Any:
    """A look that writes an event and finds that there is none more than before."""

    async def look() -> bool:
        before = len(await happened(store))
        await write()
        return len(await happened(store)) == before

    return look


async def test_a_closing_without_a_registration_is_ended(store: Store) -> None:
    """A gateway ends a request to close a connection that it does not have, also with events."""
    await store.feeds.open(GATEWAY, range(store.partitions))
    ana = store.keys.user("demo", "ana")
    for wanted in ((), ALL):
        await store.events.want("demo", "webhooks", wanted)
        identity = new_connection_id(GATEWAY, ana.partition)
        await store.feeds.attach(GATEWAY, ana, None, Arrival(identity, 0, 4003))
        requests = await store.connections.disconnect("demo", "ana", DISCONNECTED)
        assert await store.connections.unclosed(requests) == requests
        await store.connections.remove(GATEWAY, {identity: ""})
        assert await store.connections.unclosed(requests) == []


async def test_a_stopped_gateway_leaves_its_users_offline_once(store: Store) -> None:
    """However often the registrations of a crashed gateway are removed, a user has one `user.offline`."""
    await store.events.want("demo", "webhooks", ["user.offline", "connection.closed"])
    await store.feeds.open(GATEWAY, range(store.partitions))
    users = [store.keys.user("demo", name) for name in ("ana", "bob")]
    rows = {new_connection_id(GATEWAY, user.partition): user.base for user in users * 2}
    for identity, base in rows.items():
        await store.feeds.attach(GATEWAY, store.keys.of(base), None, Arrival(identity, 0, 4003))
    await asyncio.gather(*(store.connections.remove(GATEWAY, rows, at=1, if_stopped=True) for _ in range(3)))
    assert await happened(store) == [], "the gateway runs"
    for partition in range(store.partitions):
        await store.redis.delete(feed(partition, GATEWAY))
    await asyncio.gather(*(store.connections.remove(GATEWAY, rows, at=1, if_stopped=True) for _ in range(3)))
    found = await happened(store)
    assert sorted(data["connection"] for kind, data in found if kind == "connection.closed") == sorted(rows)
    assert sorted(data["user"] for kind, data in found if kind == "user.offline") == ["ana", "bob"]
    last = {data["user"]: kind for kind, data in found}
    assert last == {"ana": "user.offline", "bob": "user.offline"}
