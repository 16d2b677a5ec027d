"""The clients of the store, on a node and on a cluster: their timeouts."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis import exceptions as redis
from redis.asyncio.cluster import RedisCluster

from tidings_workers.config import Settings
from tidings_workers.store import clients


@pytest.fixture
async def hasty(settings: Settings) -> AsyncIterator[Any]:
    """A client whose timeout is 0.2 s."""
    assert settings.redis_url is not None
    client = clients.connect(settings.redis_url, "test", socket_seconds=0.2)
    yield client
    await clients.close(client)


async def execute(client: Any, *command: str) -> Any:
    """Execute a command on the node, or on one of the cluster."""
    target = {"target_nodes": client.get_default_node()} if isinstance(client, RedisCluster) else {}
    return await client.execute_command(*command, **target)


@pytest.mark.parametrize("connected", [True, False])
async def test_a_stopped_process_finds_the_answer(hasty: Any, *, connected: bool) -> None:
    """A process that was stopped for longer than the timeout takes the answers that wait for it.

    That holds for the handshake of a new connection, too.
    """
    await hasty.ping()
    if not connected:
        await clients.drop_connections(hasty)
        await hasty.initialize()
    # The server answers after 50 ms, when this process does not run.
    answer = asyncio.create_task(execute(hasty, "DEBUG", "SLEEP", "0.05"))
    for _ in range(3):
        await asyncio.sleep(0.001)
        time.sleep(0.4)  # noqa: ASYNC251  the stop
    assert await answer == b"OK"


async def test_a_silent_server_is_given_up(hasty: Any) -> None:
    """A server that does not answer is given up after the timeout."""
    await hasty.ping()
    began = time.monotonic()
    with pytest.raises(redis.TimeoutError):
        await execute(hasty, "DEBUG", "SLEEP", "0.7")
    assert 0.15 < time.monotonic() - began < 0.7
