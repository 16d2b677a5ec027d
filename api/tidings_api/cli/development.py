"""Runs `tidings-server dev`: the embedded store, the parts, the demo tenant, the welcome text."""

import asyncio
import contextlib
import errno
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import structs

from tidings_api.cli.dev import HIGHEST_PORT, MAKE_VARIABLE
from tidings_api.cli.errors import CommandFailed
from tidings_api.cli.progress import Progress
from tidings_api.cli.store_diagnosis import warn_of_server
from tidings_api.cli.welcome import Demo, open_demo, open_sample_upstream, print_welcome
from tidings_workers.bridge.brokers import check_extra
from tidings_workers.bridge.file import read_file
from tidings_workers.config import Settings
from tidings_workers.data_directory import DataDirectory
from tidings_workers.data_state import Addresses
from tidings_workers.embedded import EmbeddedValkey
from tidings_workers.logs import get_logger
from tidings_workers.operator import Health, operator_port
from tidings_workers.store import Store
from tidings_workers.supervisor import Part, Supervisor

# The distance from a port in use to the port that the error proposes.
_STEP: Final = 1_000

_PARTS: Final = (("api", 0), ("gateway", 0), ("dispatcher", 1))
_ARCHIVER: Final = ("archiver", 1)
_BRIDGE: Final = ("bridge", 0)

_log = get_logger(__name__)


def run(settings: Settings, progress: Progress) -> None:
    """Run until SIGINT, SIGTERM or SIGHUP. A second signal kills the parts that have not stopped yet."""
    _check_ports(settings)
    _check_bridge(settings)
    asyncio.run(_run(settings, progress))
    progress.stopped()


async def _run(settings: Settings, progress: Progress) -> None:
    async with _embedded(settings) as (settings, directory, valkey):  # noqa: PLR1704 - with its URL
        demo: list[Demo] = []
        health = Health({"parts": lambda: _all_ready(supervisor)})

        async def before_parts() -> None:
            store = await Store.open(settings, name="supervisor")
            try:
                if directory is not None and valkey is not None and valkey.data_may_be_lost:
                    _log.warning(
                        "writes may be lost",
                        reason="the machine stopped while the store was running: the store gets a new epoch, "
                        "so every client reloads",
                    )
                    await store.start_new_epoch()
                    directory.loss_reported()
                if valkey is None:
                    await warn_of_server(settings)
                health.store = store.identity
                demo.append(await open_demo(store.redis))
                await open_sample_upstream(store.redis, settings)
                if demo[0].remark:
                    _log.warning("the demo tenant has a new key", reason=demo[0].remark)
            finally:
                await store.close()

        async def on_ready() -> None:
            health.serving = True
            if directory is not None:
                directory.write_addresses(msgspec.convert(settings, Addresses, from_attributes=True))
            print_welcome(settings, demo[0], progress)

        supervisor = Supervisor(
            _parts(settings),
            valkey=valkey,
            drain_seconds=settings.drain_seconds,
            before_parts=before_parts,
            on_ready=on_ready,
        )
        stop = asyncio.Event()

        def on_signal() -> None:
            health.serving = False
            if stop.is_set():
                supervisor.kill_now.set()
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, on_signal)
        async with operator_port(
            settings.operator_host, settings.operator_port, health, settings.operator_hosts
        ):
            await supervisor.run(stop)


@contextlib.asynccontextmanager
async def _embedded(
    settings: Settings,
) -> AsyncIterator[tuple[Settings, DataDirectory | None, EmbeddedValkey | None]]:
    if settings.redis_url is not None:
        yield settings, None, None
        return
    directory = DataDirectory.acquire(settings.data)
    try:
        valkey = EmbeddedValkey(directory, settings.durability)
        yield structs.replace(settings, redis_url=valkey.url), directory, valkey
    finally:
        directory.release()


async def _all_ready(supervisor: Supervisor) -> None:
    if supervisor.unready:
        raise CommandFailed(f"not ready: {', '.join(supervisor.unready)}")


def _parts(settings: Settings) -> list[Part]:
    """The parts to run: an archiver and a bridge where the settings name their database and file."""
    wanted = [*_PARTS]
    if settings.archives:
        wanted.append(_ARCHIVER)
    if settings.bridge_file is not None:
        wanted.append(_BRIDGE)
    return [_part(name, rank, settings) for name, rank in wanted]


def _part(name: str, rank: int, settings: Settings) -> Part:
    return Part(
        name=name,
        command=(sys.executable, "-m", "tidings_api.cli", name),
        environment={**os.environ, **settings.to_environment()},
        rank=rank,
    )


def _check_bridge(settings: Settings) -> None:
    """Raise ConfigurationError for a fault of the bridge's file, before anything is started."""
    if settings.bridge_file is not None:
        for table in read_file(Path(settings.bridge_file)):
            check_extra(table)


def _check_ports(settings: Settings) -> None:
    """Raise CommandFailed when a port is in use, before anything is started."""
    wanted = (
        ("the API", settings.host, settings.port, "--port"),
        ("the gateway", settings.realtime_host, settings.realtime_port, "--realtime-port"),
        ("metrics", settings.operator_host, settings.operator_port, "--operator-port"),
    )
    seen: dict[int, str] = {}
    for what, host, port, option in wanted:
        if port in seen:
            raise CommandFailed(
                f"port {port} is configured for both {seen[port]} and {what}: choose another, "
                f"{_with(option, port)}"
            )
        seen[port] = what
        try:
            family, kind, _, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise CommandFailed(
                    f"port {port} of {host}, for {what}, is in use: choose another, {_with(option, port)}"
                ) from error
            raise CommandFailed(
                f"{what} can't listen on {host}, port {port} ({error.strerror}): choose another with "
                f"--host or {option}"
            ) from error


def _with(option: str, taken: int) -> str:
    """The command line with a free port, as `make run` or `tidings-server dev`, whichever the user typed."""
    other = taken + _STEP if taken + _STEP <= HIGHEST_PORT else taken - _STEP
    if os.environ.get(MAKE_VARIABLE):
        return f'as in make run ARGS="{option} {other}"'
    return f"as in tidings-server dev {option} {other}"
