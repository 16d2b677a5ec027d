"""Bridges in the process of a test, and what reached the users."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from tests.support.brokers import Kafka, Rabbitmq
from tests.support.parts import Process
from tidings_workers import bridge
from tidings_workers.config import Settings
from tidings_workers.store import InboxQuery, Store
from tidings_workers.store.bridges import Report

SECONDS = 60.0
PAGE = 200


def table(kind: str = "source", /, **keys: Any) -> str:
    """A `[[source]]` of the tenant `acme`. JSON's texts, numbers, lists and booleans are TOML's, too."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in {"tenant": "acme", **keys}.items()]
    return "\n".join((f"[[{kind}]]", *lines, ""))


def sink_table(**keys: Any) -> str:
    """A `[[sink]]` of the tenant `acme`."""
    return table("sink", **keys)


def rabbitmq_source(server: Rabbitmq, name: str, **keys: Any) -> str:
    """A source that reads the queue of its name."""
    return table(**{"name": name, "type": "rabbitmq", "url": server.url, "queue": name, **keys})


def kafka_source(server: Kafka, name: str, **keys: Any) -> str:
    """A source that reads the topic of its name."""
    defaults = {"name": name, "type": "kafka", "servers": server.servers, "topics": [name], "group": name}
    return table(**{**defaults, **keys})


def stomp_source(server: Rabbitmq, name: str, **keys: Any) -> str:
    """A source that reads the existing queue of its name by STOMP."""
    url, login = f"stomp://127.0.0.1:{server.stomp}", {"login": "guest", "passcode": "guest"}
    place = f"/amq/queue/{name}"
    return table(**{"name": name, "type": "stomp", "url": url, "destination": place, **login, **keys})


def rabbitmq_sink(server: Rabbitmq, name: str, **keys: Any) -> str:
    """A sink that writes all events to the exchange of its name."""
    defaults = {"name": name, "type": "rabbitmq", "url": server.url, "exchange": name, "events": ["*"]}
    return sink_table(**{**defaults, **keys})


def kafka_sink(server: Kafka, name: str, **keys: Any) -> str:
    """A sink that writes all events to the topic of its name."""
    defaults = {"name": name, "type": "kafka", "servers": server.servers, "topic": name, "events": ["*"]}
    return sink_table(**{**defaults, **keys})


def notification(number: int, user: str = "ana") -> bytes:
    """A notification whose title is a number."""
    return json.dumps({"to": {"users": [user]}, "title": str(number)}).encode()


async def titles(store: Store, user: str = "ana") -> list[str]:
    """The titles of a user's notifications, in the order of the log."""
    found: list[str] = []
    cursor = None
    while True:
        page = await store.inbox.page("acme", user, InboxQuery(limit=PAGE), cursor)
        found += [json.loads(item.content)["title"] for item in page.items]
        cursor = page.next
        if cursor is None:
            return found[::-1]


class Bridges:
    """Bridges in this process, one after another or beside each other, on one file."""

    def __init__(self, settings: Settings, store: Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._settings = structs.replace(settings, bridge_file=str(path))
        self._store = store
        self.path = path
        # A test reads reports at once.
        monkeypatch.setattr(bridge, "REPORT_SECONDS", 0.05)
        self._running: list[tuple[asyncio.Event, asyncio.Task[None]]] = []

    async def start(self, *sources: str) -> None:
        """Start a bridge with these sources; without any, with those of the last call."""
        if sources:
            self.path.write_text("\n".join(sources))
        stop, ready = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(bridge.run(self._settings, stop, ready.set))
        self._running.append((stop, task))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            self._running.pop()
            task.result()

    async def stop(self) -> None:
        """Stop all bridges in order."""
        for stop, _ in self._running:
            stop.set()
        for _, task in self._running:
            await task
        self._running.clear()

    async def stop_first(self) -> None:
        """Stop the bridge that was started first, in order."""
        stop, task = self._running.pop(0)
        stop.set()
        await task

    async def until(self, name: str, true: Callable[[Report], bool], what: str) -> Report:
        """The first report of a source or sink that fits."""
        deadline = asyncio.get_running_loop().time() + SECONDS
        while True:
            found = [each for each in await self._store.bridges.reports() if each.name == name]
            for report in found:
                if true(report):
                    return report
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"{what}: {found}")
            await asyncio.sleep(0.02)


async def arrive(store: Store, expected: Sequence[str], user: str = "ana") -> None:
    """Wait until the user has as many notifications, and check that they are these, in order."""
    deadline = asyncio.get_running_loop().time() + SECONDS
    while len(found := await titles(store, user)) < len(expected):
        if asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(f"{len(found)} of {len(expected)}: {found[-5:]}")
        await asyncio.sleep(0.02)
    assert found == list(expected)


async def happens(store: Store, number: int, user: str = "ana", kind: str = "message.received") -> None:
    """An event about a user, which somebody wants."""
    data = json.dumps({"user": user, "number": number}).encode()
    assert await store.events.append("acme", user, kind, data)


async def works(bridges: Bridges, name: str) -> None:
    """Wait until the sink works."""
    await bridges.until(name, lambda report: not report.paused, "the work")


@contextmanager
def bridge_process(redis_url: str, path: Path) -> Iterator[Process]:
    """A bridge in its own process."""
    process = Process("bridge", redis_url, TIDINGS_BRIDGE_FILE=str(path))
    yield process
    process.end()
