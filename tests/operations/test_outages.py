"""The log lines of an outage of the store: one per part when it begins, one when it ends."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.operations.support import tidings_server
from tests.support.no_tls import NO_TLS
from tests.support.ports import free_port
from tests.support.stack import END_SECONDS, START_SECONDS, clean_environment
from tests.support.valkey import Valkey, wait_until
from tidings_workers.config import EXIT_CONFIGURATION

PARTS = ("api", "dispatcher", "gateway")


class Part:
    """One part, whose log is a file."""

    def __init__(self, name: str, redis_url: str, home: Path, variables: Mapping[str, str]) -> None:
        self.name = name
        self.log = home / f"{name}.log"
        self.operator = free_port()
        self.port = free_port()
        port = "TIDINGS_REALTIME_PORT" if name == "gateway" else "TIDINGS_PORT"
        variables = {**variables, port: str(self.port), "TIDINGS_OPERATOR_PORT": str(self.operator)}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tidings_api.cli", name],
                env=clean_environment(REDIS_URL=redis_url, **variables),
                stderr=log,
            )

    def ready(self) -> bool:
        """Whether it serves and its store answers."""
        assert self._process.poll() is None, self.log.read_text()
        try:
            url = f"http://127.0.0.1:{self.operator}/health/ready"
            return httpx.get(url, timeout=5, trust_env=False, verify=NO_TLS).is_success
        except httpx.RequestError:
            return False

    def lines(self, level: str = "") -> list[dict[str, Any]]:
        """Its log lines, of one level or of all."""
        found = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in found if line["level"] == level or not level]

    def says(self, event: str) -> bool:
        """Whether it has logged this event."""
        return any(line["event"] == event for line in self.lines())

    def end(self) -> None:
        """SIGTERM, and a graceful stop."""
        self._process.terminate()
        assert self._process.wait(END_SECONDS) == 0


@contextmanager
def running(redis_url: str, home: Path, *names: str, **variables: str) -> Iterator[list[Part]]:
    """Parts as in production."""
    with ExitStack() as stack:
        parts = [Part(name, redis_url, home, variables) for name in names]
        for part in parts:
            stack.callback(part.end)
        yield parts


def test_an_outage_is_two_lines_per_part(valkey: Valkey, tmp_path: Path) -> None:
    """When the store is killed and restarted, each part logs its loss once and its return once."""
    with running(valkey.url, tmp_path, *PARTS) as parts:
        for part in parts:
            wait_until(part.ready, part.name, START_SECONDS)
        valkey.kill()
        for part in parts:
            wait_until(partial(part.says, "storage is unavailable"), part.name)
        valkey.start()
        for part in parts:
            wait_until(partial(part.says, "storage is available again"), part.name)
            wait_until(part.ready, part.name)
        for part in parts:
            said = [line for line in part.lines() if line["level"] != "info" or "storage" in line["event"]]
            events = [line["event"] for line in said if line["event"] != "no dispatcher is at work"]
            assert events == ["storage is unavailable", "storage is available again"]
            assert said[0]["reason"] in {"refused", "closed"}
            assert said[0]["cure"]


def test_a_missing_dispatcher_is_logged(valkey: Valkey, tmp_path: Path) -> None:
    """Without a dispatcher the API logs that, and not that the storage is unavailable."""
    with running(valkey.url, tmp_path, "api") as (api,):
        wait_until(lambda: api.says("no dispatcher is at work"), "the line", START_SECONDS)
        with running(valkey.url, tmp_path, "dispatcher"):
            wait_until(lambda: api.says("dispatchers are at work again"), "the other line", START_SECONDS)
        assert not api.says("storage is unavailable")
        assert len(api.lines("warning")) == 1


@pytest.mark.parametrize("name", ["api", "gateway"])
def test_a_part_listens_on_a_name(valkey: Valkey, tmp_path: Path, name: str) -> None:
    """A part can listen on `localhost` in place of an address."""
    hosts = {"TIDINGS_HOST": "localhost", "TIDINGS_REALTIME_HOST": "localhost"}
    hosts["TIDINGS_OPERATOR_HOST"] = "localhost"
    with running(valkey.url, tmp_path, name, **hosts) as (part,):
        wait_until(part.ready, "the part", START_SECONDS)
        with socket.create_connection(("127.0.0.1", part.port)):
            pass


@pytest.mark.parametrize("variable", ["TIDINGS_HOST", "TIDINGS_OPERATOR_HOST"])
def test_an_unknown_name_is_explained(valkey: Valkey, tmp_path: Path, variable: str) -> None:
    """A host name without an address is a configuration error that names the variable."""
    environment = {"REDIS_URL": valkey.url, variable: "nowhere.invalid"}
    environment.setdefault("TIDINGS_OPERATOR_PORT", str(free_port()))
    ended = tidings_server("api", cwd=tmp_path, environment=environment)
    assert ended.returncode == EXIT_CONFIGURATION
    assert f"{variable} is 'nowhere.invalid'" in ended.stderr


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster"])
def test_a_part_waits_for_its_store(tmp_path: Path, scheme: str) -> None:
    """A part whose store is unavailable at its start logs that once and waits, also on a cluster."""
    with running(f"{scheme}://127.0.0.1:{free_port()}", tmp_path, "dispatcher") as (part,):
        wait_until(lambda: part.says("storage is unavailable"), "the line", START_SECONDS)
        wait_until(lambda: not part.ready(), "not being ready")
        assert len(part.lines("warning")) == 1
        assert part.lines("error") == []
