"""Events reach endpoints: signed, in order per user, filtered, and once where nothing fails."""

import asyncio
import time

import pytest
from standardwebhooks import Webhook as Library

from tests.support.receivers import Receiver, receiving, status
from tests.webhooks.conftest import Service
from tidings import verify_webhook
from tidings_workers.egress.addresses import Networks
from tidings_workers.webhooks.lane import AHEAD


async def test_an_event_arrives(service: Service, receiver: Receiver) -> None:
    """An event arrives with its id, signed so that the reference library and the SDK accept it."""
    webhook = await service.create(receiver)
    async with service.delivering():
        await service.write("ana", 7)
        await receiver.count(1)
        [delivery] = await service.until(webhook, "succeeded", bool)
    [request] = receiver.received
    Library(webhook.secret).verify(request.body, request.headers)
    assert verify_webhook(request.headers, request.body, webhook.secret) == request.event
    assert request.event["type"] == "message.received"
    assert request.event["data"] == {"user": "ana", "event": "test", "data": 7}
    assert request.id == delivery.id
    assert [attempt.status for attempt in delivery.delivery.attempts] == [204]
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 60


async def test_only_its_types(service: Service, receiver: Receiver) -> None:
    """An endpoint gets the events that match its patterns, and no others."""
    async with receiving() as other, service.delivering():
        await service.create(receiver, "user.*")
        await service.create(other, "message.received")
        await service.write("ana")
        await service.store.events.append("demo", "ana", "user.online", b'{"user":"ana"}')
        await other.count(1)
        await receiver.count(1)
        assert [each.event["type"] for each in receiver.received] == ["user.online"]
        assert [each.event["type"] for each in other.received] == ["message.received"]


async def test_order_per_user(service: Service, receiver: Receiver) -> None:
    """The events of each user arrive in order, once, also when there are more than are read ahead."""
    await service.create(receiver)
    users = [f"u{number}" for number in range(10)]
    rounds = 2 * AHEAD // len(users) + 5
    for number in range(rounds):
        for user in users:
            await service.write(user, number)

    async def answer(request: object, writer: asyncio.StreamWriter) -> bytes:
        await asyncio.sleep(0.001 * (len(receiver.received) % 7))
        return status("200 OK")

    receiver.answer = answer
    async with service.delivering():
        await receiver.count(rounds * len(users))
    assert len(set(receiver.ids)) == len(receiver.ids)
    for user in users:
        data = [each.event["data"] for each in receiver.received]
        assert [each["data"] for each in data if each["user"] == user] == list(range(rounds))


async def test_nothing_is_sent_twice_after_a_restart(service: Service, receiver: Receiver) -> None:
    """A deliverer that starts again sends new events only."""
    webhook = await service.create(receiver)
    for number in range(20):
        async with service.delivering():
            await service.write("ana", number)
            await service.until(webhook, "succeeded", lambda found, least=number: len(found) > least)  # type: ignore[misc]
    assert [each.event["data"]["data"] for each in receiver.received] == list(range(20))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1"])
async def test_the_own_network(service: Service, receiver: Receiver, host: str) -> None:
    """A URL that resolves to a loopback address is not called, and the attempt has no address."""
    networks: Networks = ()
    webhook = await service.create(receiver.url.replace("127.0.0.1", host))
    async with service.delivering(networks):
        await service.write("ana")
        [delivery] = await service.until(webhook, "pending", bool)
    assert receiver.received == []
    [attempt] = delivery.delivery.attempts
    assert attempt.status == 0
    assert "127" not in attempt.error


async def test_rotation(service: Service, receiver: Receiver) -> None:
    """After a rotation both secrets sign for a day, and then the new one alone."""
    webhook = await service.create(receiver)
    rotated = await service.changes.rotate(webhook.id)
    assert rotated.secret != webhook.secret
    async with service.delivering():
        await service.write("ana")
        await receiver.count(1)
        service.clock.advance(24 * 3600 + 60)
        await service.write("ana")
        await receiver.count(2)
    first, second = receiver.received
    assert len(first.headers["webhook-signature"].split(" ")) == 2
    for secret in (webhook.secret, rotated.secret):
        Library(secret).verify(first.body, first.headers)
    assert len(second.headers["webhook-signature"].split(" ")) == 1
    verify_webhook(second.headers, second.body, rotated.secret, tolerance=2 * 24 * 3600)


async def test_replay(service: Service, receiver: Receiver) -> None:
    """A replay delivers the events between two times again, with the same ids, and no others."""
    from tidings_workers.store.webhooks import Replay

    webhook = await service.create(receiver)
    async with service.delivering():
        for number in range(3):
            await service.write(f"u{number}", number)
            await receiver.count(number + 1)
            await asyncio.sleep(0.005)
        middle = next(
            each
            for each in await service.until(webhook, "succeeded", lambda found: len(found) == 3)
            if each.id == receiver.ids[1]
        ).delivery.at
        ends = await service.store.events.heads("demo")
        assert await service.store.webhooks.replay(
            "demo", webhook.id, Replay(middle, middle, ends, None), "token"
        )
        await receiver.count(4)
        await service.write("later", 9)
        await receiver.count(5)
    assert receiver.ids[3] == receiver.ids[1]
    assert receiver.received[4].event["data"]["user"] == "later"
    state = await service.store.webhooks.state("demo", webhook.id, 0, 1)
    assert state is not None
    assert state.replay is None


async def test_a_deleted_endpoint(service: Service, receiver: Receiver) -> None:
    """A deleted endpoint gets nothing more, and leaves no key."""
    webhook = await service.create(receiver)
    async with service.delivering():
        await service.write("ana")
        await receiver.count(1)
        await service.changes.delete(webhook.id)
        await service.changes.delete(webhook.id)
    keys = [key async for key in service.store.redis.scan_iter(match=f"*{webhook.id}*")]
    assert keys == []
    assert not await service.store.events.append("demo", "ana", "message.received", b"{}")
