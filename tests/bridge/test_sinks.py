"""Exchanges of RabbitMQ as sinks, and what all sinks share."""

import asyncio
import json
import uuid

import pytest

from tests.bridge.queues import Queues
from tests.bridge.support import Bridges, happens, rabbitmq_sink, rabbitmq_source, works
from tests.operations.support import tidings_server
from tests.support.brokers import Rabbitmq
from tidings_workers.config import Settings
from tidings_workers.store import Store
from tidings_workers.store.event_wishes import READER_SECONDS
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.keys import partition_of


@pytest.fixture
def name() -> str:
    """An exchange and a queue of this test."""
    return f"x{uuid.uuid4().hex[:8]}"


async def numbers(queues: Queues, name: str) -> list[int]:
    """The numbers of the events in a queue, in order."""
    return [json.loads(message.body)["data"]["number"] for message in await queues.take_all(name)]


async def test_an_event_is_a_message(rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str) -> None:
    """An event that the sink wants is a persistent message of the contract's form; others are not written."""
    async with Queues.of(rabbitmq) as queues:
        await queues.declare_exchange(name, queue=name)
        await bridges.start(rabbitmq_sink(rabbitmq, name, events=["message.received", "user.*"]))
        await works(bridges, name)
        assert not await store.events.append("acme", "ana", "connection.opened", b"{}")
        await happens(store, 1)
        await happens(store, 2, kind="user.online")
        await bridges.until(name, lambda report: (report.accepted, report.lag) == (2, 0), "the events")
        first, second = await queues.take_all(name)
    body = json.loads(first.body)
    assert list(body) == ["type", "timestamp", "data"]
    assert (body["type"], body["data"]) == ("message.received", {"user": "ana", "number": 1})
    assert body["timestamp"].endswith("Z")
    assert (first.routing_key, second.routing_key) == ("message.received", "user.online")
    assert first.headers == {"webhook-id": first.message_id, "type": "message.received"}
    assert str(first.message_id).startswith("evt_")
    assert first.message_id != second.message_id
    assert first.delivery_mode == 2
    assert first.content_type == "application/json"


async def test_the_position_is_kept(rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str) -> None:
    """Events while no bridge runs are written by the next one, in order, and none of them twice."""
    async with Queues.of(rabbitmq) as queues:
        await queues.declare_exchange(name, queue=name)
        await bridges.start(rabbitmq_sink(rabbitmq, name))
        await works(bridges, name)
        for number in range(10):
            await happens(store, number)
        await bridges.until(name, lambda report: report.accepted == 10, "the events")
        await bridges.stop()
        for number in range(10, 20):
            await happens(store, number)
        await bridges.start()
        await bridges.until(name, lambda report: report.accepted == 10, "the others")
        assert await numbers(queues, name) == list(range(20))


async def test_one_bridge_writes_and_the_other_is_its_reserve(
    rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str
) -> None:
    """Of two bridges with one file, one writes each event; when it stops, the other one does."""
    async with Queues.of(rabbitmq) as queues:
        await queues.declare_exchange(name, queue=name)
        await bridges.start(rabbitmq_sink(rabbitmq, name))
        await works(bridges, name)
        await bridges.start()
        for number in range(5):
            await happens(store, number)
        await bridges.until(name, lambda report: report.accepted == 5, "the events")
        await bridges.stop_first()
        await happens(store, 5)
        await bridges.until(name, lambda report: report.accepted == 1, "the event of the other one")
        assert await numbers(queues, name) == list(range(6))


async def test_an_event_that_no_queue_takes(
    rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str
) -> None:
    """The sink pauses with a reason; when a queue is bound, it writes the event, and no other one again."""
    async with Queues.of(rabbitmq) as queues:
        await queues.declare_exchange(name, queue=name, key="message.*")
        await bridges.start(rabbitmq_sink(rabbitmq, name))
        await works(bridges, name)
        await happens(store, 1, kind="user.online")
        await happens(store, 2)
        await happens(store, 3, "bob")
        report = await bridges.until(name, lambda report: report.paused == "broker", "the pause")
        assert report.last_error == (
            f"no queue takes user.online from the exchange {name}: bind a queue with this routing key, or "
            "with #, or remove the type from events"
        )
        await bridges.until(name, lambda report: report.accepted == 1, "the event of the other user")
        await queues.declare_exchange(name, queue=name, key="user.*")
        await bridges.until(name, lambda report: report.accepted == 3, "all events")
        # The second event of a user never overtakes the first one.
        assert await numbers(queues, name) == [3, 1, 2]


async def test_an_exchange_that_does_not_exist(
    rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str
) -> None:
    """A sink without its exchange says so; what happens before it is declared is written afterwards."""
    async with Queues.of(rabbitmq) as queues:
        await bridges.start(rabbitmq_sink(rabbitmq, name))
        report = await bridges.until(name, lambda report: report.paused == "broker", "the pause")
        assert report.last_error == f"the exchange {name} does not exist: declare it, or correct exchange"
        await happens(store, 1)
        await bridges.until(name, lambda report: report.lag == 1, "the lag")
        await queues.declare_exchange(name, queue=name)
        await bridges.until(name, lambda report: report.accepted == 1, "the event")
        assert await numbers(queues, name) == [1]


async def test_wrong_credentials(rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str) -> None:
    """A sink with a wrong password says so without it, and the other sink goes on."""
    wrong = rabbitmq.url.replace("guest:guest", "guest:secret")
    async with Queues.of(rabbitmq) as queues:
        await queues.declare_exchange(name, queue=name)
        other = rabbitmq_sink(rabbitmq, "wrong", exchange=name, url=wrong)
        await bridges.start(rabbitmq_sink(rabbitmq, name), other)
        report = await bridges.until("wrong", lambda report: report.paused == "broker", "the pause")
        assert "refuses the user or the password" in report.last_error
        assert "secret" not in report.last_error
        await works(bridges, name)
        await happens(store, 1)
        await bridges.until(name, lambda report: report.accepted == 1, "the event")


async def test_events_lost_is_an_event(rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str) -> None:
    """Events that the store removed before they were written are a message `events_lost` with their count."""
    async with Queues.of(rabbitmq) as queues:
        await queues.declare_exchange(name, queue=name)
        await bridges.start(rabbitmq_sink(rabbitmq, name, events=["message.received"]))
        await works(bridges, name)
        await bridges.stop()
        for number in range(3):
            await happens(store, number)
        partition = partition_of("acme", "ana", store._core.partitions)
        await store._core.call("XTRIM", f"{{p{partition}}}/event-log/acme", "MAXLEN", 1)
        await bridges.start()
        await bridges.until(name, lambda report: report.accepted == 2, "the notice and the event")
        lost, last = await queues.take_all(name)
    assert (lost.routing_key, json.loads(lost.body)["data"]) == ("events_lost", {"count": 2})
    assert json.loads(last.body)["data"]["number"] == 2


async def test_the_wish_of_a_removed_sink_ends(
    rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str
) -> None:
    """A sink wants its events until seven days after its last bridge: then its events cost nothing."""
    async with Queues.of(rabbitmq) as queues:
        await queues.declare_exchange(name, queue=name)
        await bridges.start(rabbitmq_sink(rabbitmq, name, events=["message.received"]))
        await works(bridges, name)
    partition = partition_of("acme", "", store._core.partitions)
    wishes = await store._core.call("HGETALL", f"{{p{partition}}}/wishes/acme")
    ends = {field.decode(): int(value) for field, value in wishes.items() if field != b"version"}
    assert list(ends) == [f"message.received sink/{name}"]
    assert 0 < ends[f"message.received sink/{name}"] - milliseconds() <= READER_SECONDS * 1000


async def test_check_and_doctor_have_a_line_per_sink(
    rabbitmq: Rabbitmq, bridges: Bridges, settings: Settings, store: Store, name: str
) -> None:
    """`--check` tries each sink, and `doctor` says how each works, beside a source of the same name."""
    async with Queues.of(rabbitmq, name) as queues:
        await queues.declare_exchange(name, queue=name)
        tables = (
            rabbitmq_source(rabbitmq, name),
            rabbitmq_sink(rabbitmq, name),
            rabbitmq_sink(rabbitmq, "missing"),
        )
        await bridges.start(*tables)
        path = bridges.path
        words = ("bridge", "--check", str(path), "--json")
        checked = json.loads((await asyncio.to_thread(tidings_server, *words, cwd=path.parent)).stdout)
        shown = {(each.get("source"), each.get("sink")): each for each in checked["results"]}
        assert shown[name, None]["ok"]
        assert shown[None, name] == {"detail": f"the exchange {name} exists", "ok": True, "sink": name}
        assert not shown[None, "missing"]["ok"]
        await bridges.until(name, lambda each: each.kind == "sink" and not each.paused, "the work")
        await bridges.until("missing", lambda report: report.paused == "broker", "the pause")
        url = {"REDIS_URL": str(settings.redis_url)}
        doctor = ("doctor", "--no-ports", "--json")
        done = await asyncio.to_thread(tidings_server, *doctor, cwd=path.parent, environment=url)
    found = {each["check"]: each for each in json.loads(done.stdout)["findings"]}
    assert found[f"bridge, sink {name}"]["level"] == "ok"
    missing = found["bridge, sink missing"]
    assert (missing["level"], missing["cure"]) == ("wrong", "declare it, or correct exchange")
