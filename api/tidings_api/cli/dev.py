"""`tidings-server dev`: turns its options into settings and runs everything."""

import gc
import os
import sys
import tempfile
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter, validators
from msgspec import structs

from tidings_api.cli.embedded_archive import with_own_archive
from tidings_api.cli.errors import WrongUsage
from tidings_api.cli.progress import Progress
from tidings_workers import logs
from tidings_workers.config import Settings, service_links, variable_of
from tidings_workers.processes import raise_open_files

OPEN_FILES: Final = 65_536
# Room for 20,000 connections from one address, also when all of them are of one user.
CONNECTIONS: Final = 25_000

# `make run` sets it, so that an error shows how to pass an option to `make run`.
MAKE_VARIABLE: Final = "TIDINGS_MAKE"

LOOPBACK: Final = "127.0.0.0/8,::1/128"

HIGHEST_PORT: Final = 65_535

_IS_PORT: Final = validators.Number(gte=1, lte=HIGHEST_PORT)


def dev(
    *,
    host: Annotated[
        str | None, Parameter(help="Address that the API and the gateway listen on. [default: 127.0.0.1]")
    ] = None,
    port: Annotated[
        int | None, Parameter(validator=_IS_PORT, help="Port of the API. [default: 8000]")
    ] = None,
    realtime_port: Annotated[
        int | None, Parameter(validator=_IS_PORT, help="Port of the gateway's WebSockets. [default: 8001]")
    ] = None,
    operator_port: Annotated[
        int | None,
        Parameter(validator=_IS_PORT, help="Port of /metrics and health. [default: realtime port + 1]"),
    ] = None,
    data: Annotated[
        Path | None,
        Parameter(help="Directory of the embedded store; created if missing. [default: ./.tidings]"),
    ] = None,
    bridge: Annotated[
        Path | None, Parameter(help="Also run a bridge with the message brokers of this TOML file.")
    ] = None,
    json: Annotated[
        bool,
        Parameter(
            negative="",
            help="When ready, print one line of JSON to stdout: api, realtime, page, tenant, key.",
        ),
    ] = False,
) -> int:
    """Run everything on this machine: the store, the API, a dispatcher, a gateway and an archiver.

    Starts its own store (Valkey, with its data in --data) unless REDIS_URL names one, creates the tenant
    demo with a key, restarts parts that crash, and prints what to try next. Ctrl-C stops it gracefully.
    Options override the environment: see `tidings-server config`.
    """
    settings = _settings(host, port, realtime_port, operator_port, data)
    if bridge is not None:
        settings = structs.replace(settings, bridge_file=str(bridge.absolute()))
    logs.configure("supervisor", format=settings.log_format, level=settings.log_level)
    logs.warn_of_service_links()
    raise_open_files(OPEN_FILES)
    with tempfile.TemporaryDirectory(prefix="tidings-metrics-") as metrics:
        # prometheus_client reads it once, at its import: hence the import below.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
        progress = Progress(settings, as_json=json)
        progress.starting()
        from tidings_api.cli.development import run  # noqa: PLC0415

        gc.enable()
        run(settings, progress)
    return 0


def _settings(
    host: str | None,
    port: int | None,
    realtime_port: int | None,
    operator_port: int | None,
    data: Path | None,
) -> Settings:
    settings = Settings.from_environment()
    options = {
        "host": host,
        "realtime_host": host,
        "port": port,
        "realtime_port": realtime_port,
        "operator_port": operator_port,
        "data": data,
    }
    settings = structs.replace(
        settings, **{name: value for name, value in options.items() if value is not None}
    )
    if data is not None:
        settings = structs.replace(settings, redis_url=None)

    def unset(field: str) -> bool:
        variable = variable_of(field)
        return not os.environ.get(variable, "").strip() or variable in service_links()

    # The other two ports follow --port, so that a second `dev` needs only another --port.
    if realtime_port is None and unset("realtime_port"):
        settings = structs.replace(settings, realtime_port=_next(settings.port, "--realtime-port"))
    if operator_port is None and unset("operator_port"):
        settings = structs.replace(settings, operator_port=_next(settings.realtime_port, "--operator-port"))
    for field in ("connections_per_user", "connections_per_address", "guests_per_address"):
        if unset(field):
            settings = structs.replace(settings, **{field: CONNECTIONS})
    # The upstreams of development run on this machine.
    networks = ",".join(filter(None, (settings.egress_networks, LOOPBACK, *_own_network(settings.host))))
    settings = structs.replace(settings, egress_networks=networks)
    if unset("log_format") and sys.stderr.isatty():
        settings = structs.replace(settings, log_format="console")
    settings = structs.replace(settings, data=settings.data.absolute())
    return settings if settings.redis_url is not None else with_own_archive(settings)


def _own_network(host: str) -> list[str]:
    """The address that the API listens on, where it is one: its sample upstream is there."""
    try:
        return [str(ip_network(host))]
    except ValueError:
        return []


def _next(port: int, option: str) -> int:
    if port == HIGHEST_PORT:
        raise WrongUsage(f"there is no port after {port}: choose one with {option}")
    return port + 1
