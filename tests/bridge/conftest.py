"""Real brokers, a real store, and bridges in this process."""

import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from tests.bridge.support import Bridges
from tests.support.brokers import Kafka, Rabbitmq, Server, why_no_kafka, why_no_rabbitmq
from tidings_workers.config import Settings
from tidings_workers.registry import Registry
from tidings_workers.store import Store


def needed(reason: str) -> None:
    """Skip with the reason. Where REQUIRE_BROKERS is set, it is a failure."""
    if reason and os.environ.get("REQUIRE_BROKERS"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def starts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Server]]]:
    """The starts of the brokers that tests of this session use, all at the same time."""
    used = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    kinds = {"rabbitmq": (Rabbitmq, why_no_rabbitmq), "kafka": (Kafka, why_no_kafka)}

    def start(kind: type[Server], home: Path) -> Server:
        server = kind(home)
        server.start()
        return server

    with ThreadPoolExecutor() as threads:
        begun = {
            name: threads.submit(start, kind, tmp_path_factory.mktemp(name))
            for name, (kind, why_not) in kinds.items()
            if name in used and not why_not()
        }
        yield begun
        for each in begun.values():
            if each.exception() is None:
                each.result().kill()


@pytest.fixture(scope="session")
def rabbitmq(starts: dict[str, Future[Server]]) -> Server:
    """A RabbitMQ, shared by the session: each test has queues of its own."""
    needed(why_no_rabbitmq())
    return starts["rabbitmq"].result()


@pytest.fixture(scope="session")
def kafka(starts: dict[str, Future[Server]]) -> Server:
    """A Kafka, shared by the session: each test has topics of its own."""
    needed(why_no_kafka())
    return starts["kafka"].result()


@pytest.fixture
def settings(redis_url: str) -> Settings:
    """Settings with an empty store."""
    return msgspec.structs.replace(Settings.from_environment({}), redis_url=redis_url)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    """An open store with the tenant `acme`."""
    opened = await Store.open(settings, name="test")
    await Registry(opened.redis).create_tenant("acme")
    yield opened
    await opened.close()


@pytest.fixture
async def bridges(
    settings: Settings, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bridges]:
    """Starts bridges in this process; all are stopped at the end."""
    made = Bridges(settings, store, tmp_path / "bridge.toml", monkeypatch)
    yield made
    await made.stop()
