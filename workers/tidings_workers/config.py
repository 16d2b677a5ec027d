"""Every setting of the server, read from the environment in one place.

A process reads its settings once, at its start; no other module reads the environment. Each field has its
meaning, range and default, and `tidings-server config` prints these, so this file is also the reference.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import Meta, Struct, structs

from tidings.protocol import limits
from tidings_workers.addresses import masked, reachable
from tidings_workers.config_checks import ConfigurationError, check
from tidings_workers.egress.addresses import Networks, networks_of

Durability = Literal["memory", "everysec", "always"]
LogFormat = Literal["console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

Port = Annotated[int, Meta(ge=1, le=65_535)]
Count = Annotated[int, Meta(ge=1)]

# The embedded Valkey has this text in proc-title-template. From CONFIG GET, a client knows that the file
# is synced every second although `appendfsync` is `no`.
SYNCED_EVERY_SECOND: Final = "synced every second"

BACKLOG_BYTES: Final = 1_073_741_824
# The value of `archive_url` that names no database.
NO_ARCHIVE: Final = "none"

# The exit code of a process whose configuration is wrong, so a restart can't help: EX_CONFIG of sysexits.h.
EXIT_CONFIGURATION: Final = 78


class Settings(Struct, frozen=True, kw_only=True):
    """The settings of one process. Change a copy with `msgspec.structs.replace`."""

    redis_url: Annotated[
        str | None,
        Meta(
            description="The store: redis://, rediss:// or unix://; for a cluster redis+cluster:// or "
            "rediss+cluster://, with one or several of its nodes (a:6379,b:6379). "
            "`dev` runs an embedded Valkey when it is not set"
        ),
    ] = None
    data: Annotated[Path, Meta(description="Directory of the embedded Valkey's data")] = Path(".tidings")
    durability: Annotated[
        Durability,
        Meta(
            description="Durability that a 202 promises: memory (in Redis' memory), everysec (synced to disk "
            "within a second) or always (synced before the answer)"
        ),
    ] = "everysec"
    partitions: Annotated[
        int,
        Meta(ge=1, le=1024, description="Partitions of the store; fixed at the first use of a store"),
    ] = 16
    host: Annotated[str, Meta(description="Address or host name that the API listens on")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port of the API")] = 8000
    realtime_host: Annotated[str, Meta(description="Address or host name that the gateway listens on")] = (
        "127.0.0.1"
    )
    realtime_port: Annotated[Port, Meta(description="Port of the gateway's WebSockets")] = 8001
    stomp_paths: Annotated[
        str,
        Meta(description="Paths on the realtime port for STOMP and SockJS, separated by commas"),
    ] = "/ws"
    operator_host: Annotated[
        str, Meta(description="Address of /metrics and health of this process; keep it private")
    ] = "127.0.0.1"
    operator_port: Annotated[Port, Meta(description="Port of /metrics and health of this process")] = 8002
    operator_names: Annotated[
        str,
        Meta(
            description="Further names, separated by commas, that a request for /metrics and health may have "
            "as Host. Addresses, names without a dot, and names under .local and .internal are always allowed"
        ),
    ] = ""
    realtime_url: Annotated[
        str | None,
        Meta(
            description="Public ws:// or wss:// URL of the gateways, which the API sends with user tokens; "
            "by default it has the realtime host and port"
        ),
    ] = None
    outbox_bytes: Annotated[
        int,
        Meta(
            ge=limits.FRAME_BYTES,
            description="Bytes that may wait for one connection; above it, it is closed as a slow consumer",
        ),
    ] = 1_048_576
    connections_per_user: Annotated[Count, Meta(description="Connections of one user, per gateway")] = 100
    connections_per_address: Annotated[
        Count, Meta(description="Connections from one client address, per gateway")
    ] = 1_000
    guests_per_address: Annotated[
        Count, Meta(description="Connections without a token from one client address, per gateway")
    ] = 100
    connections_per_tenant: Annotated[Count, Meta(description="Connections of one tenant, per gateway")] = (
        100_000
    )
    gateway_connections: Annotated[Count, Meta(description="Connections of one gateway in all")] = 200_000
    egress_networks: Annotated[
        str,
        Meta(
            description="Networks, separated by commas, that calls to URLs of tenants (upstreams) may reach "
            "besides public addresses: 10.0.0.0/8, for example. `dev` adds the loopback addresses"
        ),
    ] = ""
    heartbeat_seconds: Annotated[
        int, Meta(ge=1, le=3600, description="Seconds of silence after which the gateway pings a connection")
    ] = limits.HEARTBEAT_SECONDS
    drain_seconds: Annotated[
        float,
        Meta(ge=0, le=3600, description="Seconds after SIGTERM in which a part finishes work in flight"),
    ] = 8
    retention_seconds: Annotated[
        int,
        Meta(ge=60, description="Seconds that a notification is kept, unless the tenant has its own rule"),
    ] = limits.RETENTION_SECONDS
    events_bytes: Annotated[
        int,
        Meta(
            ge=1_048_576,
            description="Bytes of events that are kept for one tenant; of more, the oldest are removed",
        ),
    ] = 268_435_456
    archive_url: Annotated[
        str | None,
        Meta(
            description="The SQL database for what the retention removes from the store: sqlite:///path, "
            "postgresql://user:password@host/database, or none. `dev` keeps one in its data directory"
        ),
    ] = None
    archive_backlog_bytes: Annotated[
        int,
        Meta(
            ge=1_048_576,
            description="Bytes of notifications that may wait in the store for an archive that does not "
            "answer; beyond it the retention removes them without a copy",
        ),
    ] = BACKLOG_BYTES
    bridge_file: Annotated[
        str | None, Meta(description="TOML file of the bridge's sources; `tidings-server bridge` reads it")
    ] = None
    log_format: Annotated[LogFormat, Meta(description="json for machines, console for people")] = "json"
    log_level: Annotated[
        LogLevel, Meta(description="Lowest severity that is logged; debug adds tracebacks")
    ] = "info"

    @property
    def operator_hosts(self) -> tuple[str, ...]:
        """The names of `operator_names`."""
        return tuple(name for each in self.operator_names.split(",") if (name := each.strip()))

    @property
    def egress_allowed(self) -> Networks:
        """The networks of `egress_networks`."""
        return networks_of(self.egress_networks)

    @property
    def archives(self) -> bool:
        """Whether `archive_url` names a database."""
        return self.archive_url not in (None, NO_ARCHIVE)

    @property
    def stomp_bases(self) -> tuple[str, ...]:
        """The paths of `stomp_paths`, without a slash at the end."""
        return tuple(path for each in self.stomp_paths.split(",") if (path := each.strip().rstrip("/")))

    @property
    def public_realtime_url(self) -> str:
        """The URL that clients connect to: `realtime_url`, else one with the gateway's own address."""
        if self.realtime_url is not None:
            return self.realtime_url
        return f"ws://{reachable(self.realtime_host)}:{self.realtime_port}/v1/realtime"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read all settings; a variable that is missing or empty leaves its default.

        Blanks and line ends around a value are removed. The variables in `service_links` are ignored.
        Raises `ConfigurationError` for the first variable that can't be used.
        """
        values = {}
        for field in structs.fields(cls):
            variable = variable_of(field.name)
            text = environ.get(variable, "").strip()
            if text and not _is_service_link(variable, text):
                values[field.name] = _parse(variable, text, field.type)
        return cls(**values)

    def to_environment(self) -> dict[str, str]:
        """All settings as variables, for a child process, without those that are None."""
        values = ((variable_of(name), value) for name, value in structs.asdict(self).items())
        return {variable: str(value) for variable, value in values if value is not None}


def variable_of(field: str) -> str:
    """The environment variable of a field of `Settings`."""
    return "REDIS_URL" if field == "redis_url" else f"TIDINGS_{field.upper()}"


def service_links(environ: Mapping[str, str] = os.environ) -> list[str]:
    """The variables that are ignored because Kubernetes set them, to `tcp://address:port`.

    Kubernetes sets such variables for each Service: one named `tidings` gives TIDINGS_PORT.
    """
    variables = (variable_of(field.name) for field in structs.fields(Settings))
    return [name for name in variables if _is_service_link(name, environ.get(name, "").strip())]


def _is_service_link(variable: str, text: str) -> bool:
    return variable.endswith("_PORT") and text.startswith(("tcp://", "udp://", "sctp://"))


def _parse(variable: str, text: str, type_: Any) -> Any:
    if variable == "TIDINGS_DATA":
        return Path(text)
    try:
        value = msgspec.convert(text, type_, strict=False)
    except msgspec.ValidationError as error:
        shown = masked(text)
        raise ConfigurationError(f"{variable} is {shown!r}, but it must be {_rule(type_, error)}") from None
    check(variable, text)
    return value


def _rule(type_: Any, error: msgspec.ValidationError) -> str:
    metas = getattr(type_, "__metadata__", ())
    plain = getattr(type_, "__origin__", type_)
    if getattr(plain, "__origin__", None) is Literal:
        return "one of " + ", ".join(get_args(plain))
    low = next((meta.ge for meta in metas if meta.ge is not None), None)
    high = next((meta.le for meta in metas if meta.le is not None), None)
    if low is None:
        return str(error)
    kind = "a whole number" if plain is int else "a number"
    return f"{kind} of {low} or more" if high is None else f"{kind} from {low} to {high}"
