"""Endpoints that fail: when a delivery is tried again, when an endpoint is disabled, and who has to wait."""

import asyncio
from functools import partial
from itertools import pairwise

import pytest
from msgspec import structs

from tests.support.answers import FAILURE, Gigabyte, garbage, never, redirect
from tests.support.receivers import NOTHING, Received, Receiver, receiving, status
from tests.webhooks.conftest import TENANT, Service
from tidings_workers.registry import Registry
from tidings_workers.store.webhooks import Listed
from tidings_workers.webhook_endpoints import Webhook
from tidings_workers.webhooks import schedule
from tidings_workers.webhooks.schedule import DELAYS, JITTER, next_try, wait_of

HOUR = 3600


async def disabled(service: Service, reason: str) -> None:
    """Wait until the only endpoint is disabled for this reason."""
    async with asyncio.timeout(30):
        while True:
            record = await Registry(service.store.redis).tenant(TENANT)
            assert record is not None
            if not record.webhooks[0].enabled:
                assert record.webhooks[0].disabled_reason == reason
                return
            await asyncio.sleep(0.05)


async def test_the_times_of_retries(service: Service, receiver: Receiver) -> None:
    """A delivery is tried ten times at the right times, across restarts, with one id; then it is failed."""
    webhook = await service.create(receiver)
    receiver.answer = FAILURE
    await service.write("ana")
    for tries, delay in enumerate(DELAYS, start=1):
        async with service.delivering():
            [listed] = await service.until(webhook, "pending", partial(_tried, tries))
            wait = listed.time - listed.delivery.attempts[-1].at
            assert 1000 * delay <= wait <= 1000 * delay * (1 + JITTER) + 1000
        service.clock.ahead += max(0, listed.time - service.clock())
    async with service.delivering():
        [listed] = await service.until(webhook, "failed", bool)
    attempts = listed.delivery.attempts
    assert len(attempts) == len(DELAYS) + 1
    assert {attempt.status for attempt in attempts} == {500}
    for delay, (first, second) in zip(DELAYS, pairwise(attempts), strict=True):
        assert second.at - first.at >= 1000 * delay
    assert receiver.ids == [listed.id] * len(attempts)


def _tried(tries: int, found: list[Listed]) -> bool:
    """Whether the delivery was tried so often, and the time of the next try is listed too."""
    return (
        bool(found) and found[0].delivery.tries == tries and found[0].time > found[0].delivery.attempts[-1].at
    )


def test_the_schedule() -> None:
    """The delays rise by the published table, a tenth longer at most, and the tenth failure is the last."""
    for tries, delay in enumerate(DELAYS, start=1):
        assert next_try(tries, 0, "", lambda: 0.0) == 1000 * delay
        assert next_try(tries, 0, "", lambda: 1.0) == int(1000 * delay * (1 + JITTER))
    assert next_try(len(DELAYS) + 1, 0, "", lambda: 0.0) is None
    assert all(first < second for first, second in pairwise(DELAYS))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("", 0),
        ("soon", 0),
        ("-5", 0),
        ("9" * 4000, 24 * HOUR),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 120),
        ("Thu, 01 Jan 2970 00:00:00 GMT", 24 * HOUR),
        ("\u0663", 0),
    ],
)
def test_retry_after(header: str, seconds: float) -> None:
    """Retry-After is seconds or a date, at most a day; any other text counts as absent."""
    assert wait_of(header, 0) == seconds


async def test_retry_after_counts(service: Service, receiver: Receiver) -> None:
    """An endpoint that asks for a longer wait gets it."""
    webhook = await service.create(receiver)
    receiver.answer = status("429 Too Many Requests", retry_after="600")
    async with service.delivering():
        await service.write("ana")
        [listed] = await service.until(webhook, "pending", bool)
    assert listed.time - listed.delivery.attempts[0].at >= 600_000


async def test_a_failed_event_does_not_stop_the_others(service: Service, receiver: Receiver) -> None:
    """Other events are delivered while one fails, and the failed one is delivered by its retry."""
    webhook = await service.create(receiver)

    async def answer(request: Received, writer: asyncio.StreamWriter) -> bytes:
        return FAILURE if request.event["data"]["data"] == 1 and len(receiver.received) < 10 else NOTHING

    receiver.answer = answer
    async with service.delivering():
        for number in range(10):
            await service.write("ana", number)
        await service.until(webhook, "succeeded", lambda found: len(found) == 9)
        service.clock.advance(6)
        await service.until(webhook, "succeeded", lambda found: len(found) == 10)
    assert len(receiver.ids) == 11
    assert receiver.ids[10] == receiver.ids[1]


async def test_gone(service: Service, receiver: Receiver) -> None:
    """410 disables the endpoint, which is an event; enabled again it gets what it has not got."""
    webhook = await service.create(receiver, "message.received")
    receiver.answer = status("410 Gone")
    async with receiving() as other, service.delivering():
        watcher = await service.create(other, "webhook.disabled")
        await service.write("ana")
        await other.count(1)
        assert other.received[0].event["data"] == {
            "webhook": webhook.id,
            "url": webhook.url,
            "reason": "gone",
        }
        await disabled(service, "gone")
        assert (await service.changes.get(watcher.id)).enabled
        receiver.answer = NOTHING

        def enable(each: Webhook) -> Webhook:
            return structs.replace(each, enabled=True, disabled_reason=None, disabled_at=0)

        await service.changes.update(webhook.id, enable)
        service.clock.advance(6)
        await service.until(webhook, "succeeded", bool)
    assert len(set(receiver.ids)) == 1


async def test_five_days_of_failures(service: Service, receiver: Receiver) -> None:
    """An endpoint whose tries fail for five days is disabled; after four days it is not."""
    webhook = await service.create(receiver)
    receiver.answer = FAILURE
    async with service.delivering():
        await service.write("ana")
        await service.until(webhook, "pending", bool)
        service.clock.advance(4 * 24 * HOUR)
        await service.write("bob")
        await service.until(webhook, "pending", lambda found: len(found) == 2)
        [record] = await service.changes.all()
        assert record.enabled
        service.clock.advance(24 * HOUR + 60)
        await service.write("eve")
        await disabled(service, "failing")


async def test_a_success_between_failures(service: Service, receiver: Receiver) -> None:
    """The five days begin again after a success."""
    webhook = await service.create(receiver)
    receiver.answer = FAILURE
    async with service.delivering():
        await service.write("ana")
        await service.until(webhook, "pending", bool)
        receiver.answer = NOTHING
        service.clock.advance(6 * 24 * HOUR)
        await service.until(webhook, "succeeded", bool)
        receiver.answer = FAILURE
        await service.write("bob")
        await service.until(webhook, "pending", bool)
        assert (await service.changes.get(webhook.id)).enabled
    assert not schedule.is_dead(0, 10**15)


@pytest.mark.parametrize("answer", [Gigabyte(), redirect, garbage], ids=["gigabyte", "redirect", "garbage"])
async def test_hostile_answers(service: Service, receiver: Receiver, answer: object) -> None:
    """A gigabyte, a redirect and garbage are failures, and no part of the answer is stored."""
    webhook = await service.create(receiver)
    receiver.answer = answer  # type: ignore[assignment]
    async with service.delivering():
        await service.write("ana")
        [listed] = await service.until(webhook, "pending", bool)
    [attempt] = listed.delivery.attempts
    assert attempt.error
    assert "127.0.0.1" not in attempt.error


async def test_a_dead_endpoint_delays_no_other(service: Service, receiver: Receiver) -> None:
    """While endpoints of the same tenant never answer, another one gets its events."""
    async with receiving() as dead, service.delivering():
        dead.answer = never
        for _ in range(20):
            await service.create(dead)
        await service.create(receiver)
        for number in range(300):
            await service.write(f"u{number % 50}", number)
        # Each request to the dead ones takes ten seconds, so all of this happens during the first ones.
        await receiver.count(300, 60)
        assert len(set(receiver.ids)) == 300
    assert len(dead.received) < 20 * 300
