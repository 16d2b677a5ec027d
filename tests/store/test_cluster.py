"""A cluster whose nodes fail: running and new processes work with the remaining nodes."""

import asyncio
import contextlib
import gc
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from redis.asyncio.cluster import ClusterNode, RedisCluster

from tests.support.ports import free_port
from tests.support.sending import eventually, notification, titles
from tests.support.valkey import Valkey, running_cluster
from tidings_workers.config import Settings
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import Idempotency, StorageUnavailable, Store, clients

FAILOVER_SECONDS = 20.0


@pytest.fixture
def nodes(short_directory: Path) -> Iterator[list[Valkey]]:
    """Three primaries with one replica each."""
    home = Path(tempfile.mkdtemp(dir=short_directory))
    with running_cluster(home, replicas=True) as running:
        yield running


def settings_for(*ports: int | None) -> Settings:
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return msgspec.structs.replace(Settings.from_environment({}), redis_url=f"redis+cluster://{hosts}")


async def send(store: Store, title: str) -> None:
    """Send to users of all partitions, and retry until it is accepted."""
    sent = [notification(title, users=["ana", f"u{number}"]) for number in range(20)]
    async with asyncio.timeout(FAILOVER_SECONDS):
        while True:
            try:
                await store.sends.send("demo", sent, idempotency=Idempotency(title, b"digest"))
            except StorageUnavailable:
                await asyncio.sleep(0.05)
            else:
                return


async def test_the_named_node_is_killed(nodes: list[Valkey], caplog: pytest.LogCaptureFixture) -> None:
    """All work continues after the only node of the URL was killed and its replica took over.

    Dispatchers open new connections, and no error is logged.
    """
    store = await Store.open(settings_for(nodes[0].port), name="test")
    dispatcher = Dispatcher(store)
    await dispatcher.beat()
    beating = asyncio.create_task(_beat(dispatcher))
    try:
        await send(store, "before")
        await eventually(lambda: _count(store, "before"), 20)
        await asyncio.to_thread(nodes[0].kill)
        await send(store, "after")
        await eventually(lambda: _count(store, "after"), 20)
        reader = store.reader("new")
        assert await reader.read({"{p0}/nothing": "0"}, 1) == {}
        await reader.close()
    finally:
        beating.cancel()
        await asyncio.wait([beating])
        await dispatcher.close()
        await store.close()
        # A client that was not closed completely warns when it is collected.
        gc.collect()
    assert [line.getMessage() for line in caplog.records if line.levelno >= logging.ERROR] == []


async def _beat(dispatcher: Dispatcher) -> None:
    while True:
        with contextlib.suppress(StorageUnavailable):
            await dispatcher.beat()
        await asyncio.sleep(0.2)


async def _count(store: Store, title: str) -> int:
    try:
        return (await titles(store, "ana")).count(title)
    except StorageUnavailable:
        return -1


async def test_several_nodes_may_be_named(session_cluster: list[Valkey], cluster_url: str) -> None:
    """A process starts while the first nodes of the URL do not answer."""
    assert cluster_url
    closed_ports = [free_port(), free_port()]
    store = await Store.open(settings_for(*closed_ports, session_cluster[1].port), name="test")
    await store.sends.send("demo", [notification("hello", users=["ana"])])
    assert await titles(store, "ana") == ["hello"]
    await store.close()


async def test_the_nodes_of_the_url_are_tried_again(session_cluster: list[Valkey], cluster_url: str) -> None:
    """A cluster whose nodes all have new addresses is found through the nodes of the URL."""
    store = await Store.open(settings_for(session_cluster[0].port), name="test")
    client = store.redis
    assert isinstance(client, RedisCluster)
    try:
        await clients.close(client)
        closed = ClusterNode("127.0.0.1", free_port(), **client.connection_kwargs)
        client.nodes_manager.startup_nodes = {closed.name: closed}
        with pytest.raises(StorageUnavailable):
            await store.ping()
        await eventually(lambda: _answers(store), True)
    finally:
        await store.close()


async def _answers(store: Store) -> bool:
    try:
        await store.ping()
    except StorageUnavailable:
        return False
    return True
