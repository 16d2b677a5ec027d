"""The store is away while messages arrive, and the bridge beside the other parts."""

import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from prometheus_client import REGISTRY

from tests.bridge.queues import Queues
from tests.bridge.support import Bridges, arrive, notification, rabbitmq_source
from tests.operations.support import eventually, tidings_server
from tests.support.brokers import Rabbitmq
from tests.support.valkey import Valkey
from tidings_workers.config import Settings
from tidings_workers.registry import Registry
from tidings_workers.store import Store


@pytest.fixture
def settings(valkey: Valkey) -> Settings:
    """Settings with a store of this test's own."""
    return msgspec.structs.replace(Settings.from_environment({}), redis_url=valkey.url)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    """An open store with the tenant `acme`."""
    opened = await Store.open(settings, name="test")
    await Registry(opened.redis).create_tenant("acme")
    yield opened
    await opened.close()


def sample(metric: str, name: str) -> float | None:
    """A metric of a source."""
    return REGISTRY.get_sample_value(metric, {"kind": "source", "name": name})


async def test_nothing_is_acknowledged_while_the_store_is_away(
    rabbitmq: Rabbitmq, bridges: Bridges, store: Store, valkey: Valkey
) -> None:
    """While the store is away the source pauses and acknowledges nothing; afterwards nothing is lost."""
    name = f"o{uuid.uuid4().hex[:8]}"
    async with Queues.of(rabbitmq, name) as queues:
        await bridges.start(rabbitmq_source(rabbitmq, name, prefetch=10))
        await queues.publish(name, notification(0))
        await arrive(store, ["0"])
        await eventually(lambda: sample("tidings_bridge_accepted_total", name) == 1, "the first message")
        valkey.kill()
        for number in range(1, 51):
            await queues.publish(name, notification(number), f"{name}-{number}")
        await eventually(lambda: sample("tidings_bridge_paused", name) == 1, "the pause", 30)
        assert sample("tidings_bridge_accepted_total", name) == 1
        await bridges.stop()
        # The broker has all messages again, so none was acknowledged.
        assert await queues.waiting(name) == 50
        valkey.start()
        await bridges.start()
        await arrive(store, [str(number) for number in range(51)])
        valkey.kill()
        await queues.publish(name, notification(51), f"{name}-51")
        await eventually(lambda: sample("tidings_bridge_paused", name) == 1, "the pause", 30)
        valkey.start()
        # The same bridge goes on.
        await arrive(store, [str(number) for number in range(52)])
        await eventually(lambda: sample("tidings_bridge_paused", name) == 0, "the work", 30)


async def test_doctor_has_a_line_per_source(
    rabbitmq: Rabbitmq, bridges: Bridges, store: Store, valkey: Valkey, tmp_path: Path
) -> None:
    """`doctor` says how each source works, and the fault of one that is paused, with its cure."""
    name = f"d{uuid.uuid4().hex[:8]}"
    async with Queues.of(rabbitmq, name) as queues:
        await queues.publish(name, notification(1))
        await bridges.start(rabbitmq_source(rabbitmq, name), rabbitmq_source(rabbitmq, "missing"))
        await bridges.until(name, lambda report: report.accepted == 1, "the message")
        await bridges.until("missing", lambda report: report.paused == "broker", "the pause")
        words = ("doctor", "--no-ports", "--json")
        done = tidings_server(*words, cwd=tmp_path, environment={"REDIS_URL": valkey.url})
    found = {each["check"]: each for each in json.loads(done.stdout)["findings"]}
    works, missing = found[f"bridge, source {name}"], found["bridge, source missing"]
    assert (works["level"], missing["level"]) == ("ok", "wrong")
    assert "1 accepted, 0 dead" in works["detail"]
    assert "the queue missing does not exist" in missing["detail"]
    assert missing["cure"] == "declare it, or correct queue"
    await bridges.stop()
    assert await store.bridges.reports() == []
