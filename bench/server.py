"""A Tidings of its own for each measurement: `tidings-server dev` on free ports and fresh data."""

import contextlib
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import jwt
import msgspec
from msgspec import Struct

from bench.processes import Cores, command_line, descendants, pinned
from tidings_workers.data_state import read_state

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 20.0
_TOKEN_SECONDS: Final = 3600
# The load side answers no pings, so the server must send none during a measurement.
_HEARTBEAT_SECONDS: Final = 600


class ServerFailed(Exception):
    """A server did not start. The text has its output."""


class Server(Struct, frozen=True):
    """A running Tidings. `processes` are all of them by name; `store` is the URL of its Valkey."""

    port: int
    realtime_port: int
    tenant: str
    kid: str
    secret: str
    store: str
    processes: dict[str, int]

    def token(self, subject: str, scope: str) -> str:
        """A token as a customer's own program signs it."""
        now = int(time.time())
        claims = {
            "iss": self.tenant,
            "sub": subject,
            "aud": "tidings",
            "iat": now,
            "exp": now + _TOKEN_SECONDS,
            "scope": scope,
        }
        return jwt.encode(claims, self.secret, algorithm="HS256", headers={"kid": self.kid})


@contextlib.contextmanager
def running(cores: Cores, settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server with all its processes on the servers' core; stopped at the end. `settings` are TIDINGS_*."""
    with tempfile.TemporaryDirectory(prefix="tb", dir="/tmp", ignore_cleanup_errors=True) as name:
        home = Path(name)
        ports = free_ports(3)
        options = ("--port", "--realtime-port", "--operator-port")
        addresses = [word for pair in zip(options, map(str, ports), strict=True) for word in pair]
        command = [sys.executable, "-m", "tidings_api.cli", "dev", *addresses]
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")},
            "TIDINGS_HEARTBEAT_SECONDS": str(_HEARTBEAT_SECONDS),
            "TIDINGS_LOG_LEVEL": "warning",
            **(settings or {}),
        }
        environment.pop("REDIS_URL", None)
        command += ["--data", str(home / "data"), "--json"]
        with started(command, cores, home / "log", environment) as (process, line):
            facts = msgspec.json.decode(line)
            tenant, kid, secret = facts["key"].split(".")
            yield Server(
                port=urlsplit(facts["api"]).port or 0,
                realtime_port=urlsplit(facts["realtime"]).port or 0,
                tenant=tenant,
                kid=kid,
                secret=secret,
                store=_store(home / "data"),
                processes={_part(pid): pid for pid in descendants(process.pid)},
            )


@contextlib.contextmanager
def started(
    command: list[str], cores: Cores, log: Path, environment: dict[str, str] | None = None
) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """A process on the servers' core, and the line that it prints when it is ready."""
    with log.open("wb") as output, pinned(cores.server):
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output
        )
    try:
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], _START_SECONDS)
        line = process.stdout.readline().decode() if readable else ""
        if not line:
            raise ServerFailed(f"{command[2]} did not start: {log.read_text()[-2000:]}")
        yield process, line
    finally:
        stop(process)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Stop a process; kill it when that takes too long."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_ports(count: int) -> list[int]:
    """TCP ports of the loopback interface that are free now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listening in sockets:
            listening.bind(("127.0.0.1", 0))
        return [listening.getsockname()[1] for listening in sockets]


def _store(data: Path) -> str:
    state = read_state(data)
    if state is None:
        raise ServerFailed(f"the state in {data} does not name its store")
    return f"unix://{state.socket}"


def _part(pid: int) -> str:
    command = command_line(pid)
    if "valkey" in command[0]:
        return "valkey"
    return "supervisor" if "dev" in command else command[-1]
