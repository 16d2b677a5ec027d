"""Queues of a STOMP broker as sources: RabbitMQ with its plugin."""

import asyncio
import uuid

import pytest

from tests.bridge.queues import Queues
from tests.bridge.support import Bridges, arrive, notification, stomp_source, table
from tests.support.brokers import Rabbitmq
from tidings_workers.store import Store


@pytest.fixture
def name() -> str:
    """A queue of this test."""
    return f"s{uuid.uuid4().hex[:8]}"


async def test_messages_keys_and_dead_letters(
    rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str
) -> None:
    """By STOMP, messages are notifications once per key, and those that are not valid are dead letters."""
    dead = f"{name}.dead"
    async with Queues.of(rabbitmq, name, dead) as queues:
        for _ in range(2):
            await queues.publish(name, notification(1), "one")
            await queues.publish(name, notification(2), Idempotency_Key="two")
        await queues.publish(name, b'{"to": {"users": ["a b"]}, "title": "\xc3\xa4: \\\\"}', other="a:b\\c")
        await queues.publish(name, notification(3))
        await bridges.start(stomp_source(rabbitmq, name, dead_letter=f"/amq/queue/{dead}", prefetch=2))
        await arrive(store, ["1", "2", "3"])
        await bridges.until(name, lambda report: report.accepted == 5, "the acknowledgements")
        await bridges.stop()
        assert await queues.waiting(name) == 0
        found = await queues.take(dead)
    assert found is not None
    assert found.headers["tidings-error"] == "invalid_request"
    assert "#/to/users/0" in str(found.headers["tidings-error-detail"])
    assert found.headers["other"] == "a:b\\c"
    assert "ä".encode() in found.body


async def test_what_the_broker_refuses(rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str) -> None:
    """A wrong passcode and a missing queue are named, without the passcode, and the other source goes on."""
    async with Queues.of(rabbitmq, name) as queues:
        await bridges.start(
            stomp_source(rabbitmq, name),
            stomp_source(rabbitmq, "wrong", passcode="secret"),
            stomp_source(rabbitmq, "missing"),
        )
        wrong = await bridges.until("wrong", lambda report: report.paused == "broker", "the pause")
        assert "refuses the connection" in wrong.last_error
        assert "secret" not in wrong.last_error
        missing = await bridges.until("missing", lambda report: report.paused == "broker", "the pause")
        assert "/amq/queue/missing" in missing.last_error
        await queues.publish(name, notification(1))
        await arrive(store, ["1"])


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "name its port for STOMP"),
        (b"CONNECTED\nversion:1.2\n\n\0MESSAGE\nx\n\n\0", "not valid"),
        (b"CONNECTED\nversion:1.2\n\n\0MESSAGE\ncontent-length:9999999\n\n", "larger than"),
        (b"CONNECTED\nversion:1.2\nheart-beat:x,y\n\n\0", "closed"),
        (b"", "closed"),
    ],
    ids=["http", "broken", "large", "closed", "silent"],
)
async def test_a_broker_that_breaks_the_rules(bridges: Bridges, answer: bytes, says: str) -> None:
    """A peer that sends other bytes, a frame that is too large, or closes, pauses its source."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\0")
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await bridges.start(table(name="a", type="stomp", url=f"stomp://127.0.0.1:{port}", destination="q"))
        report = await bridges.until("a", lambda report: says in report.last_error, says)
        assert report.paused == "broker"
        await bridges.stop()
