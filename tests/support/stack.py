"""All of Tidings as a user starts it: `tidings-server dev --json` in its own process."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

import httpx
import jwt

from tests.support.no_tls import NO_TLS
from tests.support.ports import free_port
from tests.support.valkey import wait_until

Part = Literal["api", "dispatcher", "gateway", "archiver", "valkey"]
PARTS: tuple[Part, ...] = ("api", "dispatcher", "gateway", "valkey")
"""The parts without which nothing is delivered."""

START_SECONDS = 40.0
END_SECONDS = 20.0


# Ports already given: a part that is about to start does not listen yet.


def clean_environment(**variables: str) -> dict[str, str]:
    """The environment of this process without settings of Tidings, and with `variables`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TIDINGS_") and name not in {"REDIS_URL", "PROMETHEUS_MULTIPROC_DIR"}
    }
    return {**kept, **variables}


def is_running(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def part_of(pid: int) -> Part | None:
    """The part of an installation that a process runs; None for another process."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return None
    if words[0].startswith("tidings-valkey"):
        return "valkey"
    name = words[3] if words[1:3] == ["-m", "tidings_api.cli"] and len(words) > 3 else ""
    return next((part for part in get_args(Part) if part == name), None)


class Installation:
    """The URLs of a running Tidings, and a key."""

    def __init__(self, api: str, realtime: str, key: str) -> None:
        self.api, self.realtime, self.key = api, realtime, key

    def token(self, subject: str, scope: str = "inbox", **patterns: list[str]) -> str:
        """A token signed with the key, for a user, or for a service with another scope."""
        tenant, kid, secret = self.key.split(".")
        now = int(time.time())
        claims = {"iss": tenant, "sub": subject, "aud": "tidings", "iat": now, "exp": now + 3600}
        return jwt.encode(
            {**claims, "scope": scope, **patterns}, secret, algorithm="HS256", headers={"kid": kid}
        )

    def ready(self) -> int:
        """The status of `/health/ready`; 0 without an answer."""
        try:
            return httpx.get(
                f"{self.api}/health/ready", timeout=5, trust_env=False, verify=NO_TLS
            ).status_code
        except httpx.RequestError:
            return 0


class Stack(Installation):
    """One `dev` and its data; it may be killed and started again on the same ports and data.

    `settings` are variables of its environment.
    """

    def __init__(self, home: Path, **settings: str) -> None:
        super().__init__("", "", "")
        self.home = home
        self._settings = settings
        self.data = home / "data"
        self.log = home / "dev.log"
        self.ports = [free_port() for _ in range(3)]
        self._process: subprocess.Popen[str] | None = None

    @property
    def process(self) -> subprocess.Popen[str]:
        """The supervisor; AssertionError before `start`."""
        assert self._process is not None
        return self._process

    def command(self) -> list[str]:
        """The command line of `dev`."""
        options = zip(("--port", "--realtime-port", "--operator-port"), map(str, self.ports), strict=True)
        return [
            *(sys.executable, "-m", "tidings_api.cli", "dev", "--json", "--data", str(self.data)),
            *(word for option in options for word in option),
        ]

    def start(self) -> None:
        """Start, and return when it reports that it is ready."""
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=clean_environment(**self._settings),
            )
        assert self._process.stdout is not None
        # If it dies, the pipe closes. The timer is for a start that hangs.
        timer = threading.Timer(START_SECONDS, self._process.kill)
        timer.start()
        line = self._process.stdout.readline()
        timer.cancel()
        assert line, f"dev did not start:\n{self.log.read_text()[-3000:]}"
        ready = json.loads(line)
        self.api, self.realtime, self.key = ready["api"], ready["realtime"], ready["key"]

    def terminate(self) -> int:
        """SIGTERM; its exit code."""
        self.process.terminate()
        return self.wait()

    def wait(self) -> int:
        """Wait for the exit; the exit code."""
        code = self.process.wait(END_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def end(self) -> None:
        """Stop all processes, whatever the test did."""
        if self._process is not None and self._process.poll() is None:
            for pid in self.pids().values():
                os.kill(pid, signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        if self._process is not None:
            self.wait()

    def pids(self) -> dict[Part, int]:
        """The process ids of the parts that run."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        found = {part_of(int(pid)): int(pid) for pid in children.split()}
        return {part: pid for part, pid in found.items() if part is not None}

    def kill(self, part: Part) -> int:
        """SIGKILL a part, as the kernel does when memory runs out; the process id that it had."""
        wait_until(lambda: part in self.pids(), f"the start of the {part}", START_SECONDS)
        pid = self.pids()[part]
        os.kill(pid, signal.SIGKILL)
        return pid


@contextmanager
def running_stack(home: Path, **settings: str) -> Iterator[Stack]:
    """A started `dev`; no process of it remains at the end."""
    stack = Stack(home, **settings)
    try:
        stack.start()
        yield stack
    finally:
        stack.end()
        # pytest shows this for a failed test.
        sys.stdout.write(stack.log.read_text()[-20_000:])
