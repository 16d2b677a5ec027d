"""The checks of `doctor` outside the store: this machine, this environment, the ports of the parts."""

import os
import resource
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

import httpx
from msgspec import structs

from tidings_api.cli.dev import MAKE_VARIABLE
from tidings_api.cli.findings import Finding, ok, warning, wrong
from tidings_workers.addresses import reachable
from tidings_workers.config import Settings, variable_of
from tidings_workers.identity import STORE_HEADER
from tidings_workers.processes import READY_VARIABLE

CONNECT_SECONDS: Final = 3.0
# Open files that a process needs in addition to its connections: the store, logs, its own files.
SPARE_FILES: Final = 256
FEWEST_FILES: Final = 4_096

# Variables that are not settings of the server: two of the SDK, one of the supervisor, one of `make run`.
_OTHER_VARIABLES: Final = {"TIDINGS_KEY", "TIDINGS_URL", READY_VARIABLE, MAKE_VARIABLE}


def host_findings(settings: Settings, environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Check this machine and this environment."""
    return [_variables(environ), _open_files(settings, environ)]


def _variables(environ: Mapping[str, str]) -> Finding:
    known = {variable_of(name) for name in structs.asdict(Settings())} | _OTHER_VARIABLES
    unknown = sorted(name for name in environ if name.startswith("TIDINGS_") and name not in known)
    if unknown:
        return warning(
            "environment",
            f"{', '.join(unknown)} is set, but there is no such setting",
            "look the name up in `tidings-server config`",
        )
    return ok("environment", "every TIDINGS_ variable is a setting")


def _open_files(settings: Settings, environ: Mapping[str, str]) -> Finding:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return ok("open files", "no limit")
    room = max(hard - SPARE_FILES, 0)
    detail = f"a process may open {hard:,} files, so a gateway here holds up to {room:,} connections"
    cure = "raise it (ulimit -Hn, LimitNOFILE= of the systemd unit, --ulimit nofile of the container)"
    if hard < FEWEST_FILES:
        return wrong("open files", detail, cure)
    # The default is only an upper limit. A number that the operator set has to be reachable.
    if environ.get(variable_of("gateway_connections")) and room < settings.gateway_connections:
        return warning(
            "open files",
            f"{detail}, but TIDINGS_GATEWAY_CONNECTIONS is {settings.gateway_connections:,}",
            f"{cure}, or lower TIDINGS_GATEWAY_CONNECTIONS",
        )
    return ok("open files", detail)


async def port_findings(settings: Settings, store: str | None) -> list[Finding]:
    """Check that the API, the gateway and the operator's port answer at their addresses.

    `store` is the identity of the store that they have to name: empty when no part has used the store yet,
    None when unknown.
    """
    api = f"http://{reachable(settings.host)}:{settings.port}/health/ready"
    gateway = f"http://{reachable(settings.realtime_host)}:{settings.realtime_port}/v1/realtime"
    operator = f"http://{reachable(settings.operator_host)}:{settings.operator_port}/health/ready"
    async with httpx.AsyncClient(timeout=CONNECT_SECONDS, trust_env=False) as client:
        return [
            await _ask(client, Port("api", api, "port", is_ready), store),
            # A gateway refuses a request without an upgrade, and that answer shows that it is a gateway.
            await _ask(client, Port("gateway", gateway, "realtime_port", is_gateway), store),
            await _ask(client, Port("operator's port", operator, "operator_port", is_ready), store),
        ]


class Port(NamedTuple):
    """An address that a part of this installation should answer at."""

    check: str
    url: str
    field: str
    is_expected: Callable[[httpx.Response], bool]


def is_ready(response: httpx.Response) -> bool:
    """Whether this is the answer of a ready part."""
    return response.is_success


def is_gateway(response: httpx.Response) -> bool:
    """Whether this is a gateway's answer to a request without an upgrade to WebSocket."""
    return response.status_code == HTTPStatus.UPGRADE_REQUIRED


async def _ask(client: httpx.AsyncClient, port: Port, store: str | None) -> Finding:
    variable = variable_of(port.field)
    try:
        response = await client.get(port.url)
    except httpx.TimeoutException:
        return wrong(
            port.check,
            f"{port.url} accepts connections but does not answer within {CONNECT_SECONDS:.0f} s",
            f"see its log and restart it, or set {variable} to the right one",
        )
    except httpx.RemoteProtocolError:
        return wrong(port.check, f"{port.url} does not speak HTTP", _elsewhere(variable))
    except httpx.HTTPError:
        return wrong(
            port.check,
            f"nothing answers at {port.url}",
            f"start it, or set {variable} to its port; use --no-ports if no part runs here",
        )
    named = response.headers.get(STORE_HEADER)
    if named and store is not None and named != store:
        return wrong(
            port.check,
            f"{port.url} belongs to another installation, with another store",
            _elsewhere(variable),
        )
    if not port.is_expected(response):
        return wrong(
            port.check,
            f"{port.url} answers {response.status_code}: {' '.join(response.text[:300].split())}",
            "see the fault that it names, and its log",
        )
    if not named:
        return wrong(
            port.check, f"{port.url} answers, but not like this version of Tidings", _elsewhere(variable)
        )
    if store is None:
        return warning(
            port.check,
            f"{port.url} answers, but without the store its installation is unknown",
            "run doctor again when the store answers",
        )
    return ok(port.check, f"{port.url} answers, and works on this store")


def _elsewhere(variable: str) -> str:
    return f"set {variable} to the port of this installation's part, or stop the program that listens there"
