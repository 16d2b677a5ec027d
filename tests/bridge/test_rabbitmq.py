"""Queues of RabbitMQ as sources."""

import json
import uuid
from collections.abc import Sequence

import pytest

from tests.bridge.queues import Queues
from tests.bridge.support import Bridges, arrive, notification, rabbitmq_source, titles
from tests.support.brokers import Rabbitmq
from tidings.protocol import limits
from tidings_workers.bridge import accepting
from tidings_workers.bridge.messages import Request
from tidings_workers.refused import Refused
from tidings_workers.registry import Registry
from tidings_workers.store import Store


@pytest.fixture
def name() -> str:
    """A queue of this test."""
    return f"q{uuid.uuid4().hex[:8]}"


async def test_a_message_is_a_notification(
    rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str
) -> None:
    """A message becomes a notification, a list becomes several, and the queue is empty afterwards."""
    async with Queues.of(rabbitmq, name) as queues:
        await bridges.start(rabbitmq_source(rabbitmq, name))
        await queues.publish(name, notification(1))
        several = b"[" + b",".join(map(notification, (2, 3))) + b"]"
        await queues.publish(name, several)
        await queues.publish(name, b"[]")
        await arrive(store, ["1", "2", "3"])
        await bridges.stop()
        assert await queues.waiting(name) == 0


async def test_data_with_headers(rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str) -> None:
    """With the format `data` the body is the data, and headers have the target and the texts."""
    async with Queues.of(rabbitmq, name) as queues:
        await bridges.start(rabbitmq_source(rabbitmq, name, format="data"))
        headers = {"tidings_to_users": "ana, bob", "tidings_title": "1", "tidings_category": "orders"}
        await queues.publish(name, b'{"order": 4711}', **headers)
        await arrive(store, ["1"])
        await arrive(store, ["1"], "bob")


async def test_a_repeated_message_is_one_notification(
    rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str
) -> None:
    """Messages with the same `message_id`, or the same Idempotency-Key, become one notification."""
    async with Queues.of(rabbitmq, name) as queues:
        await bridges.start(rabbitmq_source(rabbitmq, name))
        for _ in range(3):
            await queues.publish(name, notification(1), "one")
            await queues.publish(name, notification(2), Idempotency_Key='"two"')
            await queues.publish(name, notification(3), "\N{SNOWMAN}" * 80)
        await queues.publish(name, notification(4))
        await arrive(store, ["1", "2", "3", "4"])


async def test_invalid_messages_are_dead_letters(
    rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str
) -> None:
    """A message that is not valid is in the dead letters with its reason, and those behind it go on."""
    large = json.dumps({"to": {"users": ["ana"]}, "body": "x" * limits.NOTIFICATION_BYTES}).encode()
    unknown = b'{"to": {"users": ["ana"]}, "titel": "1"}'
    cases = {
        "malformed_json": (b'{"to": ', {}),
        "too_large": (large, {}),
        "invalid_request": (unknown, {"Idempotency_Key": "a"}),
        "idempotency_mismatch": (notification(7), {"Idempotency_Key": "used"}),
    }
    dead = f"{name}.dead"
    async with Queues.of(rabbitmq, name, dead) as queues:
        await queues.publish(name, notification(0), Idempotency_Key="used")
        for number, (body, headers) in enumerate(cases.values(), start=1):
            await queues.publish(name, body, **headers)
            await queues.publish(name, notification(number))
        await bridges.start(rabbitmq_source(rabbitmq, name, dead_letter=dead))
        await arrive(store, [str(number) for number in range(len(cases) + 1)])
        await bridges.until(name, lambda report: report.dead == len(cases), "dead letters")
        await bridges.stop()
        assert await queues.waiting(name) == 0
        found = [message for _ in cases if (message := await queues.take(dead)) is not None]
    assert [message.headers["tidings-error"] for message in found] == list(cases)
    assert [message.body for message in found] == [body for body, _ in cases.values()]
    assert "Did you mean title?" in str(found[2].headers["tidings-error-detail"])
    assert found[2].headers["Idempotency-Key"] == "a"


async def test_a_poison_message_is_a_dead_letter(
    rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that raises an unexpected error at each try is a dead letter, and the others go on."""
    accept, tries = accepting.accept, list[int]()

    async def defect(store: Store, tenant: str, requests: Sequence[Request]) -> list[Refused | None]:
        if any(request.notifications[0].title == "poison" for request in requests):
            tries.append(len(requests))
            raise ZeroDivisionError
        return await accept(store, tenant, requests)

    monkeypatch.setattr(accepting, "accept", defect)
    dead = f"{name}.dead"
    async with Queues.of(rabbitmq, name, dead) as queues:
        await queues.publish(name, notification(1))
        await queues.publish(name, b'{"to": {"users": ["ana"]}, "title": "poison"}')
        await queues.publish(name, notification(2))
        await bridges.start(rabbitmq_source(rabbitmq, name, dead_letter=dead))
        await arrive(store, ["1", "2"])
        await bridges.until(name, lambda report: (report.accepted, report.dead) == (2, 1), "the dead letter")
        found = await queues.take(dead)
    assert tries[-3:] == [1, 1, 1]
    assert found is not None
    assert found.headers["tidings-error"] == "internal_error"
    assert "ZeroDivisionError" in str(found.headers["tidings-error-detail"])


async def test_without_dead_letters_the_source_pauses(
    rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str
) -> None:
    """Without dead letters an invalid message pauses its source and stays in its queue; others go on."""
    other = f"{name}.other"
    async with Queues.of(rabbitmq, name, other) as queues:
        for number in range(3):
            await queues.publish(name, notification(number))
        await queues.publish(name, b"no JSON")
        await queues.publish(name, notification(3))
        await bridges.start(rabbitmq_source(rabbitmq, name), rabbitmq_source(rabbitmq, other))
        report = await bridges.until(name, lambda report: report.paused == "refused", "the pause")
        assert (report.accepted, report.dead) == (3, 1)
        assert "malformed_json" in report.last_error
        await queues.publish(other, notification(9))
        await arrive(store, ["0", "1", "2", "9"])
        await bridges.stop()
        assert await queues.waiting(name) == 2


async def test_a_queue_that_does_not_exist(
    rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str
) -> None:
    """A source whose queue is missing, or is deleted, says so; it works when the queue is declared."""
    other = f"{name}.other"
    async with Queues.of(rabbitmq, other) as queues:
        await bridges.start(rabbitmq_source(rabbitmq, name), rabbitmq_source(rabbitmq, other))
        report = await bridges.until(name, lambda report: report.paused == "broker", "the pause")
        assert report.last_error == f"the queue {name} does not exist: declare it, or correct queue"
        await queues.publish(other, notification(1))
        await arrive(store, ["1"])
        await queues.delete(other)
        await bridges.until(other, lambda report: report.paused == "broker", "the pause")
        for queue, number in ((name, 2), (other, 3)):
            await queues.declare(queue)
            await queues.publish(queue, notification(number))
            await bridges.until(queue, lambda report: not report.paused, "the work")
        for queue in (name, other):
            await bridges.until(queue, lambda report: report.accepted > 0, "the message")
        assert sorted(await titles(store)) == ["1", "2", "3"]


async def test_an_unknown_tenant(rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str) -> None:
    """A source of an unknown tenant acknowledges nothing, says so, and works when the tenant is created."""
    async with Queues.of(rabbitmq, name) as queues:
        await queues.publish(name, notification(1))
        await bridges.start(rabbitmq_source(rabbitmq, name, tenant="later"))
        report = await bridges.until(name, lambda report: report.paused == "tenant", "the pause")
        assert report.last_error == "the tenant later does not exist: tidings-server tenants create later"
        assert await queues.waiting(name) == 1
        await Registry(store.redis).create_tenant("later")
        await bridges.until(name, lambda report: report.accepted == 1, "the message")


async def test_wrong_credentials(rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str) -> None:
    """A source with a wrong password says so without it, and the other source goes on."""
    wrong = rabbitmq.url.replace("guest:guest", "guest:secret")
    async with Queues.of(rabbitmq, name) as queues:
        sources = (rabbitmq_source(rabbitmq, name), rabbitmq_source(rabbitmq, "wrong", queue=name, url=wrong))
        await bridges.start(*sources)
        report = await bridges.until("wrong", lambda report: report.paused == "broker", "the pause")
        assert "refuses the user or the password" in report.last_error
        assert "secret" not in report.last_error
        await queues.publish(name, notification(1))
        await arrive(store, ["1"])
