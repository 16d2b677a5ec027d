"""What `doctor` looks at outside the store: this machine, this environment, the parts' ports."""

import os
import resource
from collections.abc import Mapping
from typing import Final, Literal

import httpx
from msgspec import Struct, structs

from tidings_workers.config import Settings, reachable, variable_of
from tidings_workers.processes import READY_VARIABLE

CONNECT_SECONDS: Final = 3.0
# What a process needs besides its connections: the store, logs, its own files.
SPARE_FILES: Final = 256
FEWEST_FILES: Final = 4_096

# Variables of ours that are no settings: the SDK's two, and the supervisor's.
_OTHER_VARIABLES: Final = {"TIDINGS_KEY", "TIDINGS_URL", READY_VARIABLE}


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was looked at. `cure` says how to mend it, where it is not ok."""

    check: str
    level: Literal["ok", "warning", "wrong"]
    detail: str
    cure: str = ""


def ok(check: str, detail: str) -> Finding:
    """Nothing to do."""
    return Finding(check=check, level="ok", detail=detail)


def warning(check: str, detail: str, cure: str) -> Finding:
    """It works, but not as well or as long as it should."""
    return Finding(check=check, level="warning", detail=detail, cure=cure)


def wrong(check: str, detail: str, cure: str) -> Finding:
    """It does not work, or a promise does not hold."""
    return Finding(check=check, level="wrong", detail=detail, cure=cure)


def host_findings(settings: Settings, environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Look at this machine and this environment."""
    return [_variables(environ), _open_files(settings)]


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


def _open_files(settings: Settings) -> Finding:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return ok("open files", "no limit")
    detail = f"a process may open {hard:,} files, one per connection"
    cure = "raise it (ulimit -Hn, LimitNOFILE= of the systemd unit, --ulimit nofile of the container)"
    if hard < FEWEST_FILES:
        return wrong("open files", detail, cure)
    if hard < settings.gateway_connections + SPARE_FILES:
        return warning(
            "open files",
            f"{detail}, but a gateway takes up to {settings.gateway_connections:,} connections",
            f"{cure}, or lower TIDINGS_GATEWAY_CONNECTIONS",
        )
    return ok("open files", detail)


async def port_findings(settings: Settings) -> list[Finding]:
    """Ask the API, the gateway and the operator's port at their addresses."""
    api = f"http://{reachable(settings.host)}:{settings.port}/health/ready"
    gateway = f"http://{reachable(settings.realtime_host)}:{settings.realtime_port}/v1/realtime"
    operator = f"http://{reachable(settings.operator_host)}:{settings.operator_port}/health/ready"
    async with httpx.AsyncClient(timeout=CONNECT_SECONDS, trust_env=False) as client:
        return [
            await _ready(client, "api", api, "port"),
            # Without an upgrade it refuses, and shows thereby that a gateway listens.
            await _answers(client, "gateway", gateway, "realtime_port"),
            await _ready(client, "operator's port", operator, "operator_port"),
        ]


async def _ready(client: httpx.AsyncClient, check: str, url: str, field: str) -> Finding:
    try:
        response = await client.get(url)
    except httpx.HTTPError as error:
        return _silent(check, url, field, error)
    if response.is_success:
        return ok(check, f"{url} says it is ready")
    return wrong(
        check,
        f"{url} answers {response.status_code}: {response.text[:300].strip()}",
        "see what it names as not ok, and its log",
    )


async def _answers(client: httpx.AsyncClient, check: str, url: str, field: str) -> Finding:
    try:
        response = await client.get(url)
    except httpx.HTTPError as error:
        return _silent(check, url, field, error)
    return ok(check, f"{url} answers (with {response.status_code} to plain HTTP)")


def _silent(check: str, url: str, field: str, error: httpx.HTTPError) -> Finding:
    return wrong(
        check,
        f"{url} does not answer ({type(error).__name__})",
        f"start it, or say by {variable_of(field)} where it listens; --no-ports where none should run here",
    )
