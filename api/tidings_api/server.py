"""The API's process: Granian in this event loop, the store behind it, and an orderly end.

Granian runs embedded: accepting and parsing happen in its own threads, handlers in this loop, and
there is one process, so nothing is left holding the port when it is killed.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from litestar import Router

from tidings_api.app import create_app
from tidings_api.connections import IDLE_SECONDS, LOOK_SECONDS, Connections, is_supported
from tidings_api.edge import Edge
from tidings_api.realtime_address import is_left_to_chance
from tidings_api.services import Services
from tidings_workers.config import Settings
from tidings_workers.registry import RegistryView
from tidings_workers.store import Outage, StorageUnavailable, Store
from tidings_workers.tasks import cancelled, every, keep_running, open_store

CONNECTIONS: Final = 16_384
BUFFER_BYTES: Final = 128 * 1024
PROBE_SECONDS: Final = 1.0
# Dispatchers may start a moment after the API.
DISPATCHER_SECONDS: Final = 4.0
# A busy client sends its next request well within this time after an answer.
LAST_ANSWERS_SECONDS: Final = 0.5

_log = structlog.get_logger()


async def run(
    settings: Settings, stop: asyncio.Event, ready: Callable[[], None], pages: Sequence[Router] = ()
) -> None:
    """Serves until `stop` is set; then takes nothing new, answers what is under way and returns.

    That takes `settings.drain_seconds` at most. `ready` is called when the first request can be
    answered in full; until the store can be opened all that needs it is a 503. `pages` are served
    beside the API. Raises OSError when the address is taken.
    """
    address = _free_address(settings.host, settings.port)
    if is_left_to_chance(settings) and not pages:
        _log.warning(
            "TIDINGS_REALTIME_URL is not set",
            reason="the API listens on all addresses, but POST /v1/tokens can only guess where clients reach "
            "the gateways: set it to their public ws:// or wss:// URL",
        )
    services = Services(settings)
    edge = Edge(create_app(services, pages), admits=services.admits)
    server = _server(edge, address, settings.port)
    listening = asyncio.Event()
    server.on_startup(listening.set)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(_serve(server, stop))
        await listening.wait()
        engine = tasks.create_task(_engine(services, stop, ready))
        watching = tasks.create_task(_watch(settings.port, edge))
        await stop.wait()
        _log.info("draining")
        # Granian closes kept connections at once, also when the next request is already on its way.
        # So their clients are first told to leave, each with its next answer.
        edge.last_answers = True
        await asyncio.sleep(LAST_ANSWERS_SECONDS)
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait([serving], timeout=settings.drain_seconds)
        if not serving.done():
            _log.warning("requests cut off", reason="they took longer than the drain time")
            serving.cancel()
        engine.cancel()
        watching.cancel()


async def _watch(port: int, edge: Edge) -> None:
    if is_supported():
        connections = Connections(port, edge.active)
        try:
            await every(LOOK_SECONDS, "connections", connections.look)
        finally:
            connections.close()
    else:
        _log.warning(
            "slow clients are not closed early",
            reason=f"this system does not count what connections send: a client has {IDLE_SECONDS} seconds"
            " for the head of a request. Put a proxy in front of the API.",
        )


async def _serve(server: Server, stop: asyncio.Event) -> None:
    try:
        await server.serve()
    except asyncio.CancelledError:
        # Granian's own tasks are not ours to cancel: without this they would go on accepting.
        for worker in server.wrks:
            worker.terminate()  # type: ignore[no-untyped-call]
        raise
    if not stop.is_set():
        raise RuntimeError("the HTTP server ended by itself")


async def _engine(services: Services, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Opens the store as soon as it is there, then keeps the registry and readiness up to date."""
    store = await open_store(services.settings, "api", stop)
    if store is None:
        return
    try:
        view = RegistryView(store.redis)
        await keep_running("registry", view.load)
        services.opened(store, view)
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
            # A TaskGroup cancels once, and one cancellation may be swallowed: then it waits for ever.
            await cancelled(following)
    finally:
        await store.close()


async def _probe(services: Services, store: Store, idle: Outage) -> None:
    """Keeps readiness true, and what answers say of the store's epoch and durability."""
    await store.refresh()
    try:
        await store.ingress.probe()
    except StorageUnavailable as error:
        if error.reason != "no-dispatcher":
            raise
        idle.failed(error)
    else:
        idle.answered()
        services.probed()


def _server(app: Any, address: str, port: int) -> Server:
    return Server(
        app,
        address=address,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        backlog=1024,
        # It counts open connections, idle ones too, and leaves those above it waiting.
        backpressure=CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=IDLE_SECONDS * 1000, max_buffer_size=BUFFER_BYTES),
        log_enabled=False,
    )


def _free_address(host: str, port: int) -> str:
    """The IP address of a host, IPv4 where it has both; OSError when something listens there.

    Granian takes no names, and it binds with SO_REUSEPORT, so two servers on one port would share it
    without a word.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
    return str(address[0])
