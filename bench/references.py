"""The references of the figures, measured in the same run on the same core."""

import contextlib
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench import direct
from bench.audience import Audience
from bench.measurement import Bench, Measurement, details
from bench.notifications import example_text
from bench.poller import Poller
from bench.processes import Meter
from bench.server import started
from bench.websocket import Client, handshake

SEND_LOOP: Final = "reference: C loop of send()"
BROADCAST: Final = "reference: websockets broadcast()"
BARE_HANDLER: Final = "reference: bare Litestar handler"

_SOURCE: Final = Path(__file__).with_name("fanout.c")


def compiler() -> str | None:
    """The C compiler of this machine."""
    return shutil.which("cc")


def send_loop(bench: Bench) -> Sequence[Measurement]:
    """The C loop; nothing on a machine without a compiler."""
    found = compiler()
    if found is None:
        return []
    scale, text = bench.scale, example_text()
    frame = struct.pack("!BBH", 0x81, 126, len(text)) + text
    with tempfile.TemporaryDirectory() as directory:
        program = Path(directory) / "fanout"
        subprocess.run([found, "-O2", "-o", program, _SOURCE], check=True)
        words = (scale.sockets, scale.steady_sends, scale.rate, len(frame))
        return [_fan_out(bench, SEND_LOOP, [str(program), *map(str, words)], frame)]


def broadcast(bench: Bench) -> Sequence[Measurement]:
    """The `websockets` library."""
    words = (bench.scale.steady_sends, bench.scale.rate)
    command = [sys.executable, "-m", "bench.broadcast_server", *map(str, words)]
    return [_fan_out(bench, BROADCAST, command, example_text())]


def _fan_out(bench: Bench, name: str, command: list[str], content: bytes) -> Measurement:
    scale = bench.scale
    with _log() as log, started(command, bench.cores, log) as (process, line):
        poller = Poller()
        clients = [Client(handshake("/"))] * scale.sockets
        audience = Audience(poller, int(line), clients, scale.opening)
        assert process.stdin is not None
        process.stdin.write(content)
        process.stdin.flush()
        meter = Meter({"server": process.pid}, bench.cores)
        process.stdin.write(b"\n")
        process.stdin.flush()
        audience.wait_for(scale.steady_sends)
        usage = meter.read()
        audience.check(scale.steady_sends)
        audience.close()
        poller.close()
    deliveries = scale.steady_sends * scale.sockets
    extra = {"frame_bytes": audience.frame_bytes, "frames_per_read": audience.frames_per_read}
    return Measurement(
        name, deliveries / usage.core_seconds, "deliveries/core-second", details(usage, deliveries) | extra
    )


def bare_handler(bench: Bench) -> Sequence[Measurement]:
    """A Litestar handler on Granian that decodes the same body and stores nothing."""
    with _log() as log, started([sys.executable, "-m", "bench.bare_handler"], bench.cores, log) as server:
        process, line = server
        return [direct.bare(bench, BARE_HANDLER, int(line), process.pid)]


@contextlib.contextmanager
def _log() -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(prefix="bench-", suffix=".log") as log:
        yield Path(log.name)
