"""`tidings-server api`, `dispatcher`, `gateway`, `archiver`, `bridge`: one part per process, for production.

All settings are read from the environment. A part waits until the store answers, serves /metrics and
/health on its operator's port, and on SIGTERM or SIGINT drains and exits 0.
"""

import asyncio
import contextlib
import errno
import gc
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, Final

import uvloop
from msgspec import structs

from tidings_api.cli.errors import CommandFailed
from tidings_api.cli.store_diagnosis import warn_of_server
from tidings_workers import logs
from tidings_workers.addresses import masked
from tidings_workers.config import Settings, variable_of
from tidings_workers.config_checks import ConfigurationError
from tidings_workers.identity import identity_of
from tidings_workers.logs import get_logger
from tidings_workers.operator import Health, operator_port
from tidings_workers.processes import is_supervised, raise_open_files, report_ready
from tidings_workers.store.keys import META
from tidings_workers.store.pipeline import Pipeline

Run = Callable[[Settings, asyncio.Event, Callable[[], None]], Awaitable[None]]

OPEN_FILES: Final = 65_536
# Open files that a process needs in addition to its connections: the store, logs, its own files.
SPARE_FILES: Final = 256
# Time after the drain, to close the rest. With the default drain the whole stop takes less than 10 s.
CLOSING_SECONDS: Final = 1.5

_log = get_logger(__name__)


def api() -> int:
    """Run the HTTP API.

    It needs REDIS_URL and listens on TIDINGS_HOST and TIDINGS_PORT (127.0.0.1:8000). Any number may
    run on one store. All settings: `tidings-server config`.
    """
    # Only `dev` has a supervisor, and only `dev` serves the demo page.
    module = "tidings_api.demo" if is_supervised() else "tidings_api.server"
    return _run("api", module, ("host", "port"))


def dispatcher() -> int:
    """Run a dispatcher, which carries out the work that spans partitions.

    It needs REDIS_URL and listens only on its operator's port. Any number may run on one store: they share
    its partitions. All settings: `tidings-server config`.
    """
    return _run("dispatcher", "tidings_workers.dispatcher", None)


def gateway() -> int:
    """Run a gateway, to which clients connect by WebSocket.

    It needs REDIS_URL and listens on TIDINGS_REALTIME_HOST and TIDINGS_REALTIME_PORT
    (127.0.0.1:8001). Any number may run on one store. All settings: `tidings-server config`.
    """
    # Only `dev` has a supervisor, and only `dev` serves the page for Spring.
    module = "tidings_api.spring" if is_supervised() else "tidings_workers.gateway"
    return _run("gateway", module, ("realtime_host", "realtime_port"))


def archiver() -> int:
    """Run an archiver, which moves what the retention removes from the store into an SQL database.

    It needs REDIS_URL and TIDINGS_ARCHIVE_URL, and listens only on its operator's port. Any number may run on
    one store: they share its partitions. All settings: `tidings-server config`.
    """
    return _run("archiver", "tidings_workers.archiver", None)


def bridge(file: str | None = None) -> int:
    """Run a bridge, which sends what message brokers have.

    It needs REDIS_URL and a file, or TIDINGS_BRIDGE_FILE. It listens only on its operator's port.
    """
    return _run("bridge", "tidings_workers.bridge", None, file=file)


def _run(name: str, module: str, address: tuple[str, str] | None, *, file: str | None = None) -> int:
    settings = Settings.from_environment()
    if file is not None:
        settings = structs.replace(settings, bridge_file=file)
    if settings.redis_url is None:
        raise ConfigurationError(
            "REDIS_URL is not set: name the store, such as redis://127.0.0.1:6379/0, "
            "or run `tidings-server dev`, which starts its own"
        )
    for host in (*(address or ())[:1], "operator_host"):
        _check_host(settings, host)
    logs.configure(name, format=settings.log_format, level=settings.log_level)
    if not is_supervised():
        logs.warn_of_service_links()
    connections = settings.gateway_connections if name == "gateway" else 0
    raise_open_files(max(OPEN_FILES, connections + SPARE_FILES))
    run: Run = import_module(module).run
    _tune_gc()
    try:
        uvloop.run(_serve(settings, run))
    except OSError as error:
        if error.errno != errno.EADDRINUSE or address is None:
            raise
        raise _taken(settings, *address) from error
    return 0


def _tune_gc() -> None:
    """Collect cycles rarely: the hot paths make none, and the search took 13 to 30 % of their time.

    Measured in interleaved pairs: CPU per notification of batches in the API and the gateway.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)
    gc.enable()


async def _serve(settings: Settings, run: Run) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    supervised = is_supervised()
    async with contextlib.AsyncExitStack() as stack:
        health = Health()
        if not supervised:  # a supervisor serves one operator's port for all its parts
            pipeline = Pipeline(settings.redis_url or "", "tidings-health")
            stack.push_async_callback(pipeline.close)

            async def storage() -> None:
                await pipeline.writable()
                secret = await pipeline.call("HGET", META, "secret")
                health.store = identity_of(bytes.fromhex(secret.decode())) if secret else ""

            health = Health({"storage": storage})
            await stack.enter_async_context(_operator_port(settings, health))

        def ready() -> None:
            health.serving = True
            # Before `report_ready`, so that the supervisor's welcome text is the last output of a start.
            _log.info("ready", store=masked(settings.redis_url or ""))
            # A supervisor has already checked the server for all its parts.
            if not supervised:
                group.create_task(warn_of_server(settings))
            report_ready()

        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(_limit_stop(stop, health, settings.drain_seconds))
            await run(settings, stop, ready)
            stopping.cancel()
    _log.info("stopped")


async def _limit_stop(stop: asyncio.Event, health: Health, drain_seconds: float) -> None:
    """When `stop` is set, exit the process unless it stops in time."""
    await stop.wait()
    health.serving = False
    _log.info("stopping", drain_seconds=drain_seconds)
    # In a thread, because the work may block the event loop or swallow its cancellation.
    watchdog = threading.Timer(drain_seconds + CLOSING_SECONDS, _exit_now)
    watchdog.daemon = True
    watchdog.start()


def _exit_now() -> None:
    _log.error("the part did not stop in time")
    os._exit(1)


@contextlib.asynccontextmanager
async def _operator_port(settings: Settings, health: Health) -> Any:
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(
                operator_port(settings.operator_host, settings.operator_port, health, settings.operator_hosts)
            )
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise _taken(settings, "operator_host", "operator_port") from error
            raise
        yield


def _check_host(settings: Settings, host: str) -> None:
    try:
        socket.getaddrinfo(getattr(settings, host), None)
    except OSError as error:
        raise ConfigurationError(
            f"{variable_of(host)} is {getattr(settings, host)!r}, which does not resolve to an address: "
            "set it to an IP address, or to a name that resolves on this machine"
        ) from error


def _taken(settings: Settings, host: str, port: str) -> CommandFailed:
    return CommandFailed(
        f"port {getattr(settings, port)} of {getattr(settings, host)} is already in use: "
        f"choose another with {variable_of(port)}"
    )
