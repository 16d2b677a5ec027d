"""The gateway: accepts client connections and sends them notifications and changes of state.

Its modules are layers, from the process down to pure functions: see docs/adr/0008-layers-of-the-gateway.md.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from tidings_workers import metrics
from tidings_workers.config import Settings
from tidings_workers.gateway.gateway import Gateway
from tidings_workers.gateway.http import Pages
from tidings_workers.gateway.registrations import REAP_SECONDS
from tidings_workers.gateway.stream import Endpoint
from tidings_workers.gateway.websocket import WebSocket
from tidings_workers.logs import get_logger
from tidings_workers.registry import RegistryView
from tidings_workers.store import StorageUnavailable
from tidings_workers.tasks import cancel_all, every, keep_running, open_store

RENEW_SECONDS: Final = 5.0
SWEEP_SECONDS: Final = 2.0
FLUSH_SECONDS: Final = 0.2
BACKLOG: Final = 4096

_log = get_logger(__name__)


async def run(
    settings: Settings,
    stop: asyncio.Event,
    ready: Callable[[], None],
    further: Sequence[Endpoint] = (),
    pages: Pages | None = None,
) -> None:
    """Run a gateway until `stop` is set; `ready` is called once it accepts connections.

    It accepts WebSockets on `realtime_host` and `realtime_port` of the settings, and clients of the
    `further` endpoints. `pages` are served on the realtime port, too.

    When `stop` is set, it accepts no new connection, closes every connection with 1012, stores the
    acknowledged positions and the closed connections, and removes its feeds.
    """
    store = await open_store(settings, "gateway", stop)
    if store is None:
        return
    registry = RegistryView(store.redis)
    store.follow_policies(registry.tenant)
    gateway = Gateway(settings, store, registry, pages)
    partitions = list(range(store.partitions))
    # On one node one read serves all feeds. A cluster refuses a read of keys in several slots.
    reads = [[partition] for partition in partitions] if store.is_cluster else [partitions]
    servers: list[asyncio.Server] = []
    try:
        async with asyncio.TaskGroup() as tasks:

            async def prepare() -> None:
                await registry.load()
                await gateway.feeds.open()

            await keep_running("prepare", prepare)
            loop = asyncio.get_running_loop()
            for each in (Endpoint(WebSocket, settings.realtime_host, settings.realtime_port), *further):
                make = partial(each.make, gateway, gateway.pending_writes)
                servers.append(await loop.create_server(make, each.host, each.port, backlog=BACKLOG))
            running = [
                tasks.create_task(registry.run(stop)),
                tasks.create_task(gateway.turn_wheel()),
                tasks.create_task(every(RENEW_SECONDS, "renew", gateway.renew)),
                tasks.create_task(every(SWEEP_SECONDS, "sweep", gateway.sweep)),
                tasks.create_task(every(FLUSH_SECONDS, "flush", gateway.flush)),
                tasks.create_task(every(metrics.FLUSH_SECONDS, "metrics", metrics.flush)),
                tasks.create_task(every(REAP_SECONDS, "reap", gateway.registrations.reap)),
                *(
                    tasks.create_task(keep_running("feeds", partial(gateway.feeds.read, part)))
                    for part in reads
                ),
            ]
            try:
                ready()
                await stop.wait()
                for server in servers:
                    server.close()
                await gateway.drain()
            finally:
                # A TaskGroup cancels once, and one cancellation may be swallowed.
                await cancel_all(running)
    finally:
        # Also when the start failed: uvloop does not close a loop that has an open server.
        for server in servers:
            server.close()
        await gateway.background.close()
        await gateway.upstreams.close()
        await metrics.flush()
        try:
            await gateway.flush()
            await store.feeds.close(gateway.name)
        except StorageUnavailable:
            _log.warning("storage is unavailable while stopping; the feeds will expire")
        await store.close()
        _log.info("gateway stopped")
