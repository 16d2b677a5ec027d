"""Reading events: by position, by consumers that share, and after events were removed."""

import asyncio
from collections.abc import Sequence

import msgspec

from tests.support.happenings import ALL
from tests.support.sending import notification
from tidings.protocol.frames import Mark
from tidings_workers.config import Settings
from tidings_workers.store import Store, TooManyConsumers
from tidings_workers.store.event_items import Event, EventBatch
from tidings_workers.store.packing import text

MESSAGES = frozenset({"message.received"})


async def write(
    store: Store, count: int, start: int = 0, kind: str = "message.received", size: int = 0
) -> None:
    """Write events whose data have a number, for ten users."""
    await asyncio.gather(
        *(
            store.events.append(
                "demo",
                f"u{number % 10}",
                kind,
                b'{"user":"u%d","n":%d,"x":"%s"}' % (number % 10, number, b"x" * size),
            )
            for number in range(start, start + count)
        )
    )


def numbers(events: Sequence[Event]) -> list[int]:
    """The numbers in the data of events."""
    return [msgspec.json.decode(event.data)["n"] for event in events]


async def read_all(store: Store, limit: int) -> list[Event]:
    """Everything, in answers of at most `limit` events."""
    found, after = [], None
    while True:
        batch = await store.events.read("demo", after, frozenset(), limit)
        assert len(batch.events) <= limit
        found += batch.events
        if not batch.more:
            return found
        after = batch.positions


async def test_every_event_is_read_once_in_order(store: Store) -> None:
    """With every limit each event is read once; those of a user are in order, with ids that do not change."""
    await store.events.want("demo", "reader", ALL)
    await write(store, 200)
    ids = None
    for limit in (1, 7, 200, 1000):
        found = await read_all(store, limit)
        assert sorted(numbers(found)) == list(range(200))
        for user in range(10):
            own = [number for number in numbers(found) if number % 10 == user]
            assert own == sorted(own)
        assert ids is None or {event.id for event in found} == ids
        ids = {event.id for event in found}
        assert len(ids) == 200


async def test_a_mark_of_many_is_read_in_parts(store: Store) -> None:
    """One mark of hundreds of shared notifications is read in any parts, and as claims of any size."""
    ids = []
    for _ in range(3):
        sent = await store.sends.send("demo", [notification("all", to_all=True) for _ in range(100)])
        ids += sent.ids
    await store.sends.recall("demo", ids[150])
    await store.events.want("demo", "reader", ["notification.seen"])
    await store.marks.mark("demo", "ana", Mark(state="seen", all=True))
    expected = sorted(set(ids) - {ids[150]})
    for limit in (1, 40, 1000):
        found = await read_all(store, limit)
        assert sorted(msgspec.json.decode(event.data)["notification"] for event in found) == expected
    claimed: list[Event] = []
    while batch := (await store.events.claim("demo", "c", frozenset(), 70)).events:
        assert len(batch) <= 70
        claimed += batch
    assert sorted(msgspec.json.decode(event.data)["notification"] for event in claimed) == expected
    assert await store.events.acknowledge("demo", "c", [event.id for event in claimed]) == 299
    assert await held(store, "c") == 0


def claims(partition: int, consumer: str) -> str:
    """The key of what a consumer holds in a partition."""
    return f"{{p{partition}}}/event-log/demo/held/{consumer}"


async def held(store: Store, consumer: str) -> int:
    """How many events a consumer holds."""
    counts = [await store.redis.zcard(claims(partition, consumer)) for partition in range(store.partitions)]
    return sum(counts)


async def hand_out_again(store: Store, consumer: str) -> None:
    """Let the time of every claim be over."""
    for partition in range(store.partitions):
        key = claims(partition, consumer)
        for number in await store.redis.zrange(key, 0, -1):
            await store.redis.zadd(key, {text(number): 1})


async def test_readers_of_one_consumer_share(store: Store) -> None:
    """Concurrent claims of one consumer never hold the same event; another consumer gets all of them too."""
    await store.events.want("demo", "consumer/w", ALL)
    await write(store, 300)
    batches = await asyncio.gather(*(store.events.claim("demo", "w", frozenset(), 50) for _ in range(12)))
    rest = await store.events.claim("demo", "w", frozenset(), 1000)
    found = [number for batch in (*batches, rest) for number in numbers(batch.events)]
    assert sorted(found) == list(range(300))
    assert all(len(batch.events) <= 50 for batch in batches)
    other = await store.events.claim("demo", "v", frozenset(), 1000)
    assert sorted(numbers(other.events)) == list(range(300))


async def test_what_is_not_acknowledged_is_handed_out_again(store: Store) -> None:
    """After its time an event goes to another reader, before newer ones; an acknowledged one never does."""
    await store.events.want("demo", "consumer/w", ALL)
    await write(store, 20)
    first = (await store.events.claim("demo", "w", frozenset(), 1000)).events
    ids = {number: event.id for number, event in zip(numbers(first), first, strict=True)}
    assert await store.events.acknowledge("demo", "w", [ids[number] for number in range(15)]) == 15
    assert (
        await store.events.acknowledge("demo", "w", [ids[0], "evt_0_0_999", "evt_1_3ff_1", "nonsense"]) == 0
    )
    assert (await store.events.claim("demo", "w", frozenset(), 1000)).events == []
    await hand_out_again(store, "w")
    await write(store, 30, start=20)
    again = await store.events.claim("demo", "w", frozenset(), 1000)
    assert sorted(numbers(again.events)) == list(range(15, 50))
    assert {event.id for event in again.events} >= {ids[number] for number in range(15, 20)}
    await store.events.acknowledge("demo", "w", [event.id for event in again.events])
    await hand_out_again(store, "w")
    assert (await store.events.claim("demo", "w", frozenset(), 1000)).events == []


async def test_types_are_filtered(store: Store) -> None:
    """A filter passes over other types, also thousands of them, and holds none of these for a consumer."""
    await store.events.want("demo", "reader", ALL)
    await write(store, 3000, kind="user.online")
    await write(store, 3, start=3000)
    batch = await store.events.read("demo", None, MESSAGES, 500)
    assert sorted(numbers(batch.events)) == [3000, 3001, 3002]
    batch = await store.events.claim("demo", "w", MESSAGES, 500)
    assert sorted(numbers(batch.events)) == [3000, 3001, 3002]
    assert await held(store, "w") == 3


async def test_a_full_stream_says_how_many_are_lost(settings: Settings) -> None:
    """The stream stays within its bytes; a late reader gets the count of the lost events, once."""
    store = await Store.open(msgspec.structs.replace(settings, events_bytes=1_048_576), name="test")
    try:
        await store.events.want("demo", "reader", ALL)
        start = await store.events.heads("demo")
        claimed = (await store.events.claim("demo", "w", frozenset(), 10)).events
        assert claimed == []
        await write(store, 1)
        assert len((await store.events.claim("demo", "w", frozenset(), 10)).events) == 1
        for round_number in range(20):
            await write(store, 100, start=1 + 100 * round_number, size=1000)
        lengths = [
            await store.redis.memory_usage(key) or 0
            async for key in store.redis.scan_iter("*/event-log/demo")
        ]
        assert sum(lengths) < 2 * 1_048_576
        found: list[Event] = []
        after = start
        while True:
            batch = await store.events.read("demo", after, frozenset(), 1000)
            found += batch.events
            after = batch.positions
            if not batch.more:
                break
        notices = [event for event in found if event.type == "events_lost"]
        rest = [event for event in found if event.type != "events_lost"]
        gone = sum(msgspec.json.decode(event.data)["count"] for event in notices)
        assert gone > 0
        assert gone + len(rest) == 2001
        assert found[0] == notices[0]
        again = await store.events.read("demo", after, frozenset(), 1000)
        assert again.events == []
        # From the first kept event on, nothing is missing.
        assert all(event.type != "events_lost" for event in await read_all(store, 1000))
        taken: list[Event] = []
        await hand_out_again(store, "w")
        while claimed := (await store.events.claim("demo", "w", frozenset(), 500)).events:
            taken += claimed
        counts = [msgspec.json.decode(event.data)["count"] for event in taken if event.type == "events_lost"]
        # The event that was held and not acknowledged is lost too.
        assert sum(counts) + len([event for event in taken if event.type != "events_lost"]) == 2001
    finally:
        await store.close()


def lost(batch: EventBatch) -> tuple[int, set[str]]:
    """How many events the notices of an answer count, and their ids."""
    notices = [event for event in batch.events if event.type == "events_lost"]
    assert batch.events[: len(notices)] == notices
    return sum(msgspec.json.decode(event.data)["count"] for event in notices), {each.id for each in notices}


async def test_a_notice_is_handed_out_until_it_is_acknowledged(store: Store) -> None:
    """A reader that is killed with a notice does not lose it; the count of later ones is added."""

    async def lose(count: int) -> None:
        await write(store, count)
        async for key in store.redis.scan_iter("*/event-log/demo"):
            await store.redis.delete(key)

    async def claim(limit: int = 1000) -> EventBatch:
        batch = await store.events.claim("demo", "w", frozenset(), limit)
        assert len(batch.events) <= limit
        return batch

    await store.events.want("demo", "consumer/w", ALL)
    await claim()
    await lose(40)
    count, ids = lost(await claim())
    assert count == 40
    assert (await claim()).events == []
    await hand_out_again(store, "w")
    assert lost(await claim()) == (40, ids)
    await lose(30)
    await hand_out_again(store, "w")
    count, more = lost(await claim())
    assert count == 70
    assert not more & ids
    assert await store.events.acknowledge("demo", "w", ids) == 0
    assert await store.events.acknowledge("demo", "w", more) == len(more)
    assert await held(store, "w") == 0
    # Each answer has one notice of one partition, until the count is complete.
    await lose(50)
    count, seen = 0, set[str]()
    while (batch := await claim(1)).events:
        part, own = lost(batch)
        count, seen = count + part, seen | own
    assert count == 50
    await hand_out_again(store, "w")
    await write(store, 20)
    again = await claim()
    assert lost(again) == (50, seen)
    assert len(numbers(again.events[len(seen) :])) == 20


async def test_an_expired_stream_says_how_many_are_lost(store: Store) -> None:
    """When all events of a stream are gone, a reader behind gets their count, and later ones follow."""
    await store.events.want("demo", "reader", ALL)
    start = await store.events.heads("demo")
    await write(store, 40)
    async for key in store.redis.scan_iter("*/event-log/demo"):
        await store.redis.delete(key)
    batch = await store.events.read("demo", start, frozenset(), 500)
    assert [(event.type, event.data) for event in batch.events] == [("events_lost", b'{"count":40}')]
    await write(store, 10, start=40)
    batch = await store.events.read("demo", batch.positions, frozenset(), 500)
    assert sorted(numbers(batch.events)) == list(range(40, 50))


async def test_tenants_are_apart(store: Store) -> None:
    """A tenant reads, claims and acknowledges its own events only."""
    for tenant in ("demo", "other"):
        await store.events.want(tenant, "reader", ALL)
        await store.events.append(tenant, "ana", "user.online", b'{"user":"%s"}' % tenant.encode())
    for tenant in ("demo", "other"):
        batch = await store.events.read(tenant, None, frozenset(), 500)
        assert [event.user for event in batch.events] == [tenant]
    (held_event,) = (await store.events.claim("demo", "w", frozenset(), 500)).events
    await store.events.claim("other", "w", frozenset(), 500)
    await store.events.acknowledge("other", "w", [held_event.id])
    assert await held(store, "w") == 1


async def test_a_wait_ends_with_an_event(store: Store) -> None:
    """A waiting reader is woken by an event of its tenant alone; without one it waits for its time."""
    for tenant in ("demo", "other"):
        await store.events.want(tenant, "reader", ALL)
    heads = await store.events.heads("demo")
    waiting = asyncio.ensure_future(store.events.wait("demo", heads, 600))
    await store.events.append("other", "ana", "user.online", b"{}")
    await store.events.wait("demo", heads, 0.5)
    assert not waiting.done()
    await store.events.append("demo", "ana", "user.online", b"{}")
    await waiting


async def test_a_lost_wish_is_renewed(store: Store) -> None:
    """A store that lost the wish of a reader gets it again with the next reading."""
    await store.events.renew("demo", "reader", MESSAGES)
    async for key in store.redis.scan_iter("*/interest"):
        await store.redis.delete(key)
    assert not await store.events.append("demo", "ana", "message.received", b"{}")
    await store.sends.send("demo", [notification("one", users=["ana"])])
    await store.events.want("demo", "sink/x", ["user.online"])
    await write(store, 40, kind="user.online")
    async for key in store.redis.scan_iter("*/wishes/demo"):
        await store.redis.delete(key)
    await store.events.want("demo", "sink/x", ["user.online"])
    assert not await store.events.append("demo", "ana", "message.received", b"{}")
    await store.events.read("demo", None, MESSAGES, 10)
    assert await store.events.append("demo", "ana", "message.received", b"{}")


async def test_the_number_of_consumers_is_limited(store: Store) -> None:
    """The hundred and first consumer of a tenant is refused, and those there are go on."""
    for number in range(100):
        await store.events.want("demo", f"consumer/{number}", MESSAGES, 600)
    refused = await asyncio.gather(
        store.events.want("demo", "consumer/more", MESSAGES, 600), return_exceptions=True
    )
    assert isinstance(refused[0], TooManyConsumers)
    await store.events.want("demo", "consumer/7", MESSAGES, 600)
    await store.events.want("demo", "webhooks", MESSAGES)
