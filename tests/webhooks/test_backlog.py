"""Many deliveries of one endpoint: a backlog, a replay, and one slow answer delay nothing without need."""

import asyncio
from collections import Counter
from collections.abc import Callable

from tests.support.answers import FAILURE
from tests.support.receivers import NOTHING, Received, Receiver
from tests.webhooks.conftest import TENANT, Service
from tidings_workers.store.event_items import Event, body_of
from tidings_workers.store.webhooks import Attempt, Delivery, Listed, Replay, State, outcome
from tidings_workers.webhook_endpoints import Webhook
from tidings_workers.webhooks.lane import EVENTS, PENDING, REPLAYED
from tidings_workers.webhooks.requests import CONNECTIONS

USERS = 10
ALL: frozenset[str] = frozenset()


async def write(service: Service, count: int) -> list[Event]:
    """Write events about ten users, and return them."""
    for number in range(count):
        await service.write(f"u{number % USERS}", number)
    batch = await service.store.events.read(TENANT, None, ALL, 10 * count)
    assert len(batch.events) == count
    return batch.events


async def state_of(service: Service, webhook: Webhook) -> State:
    """The state of an endpoint."""
    state = await service.store.webhooks.state(TENANT, webhook.id, 0, 1)
    assert state is not None
    return state


async def until(service: Service, webhook: Webhook, holds: Callable[[State], bool]) -> None:
    """Wait until the state of an endpoint is as it has to be."""
    async with asyncio.timeout(30):
        while True:
            if holds(await state_of(service, webhook)):
                return
            await asyncio.sleep(0.02)


async def fail(service: Service, webhook: Webhook, count: int) -> None:
    """Store the outcomes of so many events of an endpoint that has been dead for a while."""
    state, now = await state_of(service, webhook), service.clock()
    batch = await service.store.events.read(TENANT, state.positions, ALL, count)
    attempt = Attempt(now, 0.0, 500, "status 500")
    items = [
        # The later ones are tried first, so that only the order of the events puts them in order.
        outcome(
            each.id,
            "pending",
            now + 3_600_000 - number,
            Delivery(each.type, each.at, each.user or "", 1, [attempt]),
            body_of(each),
        )
        for number, each in enumerate(batch.events)
    ]
    await service.store.webhooks.commit(TENANT, webhook.id, now, items, positions=batch.positions, answers=-1)


async def pages(service: Service, webhook: Webhook) -> list[Listed]:
    """All deliveries, page by page."""
    found, cursor = list[Listed](), None
    while True:
        page = await service.store.webhooks.page(TENANT, webhook.id, None, 40, cursor)
        found += page.items
        cursor = page.next
        if cursor is None:
            return found


def in_order(receiver: Receiver, first: int = 0) -> bool:
    """Whether the events of each user arrived in the order in which they were written."""
    last: Counter[str] = Counter()
    for each in receiver.received[first:]:
        data = each.event["data"]
        if data["data"] < last[data["user"]]:
            return False
        last[data["user"]] = data["data"]
    return True


async def test_an_endpoint_returns_to_a_backlog(service: Service, receiver: Receiver) -> None:
    """All pending deliveries and the events behind them arrive in order per user, with their ids."""
    webhook = await service.create(receiver)
    events = await write(service, PENDING + 80)
    await fail(service, webhook, PENDING + 20)
    receiver.answer = FAILURE
    oldest = min(events, key=lambda each: (each.at, each.id))
    async with service.delivering():
        # It is tried although the time of no delivery has come, and it reads no further events.
        await receiver.count(1)
        assert (await state_of(service, webhook)).pending == PENDING + 20
        listed = await pages(service, webhook)
        assert len({each.id for each in listed}) == len(listed) == PENDING + 20
        assert {each.status for each in listed} == {"pending"}
        tried = len(receiver.received)
        receiver.answer = NOTHING
        assert await service.store.webhooks.retry(TENANT, webhook.id, oldest.id, 0) == "due"
        # One success is enough: the others need not wait for their times.
        await receiver.until(lambda own: len(own.received) >= tried + len(events) // 2, 60)
        listed = await pages(service, webhook)
        assert len({each.id for each in listed}) == len(listed)
        await receiver.until(lambda own: set(own.ids[tried:]) == {each.id for each in events}, 60)
        await service.until(webhook, "pending", lambda found: not found)
    assert in_order(receiver, tried)
    assert len(receiver.ids[tried:]) == len(events)


async def test_a_replay_does_not_stop_new_events(service: Service, receiver: Receiver) -> None:
    """While events of a replay get no answer, a new event arrives; then the replay goes on in order."""
    count = 4 * REPLAYED
    webhook = await service.create(receiver)
    arrived, unanswered = asyncio.Event(), 0

    async def answer(request: Received, writer: asyncio.StreamWriter) -> bytes:
        nonlocal unanswered
        if request.event["data"]["user"] == "new":
            arrived.set()
        elif len(receiver.received) > count + REPLAYED and unanswered < CONNECTIONS // 2:
            unanswered += 1
            await arrived.wait()
        return NOTHING

    receiver.answer = answer
    async with service.delivering():
        await write(service, count)
        await receiver.count(count)
        ends = await service.store.events.heads(TENANT)
        assert await service.store.webhooks.replay(
            TENANT, webhook.id, Replay(0, service.clock(), ends, None), "token"
        )
        await receiver.until(lambda _: unanswered > 0)
        await service.write("new", count)
        # The requests without an answer take less time than ten seconds.
        async with asyncio.timeout(8):
            await arrived.wait()
        assert (await state_of(service, webhook)).replay is not None
        await receiver.count(2 * count + 1)
        await until(service, webhook, lambda state: state.replay is None)
    assert set(Counter(receiver.ids).values()) == {1, 2}
    assert in_order(receiver, count)


async def test_a_slow_answer_delays_its_user_alone(service: Service, receiver: Receiver) -> None:
    """Events of others arrive, more than are read together; the position waits for the answer."""
    webhook = await service.create(receiver)
    count = 2 * EVENTS + 50
    release = asyncio.Event()

    async def answer(request: Received, writer: asyncio.StreamWriter) -> bytes | None:
        if request.event["data"]["user"] == "u0":
            await release.wait()
        return NOTHING

    receiver.answer = answer
    events = await write(service, count)
    before = await state_of(service, webhook)
    others = {each.id for each in events if each.user != "u0"}
    async with service.delivering():
        await receiver.until(lambda own: others < set(own.ids), 9)
        await service.until(webhook, "succeeded", lambda found: len(found) == 200)
        assert len(receiver.ids) == len(others) + 1
    # The deliverer was stopped during the request: it is sent again, and those with an outcome are not.
    assert (await state_of(service, webhook)).positions == before.positions
    release.set()
    async with service.delivering():
        await receiver.count(count + 1)
        heads = await service.store.events.heads(TENANT)
        await until(service, webhook, lambda state: state.positions == heads)
    repeated = [each for each, times in Counter(receiver.ids).items() if times > 1]
    assert repeated == [next(each.id for each in events if each.user == "u0")]
    assert in_order(receiver)


async def test_an_endpoint_with_slow_answers_is_stopped_often(service: Service, receiver: Receiver) -> None:
    """Stopped at any moment and started again, it loses no event, and the first requests are in order."""
    webhook = await service.create(receiver)

    async def answer(request: Received, writer: asyncio.StreamWriter) -> bytes:
        await asyncio.sleep(0.02 if request.event["data"]["user"] == "u0" else 0)
        return NOTHING

    receiver.answer = answer
    events = await write(service, 2 * EVENTS)
    for number in range(6):
        async with service.delivering():
            await receiver.count(len(receiver.received) + 5 + 3 * number)
    async with service.delivering():
        await receiver.until(lambda own: len(set(own.ids)) == len(events))
        await service.until(webhook, "succeeded", lambda found: len(found) == len(events))
    seen = list(dict.fromkeys(receiver.ids))
    for user in {each.user for each in events}:
        own = [each.id for each in events if each.user == user]
        assert [each for each in seen if each in set(own)] == own
