"""The clients of redis-py: creating them from a URL, dropping connections, and closing completely."""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Final, TypeAlias, cast

from redis.asyncio import BlockingConnectionPool, Connection, Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import ConnectionError, RedisError  # noqa: A004 - redis' own

from tidings_workers.addresses import cluster_addresses, is_cluster
from tidings_workers.store.connections import COMMAND_SECONDS, PATIENT
from tidings_workers.store.errors import UNREACHABLE

Client: TypeAlias = "Redis | RedisCluster"
Address = tuple[str, int]

# Made once: without it redis-py reads the metadata of its package from disk for every connection.
_DRIVER: Final = DriverInfo()

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
    """A client with explicit timeouts. It connects when it is first used.

    For a cluster it tries the nodes of the URL, then `nodes`, until one answers.

    After a dropped connection a command is retried once, immediately: every script may be repeated. After a
    timeout it is not retried: the server would most likely time out again, and the retries of reading,
    connecting and handshake would add up to ten seconds.
    """
    retry = Retry(ConstantBackoff(0.01), 1, supported_errors=_DROPPED)
    if is_cluster(url):
        single, addresses = cluster_addresses(url)
        cluster: RedisCluster = RedisCluster.from_url(
            single,
            startup_nodes=[ClusterNode(*address) for address in dict.fromkeys((*addresses[1:], *nodes))],
            client_name=name,
            driver_info=_DRIVER,
            socket_timeout=socket_seconds,
            retry=retry,
            legacy_responses=False,
        )
        # These arguments are for the nodes that are found later.
        patient = PATIENT[cluster.connection_kwargs["connection_class"]]
        cluster.connection_kwargs["connection_class"] = patient
        for node in cluster.startup_nodes:
            node.connection_class = cast("type[Connection]", patient)
        return cluster
    pool = BlockingConnectionPool.from_url(
        url,
        client_name=name,
        driver_info=_DRIVER,
        max_connections=connections,
        timeout=COMMAND_SECONDS,
        socket_timeout=socket_seconds,
        retry=retry,
        legacy_responses=False,
    )
    pool.connection_class = PATIENT[pool.connection_class]
    # Not Redis(connection_pool=...): that leaves the pool open when the client closes.
    return Redis.from_pool(pool)


def known_nodes(client: Client) -> list[Address]:
    """The nodes of a cluster that the client has found, for another client."""
    if not isinstance(client, RedisCluster):
        return []
    return [(node.host, int(node.port)) for node in client.nodes_manager.nodes_cache.values()]


async def drop_connections(client: Client) -> None:
    """Make the client use new connections for later commands. Running commands finish first.

    A cluster is discovered again, also from the nodes of the URL, because all known nodes may have been
    replaced.
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
    """Close a client's connections, also broken ones.

    A cancellation of the caller does not interrupt the closing: it would leave a socket open, and uvloop
    would then never finish closing.
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
    # After a failure redis-py plans to discover the cluster again, and then `aclose` closes no connection.
    closings = (client.aclose(), *map(client.nodes_manager.aclose, ("nodes_cache", "startup_nodes")))
    for closing in closings:
        with contextlib.suppress(*UNREACHABLE):
            await closing
