"""redis-py's clients: made of a URL, dropped where they lead to the wrong server, closed to their end."""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Final, TypeAlias, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError, RedisError  # noqa: A004 - redis' own

from tidings_workers.config import cluster_addresses, is_cluster
from tidings_workers.store.errors import UNREACHABLE

Client: TypeAlias = "Redis | RedisCluster"
Address = tuple[str, int]

COMMAND_SECONDS: Final = 2.0

# A write to a connection that has just been reset is a RuntimeError on uvloop.
_DROPPED: Final = cast("tuple[type[RedisError], ...]", (ConnectionError, RuntimeError))


def connect(
    url: str,
    name: str,
    *,
    socket_seconds: float = COMMAND_SECONDS,
    connections: int = 8,
    nodes: Iterable[Address] = (),
) -> Client:
    """A client with explicit timeouts. It connects when first used.

    Of a cluster it asks the nodes of the URL, and `nodes`, until one answers.

    A dropped connection is retried once at once: every script may be repeated. A timeout is not: a
    server that does not answer now won't in the next try, and the tries of reading, of connecting
    and of the handshake would multiply to ten seconds.
    """
    retry = Retry(ConstantBackoff(0.01), 1, supported_errors=_DROPPED)
    if is_cluster(url):
        single, addresses = cluster_addresses(url)
        return RedisCluster.from_url(
            single,
            startup_nodes=[ClusterNode(*address) for address in dict.fromkeys((*addresses[1:], *nodes))],
            client_name=name,
            socket_timeout=socket_seconds,
            socket_connect_timeout=COMMAND_SECONDS,
            retry=retry,
            legacy_responses=False,
        )
    pool = BlockingConnectionPool.from_url(
        url,
        client_name=name,
        max_connections=connections,
        timeout=COMMAND_SECONDS,
        socket_timeout=socket_seconds,
        socket_connect_timeout=COMMAND_SECONDS,
        retry=retry,
        legacy_responses=False,
    )
    # Not Redis(connection_pool=...): that leaves the pool open when the client closes.
    return Redis.from_pool(pool)


def known_nodes(client: Client) -> list[Address]:
    """The nodes of a cluster that the client knows of, for a client to be made."""
    if not isinstance(client, RedisCluster):
        return []
    return [(node.host, int(node.port)) for node in client.nodes_manager.nodes_cache.values()]


async def drop_connections(client: Client) -> None:
    """Have the client connect again for whatever comes next; what is under way ends first.

    A cluster is looked up again too, also by the nodes of the URL: all that the client knew may have
    been replaced.
    """
    if isinstance(client, RedisCluster):
        await _close_nodes(client)
        for node in client.startup_nodes:
            client.nodes_manager.startup_nodes.setdefault(node.name, node)
        return
    pool = client.connection_pool
    await pool.update_active_connections_for_reconnect()
    with contextlib.suppress(*UNREACHABLE):
        await pool.disconnect(inuse_connections=False)


async def close(client: Client) -> None:
    """Close a client's connections, also while they are broken.

    To the end, however often the caller is cancelled meanwhile: half of it leaves a socket open, on
    which uvloop waits for ever when it closes.
    """
    ending = _close_nodes(client) if isinstance(client, RedisCluster) else client.aclose()
    closing = asyncio.ensure_future(ending)
    interrupted: asyncio.CancelledError | None = None
    while not closing.done():
        try:
            await asyncio.wait([closing])
        except asyncio.CancelledError as error:
            interrupted = error
    with contextlib.suppress(*UNREACHABLE):
        closing.result()
    if interrupted is not None:
        raise interrupted


async def _close_nodes(client: RedisCluster) -> None:
    # redis-py closes nothing of a cluster that it is about to look up again, as after a failure.
    closings = (client.aclose(), *map(client.nodes_manager.aclose, ("nodes_cache", "startup_nodes")))
    for closing in closings:
        with contextlib.suppress(*UNREACHABLE):
            await closing
