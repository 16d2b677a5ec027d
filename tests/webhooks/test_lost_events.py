"""Events that the store removed before an endpoint got them."""

import asyncio

from tests.support.answers import FAILURE
from tests.support.receivers import NOTHING, Receiver
from tests.webhooks.conftest import TENANT, Service
from tidings_workers.store.event_items import Event

ALL: frozenset[str] = frozenset()


async def lose(service: Service, count: int) -> None:
    """Write events about ten users, and remove all streams, as if they were too old."""
    for number in range(count):
        await service.write(f"u{number % 10}", number)
    async for key in service.store.redis.scan_iter(f"*/event-log/{TENANT}"):
        await service.store.redis.delete(key)


async def notice(service: Service, after: dict[int, int]) -> Event:
    """The notice of a read."""
    batch = await service.store.events.read(TENANT, after, ALL, 100)
    assert batch.events[0].type == "events_lost"
    return batch.events[0]


async def test_the_id_of_a_notice(service: Service, receiver: Receiver) -> None:
    """A notice of the same numbers has the same id, another one has another id."""
    await service.create(receiver)
    after = await service.store.events.heads(TENANT)
    await lose(service, 30)
    first = await notice(service, after)
    await asyncio.sleep(0.005)
    again = await notice(service, after)
    assert (again.id, again.data) == (first.id, b'{"count":30}')
    await lose(service, 1)
    more = await notice(service, after)
    assert more.data == b'{"count":31}'
    assert more.id != first.id


async def test_a_notice_is_delivered(service: Service, receiver: Receiver) -> None:
    """An endpoint gets one notice with the number of lost events, with one id on all tries and restarts."""
    webhook = await service.create(receiver)
    await lose(service, 30)
    receiver.answer = FAILURE
    async with service.delivering():
        await service.until(webhook, "pending", bool)
    state = await service.store.webhooks.state(TENANT, webhook.id, 0, 1)
    assert state is not None
    receiver.answer = NOTHING
    # As after a crash between the outcome and the position.
    await service.store.webhooks.commit(
        TENANT, webhook.id, service.clock(), positions=dict.fromkeys(state.positions, 0)
    )
    service.clock.advance(6)
    async with service.delivering():
        await service.until(webhook, "succeeded", bool)
        await service.write("ana", 7)
        await service.until(webhook, "succeeded", lambda found: len(found) == 2)
    notices = [each for each in receiver.received if each.event["type"] == "events_lost"]
    assert [each.event["data"] for each in notices] == [{"count": 30}, {"count": 30}]
    assert len({each.id for each in notices}) == 1
    assert len(receiver.received) == 3
