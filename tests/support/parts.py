"""Several of each part on one store, each started alone as in production."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.support.no_tls import NO_TLS
from tests.support.ports import free_port
from tests.support.stack import END_SECONDS, START_SECONDS, Installation, clean_environment
from tests.support.valkey import wait_until


class Process:
    """One part with its port and its operator's port."""

    def __init__(self, part: str, redis_url: str, **settings: str) -> None:
        self.port, self._operator = free_port(), free_port()
        listens = "REALTIME_PORT" if part == "gateway" else "PORT"
        variables = {f"TIDINGS_{listens}": str(self.port), "TIDINGS_OPERATOR_PORT": str(self._operator)}
        self._command = [sys.executable, "-m", "tidings_api.cli", part]
        variables |= settings
        self._environment = clean_environment(REDIS_URL=redis_url, TIDINGS_LOG_LEVEL="error", **variables)
        self.start()

    def start(self) -> None:
        """Start, or restart on the same ports; `ready` is True when it serves."""
        self._process = subprocess.Popen(self._command, env=self._environment)

    def ready(self) -> bool:
        """Whether it serves."""
        assert self._process.poll() is None
        try:
            return self._get("/health/ready").is_success
        except httpx.RequestError:
            return False

    def cpu_seconds(self) -> float:
        """The processor time that it has used."""
        words = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def metric(self, name: str) -> float:
        """A metric, named with its labels; 0 when there is none."""
        lines = [line.split() for line in self._get("/metrics").text.splitlines()]
        return next((float(words[1]) for words in lines if words[0] == name), 0.0)

    def _get(self, path: str) -> httpx.Response:
        return httpx.get(
            f"http://127.0.0.1:{self._operator}{path}", timeout=5, trust_env=False, verify=NO_TLS
        )

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait(END_SECONDS)

    def end(self) -> None:
        """SIGTERM; exit code 0, unless it was killed before."""
        self._process.terminate()
        assert self._process.wait(END_SECONDS) in {0, -signal.SIGKILL}


class Parts:
    """An API, two dispatchers and two gateways."""

    def __init__(self, key: str, api: Process, dispatchers: list[Process], gateways: list[Process]) -> None:
        self.dispatchers, self.gateways = dispatchers, gateways
        self.urls = [f"ws://127.0.0.1:{gateway.port}/v1/realtime" for gateway in gateways]
        self.installation = Installation(f"http://127.0.0.1:{api.port}", self.urls[0], key)


def operate(redis_url: str, *words: str) -> dict[str, str]:
    """The JSON answer of an operator's command."""
    done = subprocess.run(
        [sys.executable, "-m", "tidings_api.cli", *words, "--json"],
        env=clean_environment(REDIS_URL=redis_url),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=True,
    )
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


@contextmanager
def running_parts(redis_url: str, **settings: str) -> Iterator[Parts]:
    """All parts, ready; stopped in order at the end. `settings` are TIDINGS_*."""
    operate(redis_url, "tenants", "create", "acme")
    key = operate(redis_url, "keys", "create", "--tenant", "acme")["key"]
    with ExitStack() as stack:

        def start(part: str) -> Process:
            process = Process(part, redis_url, **settings)
            stack.callback(process.end)
            return process

        api, *others = [start(part) for part in ("api", "dispatcher", "dispatcher", "gateway", "gateway")]
        for process in (api, *others):
            wait_until(process.ready, "the start of a part", START_SECONDS)
        yield Parts(key, api, others[:2], others[2:])
