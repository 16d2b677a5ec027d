"""Queues of ActiveMQ Artemis as sources, by STOMP. Skipped without `tools/artemis`."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bridge.support import Bridges, arrive, notification, table, titles
from tests.support.artemis import PASSWORD, USER, Artemis, StompClient, why_no_artemis
from tidings_workers.store import Store

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(why_no_artemis()), reason=why_no_artemis()),
]


@pytest.fixture
def artemis(tmp_path: Path) -> Iterator[Artemis]:
    """An Artemis for this test, with the queues `orders` and `orders.dead`."""
    server = Artemis(tmp_path, "orders", "orders.dead")
    server.start()
    yield server
    server.kill()


def source(server: Artemis, name: str, **keys: str) -> str:
    """A source that reads the queue `orders`."""
    url, login = f"stomp://127.0.0.1:{server.port}", {"login": USER, "passcode": PASSWORD}
    defaults = {"name": name, "type": "stomp", "url": url, "destination": "orders", **login}
    return table(**{**defaults, **keys})


async def test_messages_dead_letters_and_a_kill(artemis: Artemis, bridges: Bridges, store: Store) -> None:
    """Messages are notifications in order, once per key, also when Artemis is killed; or dead letters."""
    async with StompClient.of(artemis.port) as client:
        await client.send("orders", notification(0))
        for _ in range(2):
            await client.send("orders", notification(1), Idempotency_Key="one")
        await client.send("orders", b"no JSON", other="a:b\\c")
        await client.send("orders", notification(2))
    wrong = source(artemis, "wrong", passcode="secret")
    await bridges.start(source(artemis, "orders", dead_letter="orders.dead"), wrong)
    await arrive(store, ["0", "1", "2"])
    report = await bridges.until("wrong", lambda report: report.paused == "broker", "the refusal")
    assert "refuses the connection" in report.last_error
    assert "secret" not in report.last_error
    await bridges.until("orders", lambda report: (report.accepted, report.dead) == (4, 1), "the messages")
    async with StompClient.of(artemis.port) as client:
        dead = await client.receive("orders.dead")
    assert (dead.body, dead.headers["tidings-error"]) == (b"no JSON", "malformed_json")
    assert dead.headers["other"] == "a:b\\c"
    async with StompClient.of(artemis.port) as client:
        for number in range(3, 203):
            await client.send("orders", notification(number), Idempotency_Key=f"k{number}")
            if number == 100:
                break
    await asyncio.to_thread(artemis.kill)
    await bridges.until("orders", lambda report: report.paused == "broker", "the fault")
    await asyncio.to_thread(artemis.start)
    async with StompClient.of(artemis.port) as client:
        for number in range(101, 203):
            await client.send("orders", notification(number), Idempotency_Key=f"k{number}")
    expected = [str(number) for number in range(203)]
    async with asyncio.timeout(60):
        while len(await titles(store)) < len(expected):  # noqa: ASYNC110 - it is in the store
            await asyncio.sleep(0.05)
    assert sorted(await titles(store), key=int) == expected
