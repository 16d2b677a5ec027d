"""The stores of the other tests are real and behave as those tests assume."""

import redis
import redis.asyncio
from redis.asyncio.cluster import RedisCluster

from tests.support.valkey import Valkey


async def test_session_store_is_empty_and_appends(redis_url: str) -> None:
    """A test starts on an empty store whose append-only file is on."""
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        assert await client.dbsize() == 0
        assert await client.config_get("appendonly") == {"appendonly": "yes"}
        await client.set("left", "behind")


async def test_cluster_spreads_keys(cluster_url: str) -> None:
    """Keys of all slots can be written, and each of the three primaries has some."""
    async with RedisCluster.from_url(cluster_url.replace("redis+cluster", "redis")) as cluster:
        for number in range(50):
            await cluster.set(f"key:{number}", number)
        sizes = [
            await cluster.execute_command("DBSIZE", target_nodes=node) for node in cluster.get_primaries()
        ]
    assert len(sizes) == 3
    assert sum(sizes) == 50
    assert all(sizes)


def test_a_killed_store_restarts_with_its_keys(valkey: Valkey) -> None:
    """Writes before a SIGKILL are there after the next start."""
    with valkey.client() as client:
        client.set("kept", "yes")
    valkey.kill()
    valkey.start()
    with valkey.client() as client:
        assert client.get("kept") == b"yes"
