"""`delivered` counts each user of whom a device acknowledged the notification once."""

from functools import partial

from tests.support.realtime import Client, Realtime
from tests.support.sending import eventually, notification
from tidings_workers.store import Store


async def delivered(store: Store, identity: str) -> int:
    stored = await store.sends.notification("demo", identity)
    assert stored is not None
    return stored.delivered


async def receive(client: Client, count: int) -> None:
    """Receive notifications, then acknowledge all of them at once."""
    positions = {}
    for _ in range(count):
        frame = (await client.until("notification"))[-1]
        positions[frame["log"]] = frame["position"]
    await client.send("ack", positions=positions)


async def test_each_user_counts_once(store: Store, realtime: Realtime, working: None) -> None:
    """Two devices of one user and one of another user, without a name, count as two."""
    async with (
        realtime.user("ana", device="phone") as phone,
        realtime.user("ana", device="laptop") as laptop,
        realtime.user("bob") as bob,
        realtime.user("eve"),
    ):
        accepted = await store.sends.send("demo", [notification("hi", to_all=True, exclude=["fay"])])
        await receive(phone, 1)
        await eventually(lambda: delivered(store, accepted.ids[0]), 1)
        await receive(laptop, 1)
        await receive(bob, 1)
        later = await store.sends.send("demo", [notification("later", users=["bob"])])
        await receive(bob, 1)
        await eventually(lambda: delivered(store, later.ids[0]), 1)
        # The log of all may be in another partition, which counts in its own time.
        await eventually(lambda: delivered(store, accepted.ids[0]), 2)


async def test_every_kind_of_target(store: Store, realtime: Realtime, working: None) -> None:
    """Direct, group and compound sends count alike; entries before the membership do not count."""
    await store.groups.change("demo", "team", ["bob"], [])
    before = await store.sends.send("demo", [notification("before", groups=["team"])])
    await store.groups.change("demo", "team", ["ana"], [])
    async with realtime.user("ana", device="phone") as ana:
        accepted = await store.sends.send(
            "demo",
            [
                notification("direct", users=["ana"]),
                notification("group", groups=["team"]),
                notification("compound", users=["ana", "bob"]),
            ],
        )
        await receive(ana, 3)
        for identity in accepted.ids:
            await eventually(partial(delivered, store, identity), 1)
    assert await delivered(store, before.ids[0]) == 0


async def test_an_ack_beyond_what_was_sent_counts_nothing(
    store: Store, realtime: Realtime, working: None
) -> None:
    """An acknowledgement counts only for entries that the connection was sent."""
    old = await store.sends.send("demo", [notification("old", users=["ana"])])
    async with realtime.user("ana") as ana:
        await ana.send("ack", positions={"user": 10, "all": 10, "group:none": 3})
        await ana.settle()
        new = await store.sends.send("demo", [notification("new", users=["ana"])])
        await receive(ana, 1)
        await eventually(lambda: delivered(store, new.ids[0]), 1)
    assert await delivered(store, old.ids[0]) == 0
