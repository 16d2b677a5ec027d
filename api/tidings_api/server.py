"""The process of the API: Granian and the store in one event loop, with a graceful stop.

Granian runs embedded: it accepts and parses in its own threads, and calls handlers in this loop. There is
one process, so a kill leaves no other process on the port.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from litestar import Router

from tidings_api.app import create_app
from tidings_api.connections import CHECK_SECONDS, IDLE_SECONDS, Connections, is_supported
from tidings_api.direct import direct_calls
from tidings_api.edge import Edge
from tidings_api.realtime_address import is_guessed
from tidings_api.services import Services
from tidings_workers import metrics
from tidings_workers.config import Settings
from tidings_workers.logs import get_logger
from tidings_workers.registry import RegistryView
from tidings_workers.store import Outage, StorageUnavailable, Store
from tidings_workers.tasks import cancel_all, every, keep_running, open_store

CONNECTIONS: Final = 16_384
BUFFER_BYTES: Final = 128 * 1024
PROBE_SECONDS: Final = 1.0
# Dispatchers may start later than the API: the warning about them waits this long.
DISPATCHER_SECONDS: Final = 4.0
# A client that sends without pause sends its next request within this time after an answer.
LAST_ANSWERS_SECONDS: Final = 0.5

_log = get_logger(__name__)


async def run(
    settings: Settings, stop: asyncio.Event, ready: Callable[[], None], pages: Sequence[Router] = ()
) -> None:
    """Serve until `stop` is set. Then accept nothing new, finish the running requests and return.

    The stop takes at most `settings.drain_seconds`. `ready` is called when the store is open; until then,
    requests that need the store get a 503. `pages` are further routes beside the API. Raises OSError when
    the address is in use.
    """
    address = _free_address(settings.host, settings.port)
    if is_guessed(settings) and not pages:
        _log.warning(
            "TIDINGS_REALTIME_URL is not set",
            reason="the API listens on all addresses, and POST /v1/tokens can only guess the address of the "
            "gateways: set it to their public ws:// or wss:// URL",
        )
    services = Services(settings)
    app = create_app(services, pages)
    edge = Edge(app, admits=services.admits, direct=direct_calls(app))
    server = _server(edge, address, settings.port)
    listening = asyncio.Event()
    server.on_startup(listening.set)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(_serve(server, stop))
        await listening.wait()
        storing = tasks.create_task(_run_store(services, stop, ready))
        watching = tasks.create_task(_watch(settings.port, edge))
        counting = tasks.create_task(every(metrics.FLUSH_SECONDS, "metrics", metrics.flush))
        await stop.wait()
        _log.info("draining")
        # Granian closes idle connections at once, also when the next request is already on its way. So for
        # LAST_ANSWERS_SECONDS each answer has Connection: close, and busy clients close their own connection.
        edge.last_answers = True
        services.stop_waiting()
        await asyncio.sleep(LAST_ANSWERS_SECONDS)
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait([serving], timeout=settings.drain_seconds)
        if not serving.done():
            _log.warning("requests cut off", reason="they took longer than the drain time")
            serving.cancel()
        storing.cancel()
        watching.cancel()
        counting.cancel()
    await metrics.flush()


async def _watch(port: int, edge: Edge) -> None:
    if is_supported():
        connections = Connections(port, edge.active)
        try:
            await every(CHECK_SECONDS, "connections", connections.check)
        finally:
            connections.close()
    else:
        _log.warning(
            "slow clients are not closed early",
            reason=f"this system has no TCP_INFO, so a client has {IDLE_SECONDS} seconds for the head of a "
            "request: put a proxy in front of the API",
        )


async def _serve(server: Server, stop: asyncio.Event) -> None:
    try:
        await server.serve()
    except asyncio.CancelledError:
        # Cancelling `serve` does not stop Granian's workers: without this they would go on accepting.
        for worker in server.wrks:
            worker.terminate()  # type: ignore[no-untyped-call]
        raise
    if not stop.is_set():
        raise RuntimeError("the HTTP server stopped unexpectedly")


async def _run_store(services: Services, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Open the store as soon as it answers, then keep the registry and readiness up to date."""
    store = await open_store(services.settings, "api", stop)
    if store is None:
        return
    try:
        view = RegistryView(store.redis)
        await keep_running("registry", view.load)
        services.store_opened(store, view)
        idle = Outage(
            logged=True,
            away="no dispatcher is at work",
            back="dispatchers are at work again",
            patience=DISPATCHER_SECONDS,
        )
        following = [
            asyncio.create_task(keep_running("registry", lambda: view.run(stop))),
            asyncio.create_task(every(PROBE_SECONDS, "probe", lambda: _probe(services, store, idle))),
        ]
        try:
            ready()
            await asyncio.wait(following)
        finally:
            # A TaskGroup cancels only once. A task may swallow that, and the group would then never finish.
            await cancel_all(following)
    finally:
        await store.close()


async def _probe(services: Services, store: Store, idle: Outage) -> None:
    """Update readiness, and the epoch and durability that answers name."""
    await store.refresh()
    try:
        await store.ingress.probe()
    except StorageUnavailable as error:
        if error.reason != "no-dispatcher":
            raise
        idle.failed(error)
    else:
        idle.answered()
        services.probe_succeeded()


def _server(app: Any, address: str, port: int) -> Server:
    return Server(
        app,
        address=address,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        backlog=1024,
        # The limit of open connections, idle ones included. Further ones wait in the backlog.
        backpressure=CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=IDLE_SECONDS * 1000, max_buffer_size=BUFFER_BYTES),
        log_enabled=False,
    )


def _free_address(host: str, port: int) -> str:
    """The IP address of a host, IPv4 where it has both. Raises OSError when the port is in use there.

    Granian takes no host names. It binds with SO_REUSEPORT, so two servers on one port would silently share
    it.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
    return str(address[0])
